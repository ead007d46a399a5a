import Core

/// What a driver whose devices cannot fall silent one by one, because they are this machine or one line, keeps for its status.
struct BusLedger {
    struct Device {
        let identifier: DeviceIdentifier
        /// nil before anything is known.
        var quality: Quality?
        var lastAnswer: Timestamp?
        var requests: UInt64 = 0
        var errors: UInt64 = 0
        var badPoints = 0
    }

    let name: String
    let protocolName: String
    private(set) var devices: [Device]
    var isOpen = false
    var opens: UInt64 = 0
    var samples: UInt64 = 0
    var overruns: UInt64 = 0
    var busy = Duration.zero
    private let made: MonotonicTime

    init(name: String, protocolName: String, devices: [DeviceIdentifier], made: MonotonicTime) {
        self.name = name
        self.protocolName = protocolName
        self.devices = devices.map { Device(identifier: $0) }
        self.made = made
    }

    /// Counts a reading of a device that works, and how many of its points have no value.
    ///
    /// - Returns: what is to be reported, if that is new.
    mutating func answered(_ device: Int, samples: [Sample], badPoints: Int, wall: Timestamp) -> BusEvent? {
        self.samples += UInt64(samples.count)
        devices[device].requests += 1
        devices[device].lastAnswer = wall
        devices[device].badPoints = badPoints
        defer { devices[device].quality = .good }
        return devices[device].quality == .good ? nil : .deviceGood(devices[device].identifier)
    }

    /// Notes that a device gives nothing.
    ///
    /// - Returns: what is to be reported, if that is new.
    mutating func failed(_ device: Int, _ reason: QualityReason, detail: String) -> BusEvent? {
        devices[device].errors += 1
        defer { devices[device].quality = .bad(reason) }
        return devices[device].quality == .bad(reason) ? nil : .deviceBad(devices[device].identifier, reason, detail: detail)
    }

    func status(now: MonotonicTime) -> BusStatus {
        BusStatus(
            name: name, protocolName: protocolName, isOpen: isOpen, opens: opens,
            requests: devices.reduce(0) { $0 + $1.requests }, errors: devices.reduce(0) { $0 + $1.errors }, exceptions: 0,
            samples: samples, overruns: overruns, busy: busy, elapsed: now - made,
            devices: devices.map {
                DeviceStatus(
                    device: $0.identifier, quality: $0.quality ?? .bad(.notYetRead), backOff: nil, lastAnswer: $0.lastAnswer,
                    requests: $0.requests, errors: $0.errors, missingPoints: $0.badPoints)
            })
    }
}
