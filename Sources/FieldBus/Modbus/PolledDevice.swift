import Core

/// What the line remembers about one device.
struct PolledDevice {
    let identifier: DeviceIdentifier
    let unitIdentifier: Int
    let responseTimeout: Duration
    let retries: Int
    let pause: Duration
    /// Stands for all devices of a serial line: nothing is read.
    let isBroadcast: Bool
    /// Of such a device, because no group has them.
    private let writtenPoints: [ModbusPoint]
    /// One per distinct interval, the shortest first.
    var groups: [PolledGroup]
    /// The last request brought a frame that cannot be believed.
    var lastFrameWasBad = false
    /// Which read the next probe makes.
    var nextProbe = 0
    /// The device refused function 22, 5 or 6, so that 3 and 6, 15 or 16 are used instead.
    var lacksMaskWrite = false
    /// It left the last one without an answer.
    var hasMissedMaskWrite = false
    var lacksSingleWrites = false

    init(_ device: ModbusDevice, on bus: ModbusBus) {
        identifier = device.identifier
        unitIdentifier = device.unitIdentifier
        responseTimeout = device.responseTimeout ?? bus.responseTimeout
        retries = device.retries ?? bus.retries
        let maxGap = device.maxGap ?? bus.maxGap
        pause = device.pause ?? bus.pause
        isBroadcast = bus.transport.isBroadcast(device.unitIdentifier)
        writtenPoints = isBroadcast ? device.points : []
        groups = Dictionary(grouping: isBroadcast ? [] : device.points, by: \.interval).sorted { $0.key < $1.key }.map {
            PolledGroup(
                interval: $0.key, plan: ReadPlan(points: $0.value, maxGap: maxGap, maxQuantity: device.maxQuantity))
        }
    }

    /// The point of this name. Looks through all of them: only writes need it, and an index would take as much memory as
    /// the points.
    func point(_ identifier: String) -> ModbusPoint? {
        for group in groups {
            if let point = group.plan.points.first(where: { $0.identifier == identifier }) { return point }
        }
        return writtenPoints.first { $0.identifier == identifier }
    }

    var missingPoints: Int {
        groups.reduce(0) { sum, group in
            group.plan.blocks.reduce(sum) { $1.refusedUntil == nil ? $0 : $0 + $1.points.count }
        }
    }

    /// The read that a probe makes: each in its turn, because the device may be silent about some of them only.
    mutating func takeProbe() -> (group: Int, block: Int)? {
        let count = groups.reduce(0) { $0 + $1.plan.blocks.count }
        guard count > 0 else { return nil }
        var index = nextProbe % count
        nextProbe = index + 1
        for (number, group) in groups.enumerated() {
            if index < group.plan.blocks.count { return (number, index) }
            index -= group.plan.blocks.count
        }
        return nil
    }

    /// Forgets polls that were under way.
    mutating func abandonPolls() {
        for index in groups.indices {
            groups[index].position = 0
            groups[index].samples.removeAll(keepingCapacity: true)
        }
    }
}

/// One polling group of a device and the poll that is under way.
struct PolledGroup {
    let interval: Duration
    var plan: ReadPlan
    /// The block that is read next.
    var position = 0
    /// What this poll has brought so far.
    var samples: [Sample] = []
}
