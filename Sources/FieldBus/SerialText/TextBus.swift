public import Core

/// A stream of frames from a serial port or a TCP connection, and the points that are found in them.
public struct TextBus: Sendable {
    public enum Transport: Sendable, Hashable {
        case serial(SerialLine)
        case tcp(host: String, port: Int)
    }

    public struct Point: Sendable, Hashable {
        public var identifier: String
        public var type: PointType
        /// nil for a point that is only sent.
        public var field: FrameField?
        /// What is sent when the point is written.
        public var send: TextTemplate?
        public var conversion = PointConversion()

        public init(identifier: String, type: PointType, field: FrameField?, send: TextTemplate? = nil) {
            self.identifier = identifier
            self.type = type
            self.field = field
            self.send = send
        }
    }

    public struct Device: Sendable, Hashable {
        public var identifier: DeviceIdentifier
        public var points: [Point]

        public init(identifier: DeviceIdentifier, points: [Point]) {
            self.identifier = identifier
            self.points = points
        }
    }

    public var name: String
    public var transport: Transport
    public var framer: Framer
    /// Between columns.
    public var separator = UInt8(ascii: ",")
    /// What is sent again and again to get a frame; empty for devices that send by themselves.
    public var request: [UInt8] = []
    public var requestInterval = Duration.seconds(1)
    /// Without a frame for so long a device does not answer.
    public var timeout = Duration.seconds(10)
    /// The longest time between two tries to open the line.
    public var maxBackOff = Duration.seconds(30)
    public var devices: [Device]

    public init(name: String, transport: Transport, framer: Framer, devices: [Device]) {
        self.name = name
        self.transport = transport
        self.framer = framer
        self.devices = devices
    }
}

extension TextBus: BusPlan {
    public var deviceIdentifiers: [DeviceIdentifier] { devices.map(\.identifier) }

    /// What comes by itself comes at a time of its own.
    public var polls: [PlannedPoll] {
        guard !request.isEmpty else { return [] }
        return devices.map { device in
            PlannedPoll(
                device: device.identifier, interval: requestInterval,
                points: device.points.filter { $0.field != nil }.map {
                    PlannedPoint(identifier: $0.identifier, type: $0.type, conversion: $0.conversion, length: 16)
                }, duration: .milliseconds(50))
        }
    }

    public func makeDriver() throws(FieldBusError) -> any FieldBusDriver { try TextDriver(bus: self) }
}
