import Core
import Synchronization

/// What is known of a bus, and whom it is told to. From whatever thread it comes.
final class BusRecord: Sendable {
    private struct State {
        var ledger: BusLedger
        var deliver: @Sendable (DeviceReading) -> Void = { _ in }
        var events: @Sendable (BusEvent) -> Void = { _ in }
        /// nil until the line was opened, or could not be, for the first time.
        var lineIsUp: Bool?
        var wasReopened = false
    }

    private let state: Mutex<State>

    /// - Parameter devices: of one that is not read nothing but good is known.
    init(name: String, protocolName: String, devices: [(identifier: DeviceIdentifier, isRead: Bool)]) {
        state = Mutex(
            State(ledger: BusLedger(name: name, protocolName: protocolName, devices: devices, made: SystemClock.monotonic())))
    }

    convenience init(name: String, protocolName: String, devices: [DeviceIdentifier]) {
        self.init(name: name, protocolName: protocolName, devices: devices.map { ($0, true) })
    }

    func begin(
        deliver: @escaping @Sendable (DeviceReading) -> Void, events: @escaping @Sendable (BusEvent) -> Void
    ) {
        state.withLock {
            $0.deliver = deliver
            $0.events = events
        }
    }

    /// Tells nobody any more.
    func end() {
        state.withLock {
            $0.deliver = { _ in }
            $0.events = { _ in }
            $0.ledger.isOpen = false
            $0.lineIsUp = nil
        }
    }

    func status(now: MonotonicTime) -> BusStatus { state.withLock { $0.ledger.status(now: now) } }

    // MARK: The line

    /// The line was opened, or has shown that it is open.
    func lineIsUp() {
        let events: (@Sendable (BusEvent) -> Void)? = state.withLock { state in
            guard state.lineIsUp != true else { return nil }
            state.wasReopened = state.lineIsUp == false
            state.lineIsUp = true
            state.ledger.isOpen = true
            state.ledger.opens += 1
            return state.events
        }
        events?(.opened)
    }

    /// The line cannot be used; told once until it can.
    ///
    /// - Parameter again: when the program that serves it is started again.
    /// - Returns: whether that is new.
    @discardableResult
    func lineIsDown(_ detail: String, again: Duration? = nil) -> Bool {
        let events: (@Sendable (BusEvent) -> Void)? = state.withLock { state in
            state.ledger.isOpen = false
            guard state.lineIsUp != false else { return nil }
            state.lineIsUp = false
            return state.events
        }
        events?(again.map { .programEnded(detail: detail, again: $0) } ?? .openFailed(detail: detail))
        return events != nil
    }

    /// Whether the line has come back since the last call.
    func takeReopened() -> Bool {
        state.withLock { state in
            defer { state.wasReopened = false }
            return state.wasReopened
        }
    }

    func say(_ event: BusEvent) { state.withLock { $0.events }(event) }

    // MARK: Requests

    func requested(_ device: Int) { state.withLock { $0.ledger.requested(device) } }

    /// The device answered, be it with a refusal.
    ///
    /// - Parameter time: how long it took; nil if that says nothing.
    func answered(_ device: Int, after time: Duration?, isException: Bool = false) {
        let (event, events) = state.withLock { state in
            if isException { state.ledger.exceptions += 1 }
            return (state.ledger.answered(device, after: time, wall: SystemClock.wall()), state.events)
        }
        if let event { events(event) }
    }

    func unanswered(_ device: Int) { state.withLock { $0.ledger.unanswered(device) } }

    func setOverruns(_ overruns: UInt64) { state.withLock { $0.ledger.overruns = overruns } }

    func spend(_ time: Duration) { state.withLock { $0.ledger.busy += time } }

    /// The device is taken for dead, for this reason.
    ///
    /// - Parameter detail: nil where it goes without saying.
    func failed(_ device: Int, _ reason: QualityReason, detail: String?, retryAt: MonotonicTime) {
        let (event, events) = state.withLock { state in
            (state.ledger.failed(device, reason, detail: detail ?? "", retryAt: retryAt), state.events)
        }
        if let event, detail != nil { events(event) }
    }

    /// Counts the points of a device without a value by those that a reading holds.
    func noteMissing(in samples: [Sample], of device: Int) { state.withLock { $0.ledger.noteMissing(in: samples, of: device) } }

    /// How many points of a device that answers it does not have.
    func setMissing(_ count: Int, of device: Int) { state.withLock { $0.ledger.setMissing(count, of: device) } }

    // MARK: Values

    func deliver(_ samples: [Sample], of device: Int) {
        guard !samples.isEmpty else { return }
        let (identifier, deliver) = state.withLock { state in
            state.ledger.samples += UInt64(samples.count)
            return (state.ledger.devices[device].identifier, state.deliver)
        }
        deliver(DeviceReading(device: identifier, samples: samples))
    }

    func deliverBad(_ points: [String], _ reason: QualityReason, of device: Int) {
        let time = SystemClock.wall()
        deliver(points.map { Sample(point: $0, value: nil, quality: .bad(reason), time: time) }, of: device)
    }

    /// Delivers a reading of points that may fail one by one, and tells what is new. A device is bad when none of them has a
    /// value.
    ///
    /// - Parameter detail: why points have no value, for a person.
    func take(_ samples: [Sample], of device: Int, detail: String) {
        guard !samples.isEmpty else { return }
        let (news, events) = state.withLock { ($0.ledger.take(device, samples, detail: detail), $0.events) }
        for event in news { events(event) }
        deliver(samples, of: device)
    }
}
