import Core

/// What is counted on a bus, and what was last said of its devices.
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
        var answerTimes = AnswerTimes()
        /// When one that does not answer is asked again.
        var retryAt: MonotonicTime?
    }

    let name: String
    let protocolName: String
    private(set) var devices: [Device]
    var isOpen = false
    var opens: UInt64 = 0
    var exceptions: UInt64 = 0
    var samples: UInt64 = 0
    var overruns: UInt64 = 0
    var busy = Duration.zero
    private let made: MonotonicTime

    /// - Parameter devices: of one that is not read nothing but good is known.
    init(name: String, protocolName: String, devices: [(identifier: DeviceIdentifier, isRead: Bool)], made: MonotonicTime) {
        self.name = name
        self.protocolName = protocolName
        self.devices = devices.map { Device(identifier: $0.identifier, quality: $0.isRead ? nil : .good) }
        self.made = made
    }

    mutating func requested(_ device: Int) { devices[device].requests += 1 }

    mutating func unanswered(_ device: Int) { devices[device].errors += 1 }

    /// Counts the points of a device without a value by those that a reading holds.
    ///
    /// - Returns: those that have lost it, or have another reason now.
    @discardableResult
    mutating func note(_ samples: [Sample], of device: Int) -> [QualityReason: [String]] {
        // Of a device whose points do not fail one by one, ``setMissing(_:of:)`` says how many there are.
        guard !samples.isEmpty else { return [:] }
        var newlyBad: [QualityReason: [String]] = [:]
        for sample in samples {
            var reason: QualityReason?
            if case .bad(let why) = sample.quality { reason = why }
            let known = devices[device].points.updateValue(reason, forKey: sample.point)
            if let reason, known != .some(reason) { newlyBad[reason, default: []].append(sample.point) }
        }
        devices[device].badPoints = devices[device].points.values.count { $0 != nil }
        return newlyBad
    }

    mutating func setMissing(_ count: Int, of device: Int) { devices[device].badPoints = count }

    /// Notes that a device answers.
    ///
    /// - Parameter time: how long it took; nil if that says nothing.
    /// - Returns: what is to be reported, if that is new.
    mutating func answered(_ device: Int, after time: Duration?, wall: Timestamp) -> BusEvent? {
        devices[device].lastAnswer = wall
        if let time { devices[device].answerTimes.record(time) }
        devices[device].retryAt = nil
        guard devices[device].quality != .good else { return nil }
        devices[device].quality = .good
        return .deviceGood(devices[device].identifier)
    }

    /// Notes that a device gives nothing.
    ///
    /// - Returns: what is to be reported, if that is new.
    mutating func failed(_ device: Int, _ reason: QualityReason, detail: String, retryAt: MonotonicTime? = nil) -> BusEvent? {
        devices[device].retryAt = retryAt
        defer { devices[device].quality = .bad(reason) }
        return devices[device].quality == .bad(reason) ? nil : .deviceBad(devices[device].identifier, reason, detail: detail)
    }

    /// Counts a reading of points that may fail one by one. A device is bad when none of them has a value.
    ///
    /// - Parameter detail: why points have no value, for a person.
    /// - Returns: what is to be reported, because it is new.
    mutating func take(_ device: Int, _ samples: [Sample], detail: String) -> [BusEvent] {
        let newlyBad = note(samples, of: device)
        devices[device].requests += 1
        let points = devices[device].points
        let reasons = points.values.compactMap(\.self)
        if let first = reasons.first, reasons.count == points.count {
            devices[device].errors += 1
            let event = failed(device, reasons.allSatisfy { $0 == first } ? first : .deviceFailure, detail: detail)
            return [event].compactMap(\.self)
        }
        let event = answered(device, after: nil, wall: samples.map(\.time).max() ?? Timestamp(milliseconds: 0))
        return [event].compactMap(\.self)
            + newlyBad.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                .pointsBad(devices[device].identifier, points: $0.value.sorted(), $0.key)
            }
    }

    func status(now: MonotonicTime) -> BusStatus {
        BusStatus(
            name: name, protocolName: protocolName, isOpen: isOpen, opens: opens,
            requests: devices.reduce(0) { $0 + $1.requests }, errors: devices.reduce(0) { $0 + $1.errors }, exceptions: exceptions,
            samples: samples, overruns: overruns, busy: busy, elapsed: now - made,
            devices: devices.map {
                DeviceStatus(
                    device: $0.identifier, quality: $0.quality ?? .bad(.notYetRead), backOff: $0.retryAt.map { max(.zero, $0 - now) }, lastAnswer: $0.lastAnswer,
                    requests: $0.requests, errors: $0.errors, missingPoints: $0.badPoints,
                    answerTimes: $0.answerTimes)
            })
    }
}
