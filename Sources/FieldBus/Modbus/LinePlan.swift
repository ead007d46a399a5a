public import Core

// What a Modbus line will be asked and what that costs, told before any device is there.

/// The requests of a line with their bytes and times.
public struct LinePlan: Sendable {
    /// One read of a polling group.
    public struct Request: Sendable, Hashable {
        public var device: DeviceIdentifier
        public var unitIdentifier: Int
        public var interval: Duration
        public var area: ModbusArea
        public var startingAddress: Int
        public var quantity: Int
        public var points: Int
        /// Registers or bits that are read over and belong to no point.
        public var unused: Int
        /// Of the frame, without what TCP and Ethernet add.
        public var requestBytes: Int
        public var answerBytes: Int
        /// From the turn to the request to the moment when the next one may go: frames, silences, the delays of an RS-485
        /// transceiver, the device's own time and the pause that it needs.
        public var duration: Duration
    }

    public let requests: [Request]
    /// One round of all requests.
    public let cycle: Duration
    /// The part of `cycle` that frames, mandatory silences and the turns of a transceiver take; zero for a network, whose speed
    /// nobody here knows.
    public let lineTime: Duration
    /// The share of the time that the line is in use at the intervals configured; more than 1 is too much for it.
    public let utilisation: Double

    /// What a device is taken to need where nobody says.
    public static let usualAnswerTime = Duration.milliseconds(5)

    /// - Parameter answerTime: what a device, and a network's way to it, is taken to need before it answers.
    public init(_ bus: ModbusBus, answerTime: Duration) {
        let serial: SerialLine? = if case .rtu(let line) = bus.transport { line } else { nil }
        let line = serial.map { SerialTiming($0) }
        let beforeSend = serial?.delayBeforeSend ?? .zero
        // Until the transceiver receives, no answer gets through.
        let beforeAnswer = max(line?.silence ?? .zero, serial?.delayAfterSend ?? .zero)
        var requests: [Request] = []
        var lineTime = Duration.zero
        var utilisation = 0.0
        for device in bus.polledDevices {
            for group in device.groups {
                for block in group.plan.blocks {
                    let data = block.area.holdsBits ? (block.quantity + 7) / 8 : 2 * block.quantity
                    let isTCP = bus.transport.framing == .tcp
                    let (asked, answered) = isTCP ? (12, 9 + data) : (8, 5 + data)
                    var frames = Duration.zero
                    // The silence before the answer, and the turn to receiving, are part of the device's time.
                    if let line { frames = beforeSend + line.duration(ofCharacters: asked + answered) + line.silence }
                    let pause = max(.zero, device.pause - (line?.silence ?? .zero))
                    let duration = frames + max(answerTime, beforeAnswer) + pause
                    requests.append(
                        Request(
                            device: device.identifier, unitIdentifier: device.unitIdentifier, interval: group.interval,
                            area: block.area, startingAddress: block.startingAddress, quantity: block.quantity,
                            points: block.points.count, unused: block.quantity - LinePlan.used(block, of: group.plan),
                            requestBytes: asked, answerBytes: answered, duration: duration))
                    if line != nil { lineTime += frames + beforeAnswer }
                    utilisation += Double(duration.wholeNanoseconds) / Double(max(1, group.interval.wholeNanoseconds))
                }
            }
        }
        self.requests = requests
        self.lineTime = lineTime
        self.utilisation = utilisation
        cycle = requests.reduce(.zero) { $0 + $1.duration }
    }

    private static func used(_ block: ReadBlock, of plan: ReadPlan) -> Int {
        var used = 0
        var end = block.startingAddress
        for index in block.points {
            let point = plan.points[index]
            used += max(0, point.address + point.quantity - max(end, point.address))
            end = max(end, point.address + point.quantity)
        }
        return used
    }
}
