public import Core
import Synchronization

// The life of a program:
//
//     start ──▶ describe ──▶ configure ──▶ configured ──▶ polled, or sending by itself ──▶ ended
//       ▲                                                                                    │
//       └────────────── after a wait that doubles: 1 s, 2 s … max-back-off ◀─────────────────┘
//
// One request at a time asks for values, in the order of the ``BusSchedule``; writes go between.

/// Serves a bus by a program of its own.
public actor ExternalDriver: FieldBusDriver {
    /// How long a program may take to say what it is.
    static let startTimeout = Duration.seconds(10)
    /// A polled program that leaves so many requests unanswered, for so long, is started again.
    static let maxUnanswered = 5
    static let maxSilence = Duration.seconds(60)
    /// How many calls of ``write(device:values:)`` may wait; more are refused as busy.
    static let maxPendingWrites = 64
    /// Lines of a program's log that are passed on in a second.
    static let maxLogLines = 10

    private nonisolated let executor: ThreadExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    public nonisolated let name: String
    private nonisolated let pendingWrites = Atomic<Int>(0)
    private let bus: ExternalBus
    private let groups: [[(interval: Duration, points: [ExternalPoint])]]
    private let deviceIndex: [DeviceIdentifier: Int]
    private nonisolated let ledger: Mutex<BusLedger>
    private var schedule: BusSchedule
    private var connection: ExternalConnection?
    private var deliver: @Sendable (DeviceReading) -> Void = { _ in }
    private var events: @Sendable (BusEvent) -> Void = { _ in }
    private var lastProblem: String?
    /// When the program last answered a request, and how many it has left unanswered since.
    private var lastSign = MonotonicTime.zero
    private var unansweredSince = 0

    init(bus: ExternalBus) {
        self.bus = bus
        name = bus.name
        let now = SystemClock.monotonic()
        groups = bus.devices.map(\.groups)
        deviceIndex = Dictionary(bus.devices.enumerated().map { ($1.identifier, $0) }) { first, _ in first }
        ledger = Mutex(
            BusLedger(name: bus.name, protocolName: External.protocolName, devices: bus.devices.map(\.identifier), made: now))
        schedule = BusSchedule(
            devices: groups.map {
                BusSchedule.Device(intervals: $0.map(\.interval), probeCost: bus.timeout, retries: bus.retries)
            }, maxBackOff: bus.maxBackOff, start: now)
        executor = ThreadExecutor(name: bus.name)
    }

    public func run(
        deliver: @escaping @Sendable (DeviceReading) -> Void, events: @escaping @Sendable (BusEvent) -> Void
    ) async {
        self.deliver = deliver
        self.events = events
        var reconnection = Reconnection(
            seed: UInt64.random(in: 0...UInt64.max), shortestWait: min(.seconds(1), bus.maxBackOff), longestWait: bus.maxBackOff)
        while !Task.isCancelled {
            if reconnection.shouldConnect(now: SystemClock.monotonic()) {
                await serve(&reconnection)
                if !Task.isCancelled { reconnection.failed(now: SystemClock.monotonic()) }
            } else {
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
        self.deliver = { _ in }
        self.events = { _ in }
    }

    public func status() -> BusStatus { ledger.withLock { $0.status(now: SystemClock.monotonic()) } }

    // MARK: The program

    /// Starts the program and works with it until it ends or the task is cancelled.
    private func serve(_ reconnection: inout Reconnection) async {
        let connection: ExternalConnection
        do throws(FieldBusError) {
            connection = try connect()
        } catch {
            return lost(error.description)
        }
        if let description = await introduce(connection) {
            self.connection = connection
            reconnection.connected(now: SystemClock.monotonic())
            ledger.withLock {
                $0.isOpen = true
                $0.opens += 1
            }
            lastProblem = nil
            events(.opened)
            schedule.begin(at: SystemClock.monotonic())
            schedule.opened(now: SystemClock.monotonic())
            await work(connection, isPolled: description.isPolled)
        }
        self.connection = nil
        connection.stop()
        ledger.withLock { $0.isOpen = false }
        if !Task.isCancelled { lost(lastProblem ?? connection.ended ?? "it ended") }
    }

    private func connect() throws(FieldBusError) -> ExternalConnection {
        let deliver = deliver
        let events = events
        let log = LogBudget(maxLines: ExternalDriver.maxLogLines)
        return try ExternalConnection(bus.peer, decoder: ExternalDecoder(bus.devices), name: bus.name) { message in
            switch message {
            case .samples(let reading): self.took(reading, deliver: deliver, events: events)
            case .log(let text): if log.spend(now: SystemClock.monotonic()) { events(.said(text)) }
            default: break
            }
        }
    }

    /// nil, with ``lastProblem``, if the program cannot be used.
    private func introduce(_ connection: ExternalConnection) async -> ExternalMessage.Description? {
        lastProblem = nil
        let first = await connection.answer(to: ExternalConnection.describing, timeout: ExternalDriver.startTimeout)
        guard case .describe(let description)? = first else {
            if connection.ended == nil { lastProblem = "it did not describe itself within \(ExternalDriver.startTimeout); does it flush its output?" }
            return nil
        }
        guard connection.send(ExternalLine.configure(bus), timeout: bus.timeout) else { return nil }
        let second = await connection.answer(to: ExternalConnection.configuring, timeout: ExternalDriver.startTimeout)
        guard case .configured(let error)? = second else {
            if connection.ended == nil { lastProblem = "it did not say that it is configured within \(ExternalDriver.startTimeout)" }
            return nil
        }
        if let error { lastProblem = "it refuses its configuration: \(error)" }
        return error == nil ? description : nil
    }

    private func work(_ connection: ExternalConnection, isPolled: Bool) async {
        lastSign = SystemClock.monotonic()
        unansweredSince = 0
        while !Task.isCancelled, connection.ended == nil {
            let now = SystemClock.monotonic()
            connection.checkProcess()
            if unansweredSince >= ExternalDriver.maxUnanswered, now - lastSign >= ExternalDriver.maxSilence {
                lastProblem = "it answered nothing for \(ExternalDriver.maxSilence)"
                return connection.giveUp()
            }
            // A program that sends by itself is asked nothing.
            switch isPolled ? schedule.next(now: now) : .wait(until: .distantFuture) {
            case .poll(let device, let group): await read(device, group: group, isProbe: false, connection)
            case .probe(let device): await read(device, group: 0, isProbe: true, connection)
            case .wait(let until): try? await Task.sleep(for: min(until - now, .milliseconds(200)))
            }
        }
    }

    /// The program is gone: all points are bad.
    private func lost(_ problem: String) {
        let now = SystemClock.monotonic()
        events(.openFailed(detail: problem))
        lastProblem = nil
        for device in bus.devices.indices {
            if schedule.failed(device: device, reason: .notConnected, started: now, now: now) { markBad(device, .notConnected) }
            _ = ledger.withLock { $0.failed(device, .notConnected, detail: problem) }
        }
    }

    private func markBad(_ device: Int, _ reason: QualityReason) {
        let time = SystemClock.wall()
        let samples = bus.devices[device].points.map {
            Sample(point: $0.identifier, value: nil, quality: .bad(reason), time: time)
        }
        if !samples.isEmpty { deliver(DeviceReading(device: bus.devices[device].identifier, samples: samples)) }
    }

    // MARK: Values

    private func read(_ device: Int, group: Int, isProbe: Bool, _ connection: ExternalConnection) async {
        let started = SystemClock.monotonic()
        guard groups[device].indices.contains(group) else {
            schedule.recovered(device: device, now: started)
            return
        }
        let identifier = connection.nextIdentifier()
        let points = groups[device][group].points.map(\.identifier)
        let line = ExternalLine.read(identifier, bus.devices[device].identifier, points: points)
        guard connection.send(line, timeout: bus.timeout) else {
            connection.forget(identifier)
            return failed(device, group, isProbe, .timeout, "the program takes no more lines", started)
        }
        switch await connection.answer(to: identifier, timeout: bus.timeout) {
        case .values(_, let reading) where reading.device == bus.devices[device].identifier:
            noteSign()
            let reading = completed(reading, points)
            if isProbe {
                schedule.recovered(device: device, now: SystemClock.monotonic())
            } else {
                schedule.answered(device: device, group: group, finished: true)
            }
            took(reading, deliver: deliver, events: events)
        case .values: failed(device, group, isProbe, .badResponse, "it answered for another device", started)
        case .failed(_, let reason, let detail):
            noteSign()
            failed(device, group, isProbe, reason, detail, started)
        default:
            // Whoever stops the bus does not wait for answers.
            if Task.isCancelled { return }
            unansweredSince += 1
            if connection.ended == nil { failed(device, group, isProbe, .timeout, "no answer in time", started) }
        }
        ledger.withLock { $0.busy += SystemClock.monotonic() - started }
    }

    private func noteSign() {
        lastSign = SystemClock.monotonic()
        unansweredSince = 0
    }

    /// The reading with a bad sample for each point that was asked for and is not in it.
    private func completed(_ reading: DeviceReading, _ points: [String]) -> DeviceReading {
        let present = Set(reading.samples.map(\.point))
        let time = SystemClock.wall()
        var reading = reading
        reading.samples += points.filter { !present.contains($0) }.map {
            Sample(point: $0, value: nil, quality: .bad(.badResponse), time: time)
        }
        return reading
    }

    private func failed(
        _ device: Int, _ group: Int, _ isProbe: Bool, _ reason: QualityReason, _ detail: String, _ started: MonotonicTime
    ) {
        let now = SystemClock.monotonic()
        if !isProbe, schedule.unanswered(device: device, group: group, lineIsDown: false, now: now) { return }
        if schedule.failed(device: device, reason: reason, started: started, now: now) { markBad(device, reason) }
        if let event = ledger.withLock({ $0.failed(device, reason, detail: detail) }) { events(event) }
    }

    /// On whatever thread the values came.
    private nonisolated func took(
        _ reading: DeviceReading, deliver: @Sendable (DeviceReading) -> Void, events: @Sendable (BusEvent) -> Void
    ) {
        guard !reading.samples.isEmpty, let device = deviceIndex[reading.device] else { return }
        let bad = reading.samples.count { $0.value == nil }
        let event = ledger.withLock {
            $0.answered(device, samples: reading.samples, badPoints: bad, wall: SystemClock.wall())
        }
        if let event { events(event) }
        deliver(reading)
    }

    // MARK: Writes

    public nonisolated func write(device: DeviceIdentifier, values: [PointValue]) async -> [WriteResult] {
        let waiting = pendingWrites.add(1, ordering: .relaxed).newValue
        defer { pendingWrites.subtract(1, ordering: .relaxed) }
        guard waiting <= ExternalDriver.maxPendingWrites else {
            return values.map { WriteResult(point: $0.point, outcome: .busy) }
        }
        return await performWrite(device: device, values: values)
    }

    private func performWrite(device: DeviceIdentifier, values: [PointValue]) async -> [WriteResult] {
        guard let index = deviceIndex[device] else {
            return values.map { WriteResult(point: $0.point, outcome: .unknownDevice) }
        }
        // What is wrong here does not go to the program.
        var outcomes = values.map { outcome(before: $0, device: index) }
        let good = values.indices.filter { outcomes[$0] == nil }
        var raw: [PointValue] = []
        for place in good {
            if let value = converted(values[place], device: index) { raw.append(value) }
        }
        if !raw.isEmpty {
            let answers = await send(raw, to: device)
            for place in good { outcomes[place] = answers[values[place].point] ?? .failed(.badResponse) }
        }
        return zip(values, outcomes).map { WriteResult(point: $0.point, outcome: $1 ?? .failed(.deviceFailure)) }
    }

    /// Why a value cannot be written; nil if it can.
    private func outcome(before value: PointValue, device: Int) -> WriteOutcome? {
        guard let point = bus.devices[device].points.first(where: { $0.identifier == value.point }) else { return .unknownPoint }
        guard point.writable else { return .readOnly }
        do throws(EncodeFailure) {
            _ = try point.raw(of: value.value)
            return nil
        } catch {
            return error == .typeMismatch ? .typeMismatch(expected: point.type) : .outOfRange
        }
    }

    private func converted(_ value: PointValue, device: Int) -> PointValue? {
        guard let point = bus.devices[device].points.first(where: { $0.identifier == value.point }),
            let raw = try? point.raw(of: value.value)
        else { return nil }
        return PointValue(point: value.point, value: raw)
    }

    private func send(_ values: [PointValue], to device: DeviceIdentifier) async -> [String: WriteOutcome] {
        func all(_ outcome: WriteOutcome) -> [String: WriteOutcome] {
            Dictionary(values.map { ($0.point, outcome) }) { first, _ in first }
        }
        guard let connection, connection.ended == nil else { return all(.failed(.notConnected)) }
        let identifier = connection.nextIdentifier()
        guard connection.send(ExternalLine.write(identifier, device, values: values), timeout: bus.timeout) else {
            connection.forget(identifier)
            return all(.failed(.timeout))
        }
        switch await connection.answer(to: identifier, timeout: bus.timeout) {
        case .written(_, let outcomes): return outcomes
        case .failed(_, let reason, _): return all(.failed(reason))
        default: return all(.failed(connection.ended == nil ? .timeout : .notConnected))
        }
    }
}

extension ExternalPoint {
    /// What the program is to be given: a number scaled back and, for an integer, rounded.
    func raw(of value: Value) throws(EncodeFailure) -> Value {
        let raw = try conversion.raw(value)
        switch type {
        case .string:
            guard case .string = raw else { throw .typeMismatch }
            return raw
        case .bool: return .bool(try raw.flag())
        case .real, .lreal:
            guard let number = raw.number, number.isFinite else { throw .typeMismatch }
            return .lreal(number)
        case .int, .dint, .lint, .uint, .udint, .ulint: break
        }
        guard let number = raw.number else { throw .typeMismatch }
        let isScaled = conversion.scale != nil || conversion.offset != nil
        if !isScaled, number != number.rounded() { throw .typeMismatch }
        let whole: Value
        switch raw {
        case .int, .uint: whole = raw
        default:
            guard let rounded = Int64(exactly: number.rounded()) else { throw .outOfRange }
            whole = .int(rounded)
        }
        // As the type has it.
        switch (type, whole) {
        case (.uint, .int(let number)), (.udint, .int(let number)), (.ulint, .int(let number)):
            guard let unsigned = UInt64(exactly: number), type.holds(.uint(unsigned)) else { throw .outOfRange }
            return .uint(unsigned)
        case (.int, .uint(let number)), (.dint, .uint(let number)), (.lint, .uint(let number)):
            guard let signed = Int64(exactly: number), type.holds(.int(signed)) else { throw .outOfRange }
            return .int(signed)
        default:
            guard type.holds(whole) else { throw .outOfRange }
            return whole
        }
    }
}

/// How many lines of a log are passed on in a second.
private final class LogBudget: Sendable {
    private let state = Mutex((second: Int64(0), left: 0))
    private let maxLines: Int

    init(maxLines: Int) { self.maxLines = maxLines }

    func spend(now: MonotonicTime) -> Bool {
        state.withLock { state in
            let second = (now - .zero).wholeMilliseconds / 1000
            if second != state.second { state = (second, maxLines) }
            guard state.left > 0 else { return false }
            state.left -= 1
            return true
        }
    }
}
