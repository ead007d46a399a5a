import Core
import Synchronization

/// What is known of a bus, and whom it is told to. From whatever thread it comes.
///
/// A request is told once, when it is over, and so is what it brought: each takes the lock once.
final class BusRecord: Sendable {
    /// What became of a request.
    enum Outcome {
        /// The device answered, be it with a refusal.
        ///
        /// - Parameter after: how long it took; nil if that says nothing.
        case answered(after: Duration?, isException: Bool = false)
        case unanswered
    }

    /// What a request has shown of the line.
    enum LineState {
        case up
        case down(String)
    }

    private struct State {
        var ledger: BusLedger
        var deliver: @Sendable (DeviceReading) -> Void = { _ in }
        var events: @Sendable (BusEvent) -> Void = { _ in }
        /// nil until the line was opened, or could not be, for the first time.
        var lineIsUp: Bool?

        /// - Returns: whether that is new.
        mutating func noteUp() -> Bool {
            guard lineIsUp != true else { return false }
            lineIsUp = true
            ledger.isOpen = true
            ledger.opens += 1
            return true
        }

        /// - Returns: whether that is new.
        mutating func noteDown() -> Bool {
            ledger.isOpen = false
            guard lineIsUp != false else { return false }
            lineIsUp = false
            return true
        }
    }

    private let state: Mutex<State>
    /// The line has come back. Beside the lock, because it is asked after each request.
    private let wasReopened = Atomic(false)

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

    /// The line was opened.
    func lineIsUp() {
        let events: (@Sendable (BusEvent) -> Void)? = state.withLock { state in noteUp(&state) ? state.events : nil }
        events?(.opened)
    }

    private func noteUp(_ state: inout State) -> Bool {
        let cameBack = state.lineIsUp == false
        guard state.noteUp() else { return false }
        wasReopened.store(cameBack, ordering: .relaxed)
        return true
    }

    /// The line cannot be used; told once until it can.
    ///
    /// - Parameter again: when the program that serves it is started again.
    /// - Returns: whether that is new.
    @discardableResult
    func lineIsDown(_ detail: String, again: Duration? = nil) -> Bool {
        let events: (@Sendable (BusEvent) -> Void)? = state.withLock { state in state.noteDown() ? state.events : nil }
        events?(again.map { .programEnded(detail: detail, again: $0) } ?? .openFailed(detail: detail))
        return events != nil
    }

    /// Whether the line has come back since the last call.
    func takeReopened() -> Bool {
        wasReopened.load(ordering: .relaxed) && wasReopened.exchange(false, ordering: .relaxed)
    }

    func say(_ event: BusEvent) { state.withLock { $0.events }(event) }

    // MARK: Requests

    /// A request is over.
    ///
    /// - Parameters:
    ///   - spent: how long it took, mandatory gaps and the opening of the line included.
    ///   - line: what it has shown of the line; nil for nothing.
    ///   - reading: what it brought, where points may fail one by one.
    func requested(_ device: Int, _ outcome: Outcome, spent: Duration, line: LineState? = nil, reading: [Sample] = []) {
        let wall = SystemClock.wall()
        let (lineEvent, deviceEvent, events) = state.withLock { state in
            state.ledger.requested(device)
            state.ledger.busy += spent
            var lineEvent: BusEvent?
            var deviceEvent: BusEvent?
            switch line {
            case .up: if noteUp(&state) { lineEvent = .opened }
            case .down(let detail): if state.noteDown() { lineEvent = .openFailed(detail: detail) }
            case nil: break
            }
            switch outcome {
            case .answered(let time, let isException):
                if isException { state.ledger.exceptions += 1 }
                deviceEvent = state.ledger.answered(device, after: time, wall: wall)
                state.ledger.note(reading, of: device)
            case .unanswered: state.ledger.unanswered(device)
            }
            return (lineEvent, deviceEvent, state.events)
        }
        if let lineEvent { events(lineEvent) }
        if let deviceEvent { events(deviceEvent) }
    }

    /// The device has sent something by itself.
    func heard(_ reading: [Sample], of device: Int) {
        let wall = SystemClock.wall()
        let (event, events) = state.withLock { state in
            state.ledger.note(reading, of: device)
            return (state.ledger.answered(device, after: nil, wall: wall), state.events)
        }
        if let event { events(event) }
        deliver(reading, of: device)
    }

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
