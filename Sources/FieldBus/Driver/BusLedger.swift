import Core

/// What a driver without a ``BusSchedule`` keeps for its status and its reports.
struct BusLedger {
    struct Device {
        let identifier: DeviceIdentifier
        /// nil before anything is known.
        var quality: Quality?
        var lastAnswer: Timestamp?
        var requests: UInt64 = 0
        var errors: UInt64 = 0
        var badPoints = 0
        /// Points that were read one by one, with the reason why they have no value.
        var points: [String: QualityReason?] = [:]
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

    /// Counts a reading of points that may fail one by one. A device is bad when none of them has a value.
    ///
    /// - Parameter detail: why points have no value, for a person.
    /// - Returns: what is to be reported, because it is new.
    mutating func take(_ device: Int, _ samples: [Sample], detail: String) -> [BusEvent] {
        var entry = devices[device]
        var newlyBad: [QualityReason: [String]] = [:]
        for sample in samples {
            var reason: QualityReason?
            if case .bad(let why) = sample.quality { reason = why }
            if let reason, entry.points[sample.point] != .some(reason) { newlyBad[reason, default: []].append(sample.point) }
            entry.points[sample.point] = .some(reason)
        }
        devices[device].points = entry.points
        let reasons = entry.points.values.compactMap(\.self)
        if let first = reasons.first, reasons.count == entry.points.count {
            self.samples += UInt64(samples.count)
            devices[device].requests += 1
            devices[device].badPoints = reasons.count
            let event = failed(device, reasons.allSatisfy { $0 == first } ? first : .deviceFailure, detail: detail)
            return [event].compactMap(\.self)
        }
        let time = samples.map(\.time).max() ?? Timestamp(milliseconds: 0)
        let event = answered(device, samples: samples, badPoints: reasons.count, wall: time)
        return [event].compactMap(\.self)
            + newlyBad.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                .pointsBad(entry.identifier, points: $0.value.sorted(), $0.key)
            }
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
