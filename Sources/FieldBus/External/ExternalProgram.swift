import Core

// The life of a program:
//
//     start ──▶ describe ──▶ configure ──▶ configured ──▶ polled, or sending by itself ──▶ ended
//       ▲                                                                                    │
//       └────────────── after a wait that doubles: 1 s, 2 s … max-back-off ◀─────────────────┘

/// A program as the line of a ``PolledBus``. While it is waited for, writes go to it too.
final class ExternalProgram: BusLine {
    /// How long a program may take to say what it is.
    static let startTimeout = Duration.seconds(10)
    /// A polled program that leaves so many requests unanswered, for so long, is started again.
    static let maxUnanswered = 5
    static let maxSilence = Duration.seconds(60)
    /// Lines of a program's log that are passed on in a second.
    static let maxLogLines = 10

    struct Failure: BusLineFailure {
        var reason: QualityReason
        var detail: String
        var isLine = false
    }

    private let bus: ExternalBus
    private let record: BusRecord
    private let groups: [[(interval: Duration, points: [ExternalPoint])]]
    private let tracer = Tracer()
    private var connection: ExternalConnection?
    private var isPolled = false
    private var reconnection: Reconnection
    /// When the program last answered a request, and how many it has left unanswered since.
    private var lastSign = MonotonicTime.zero
    private var unansweredSince = 0

    init(bus: ExternalBus, record: BusRecord) {
        self.bus = bus
        self.record = record
        groups = bus.devices.map(\.groups)
        reconnection = Reconnection(
            seed: UInt64.random(in: 0...UInt64.max), shortestWait: min(.seconds(1), bus.maxBackOff), longestWait: bus.maxBackOff)
    }

    var devices: [BusLineDevice] {
        zip(bus.devices, groups).map { device, groups in
            BusLineDevice(
                identifier: device.identifier, intervals: groups.map(\.interval), responseTimeout: bus.timeout,
                retries: bus.retries)
        }
    }

    func points(of device: Int) -> [String] { bus.devices[device].points.map(\.identifier) }

    func trace(_ receive: (@Sendable (TracedExchange) -> Void)?) { tracer.set(receive) }

    // MARK: The program

    /// How soon it shows that the process has ended.
    var longestWait: Duration { .milliseconds(200) }

    nonisolated(nonsending) func tend() async -> BusLineState {
        guard let connection else { return await start() }
        connection.checkProcess()
        var problem = connection.ended
        if unansweredSince >= ExternalProgram.maxUnanswered,
            SystemClock.monotonic() - lastSign >= ExternalProgram.maxSilence
        {
            problem = "it answered nothing for \(ExternalProgram.maxSilence)"
        }
        guard let problem else { return .up(isAsked: isPolled) }
        close()
        return failed(problem)
    }

    private func failed(_ problem: String) -> BusLineState {
        let now = SystemClock.monotonic()
        reconnection.failed(now: now)
        guard case .waiting(let until) = reconnection.state else { return .down(detail: problem) }
        return .down(detail: problem, again: until - now)
    }

    /// Starts the program when it is time to.
    private nonisolated(nonsending) func start() async -> BusLineState {
        guard reconnection.shouldConnect(now: SystemClock.monotonic()) else { return .down(detail: nil) }
        do throws(Failure) {
            let connection = try connect()
            do throws(Failure) {
                isPolled = try await introduce(connection).isPolled
            } catch {
                connection.stop()
                throw error
            }
            self.connection = connection
        } catch {
            return failed(error.detail)
        }
        let now = SystemClock.monotonic()
        reconnection.connected(now: now)
        lastSign = now
        unansweredSince = 0
        record.lineIsUp()
        return .up(isAsked: isPolled)
    }

    private func connect() throws(Failure) -> ExternalConnection {
        let record = record
        let log = LogBudget(maxLines: ExternalProgram.maxLogLines)
        let indices = Dictionary(bus.devices.enumerated().map { ($1.identifier, $0) }) { first, _ in first }
        do throws(FieldBusError) {
            return try ExternalConnection(bus.peer, decoder: ExternalDecoder(bus.devices), name: bus.name, tracer: tracer) { message in
                switch message {
                case .samples(let reading):
                    guard let device = indices[reading.device], !reading.samples.isEmpty else { return }
                    record.heard(reading.samples, of: device)
                case .log(let text):
                    if log.spend(now: SystemClock.monotonic()) { record.say(.said(text)) }
                default:
                    break
                }
            }
        } catch {
            throw Failure(reason: .notConnected, detail: error.description, isLine: true)
        }
    }

    /// - Throws: why the program cannot be used.
    private nonisolated(nonsending) func introduce(
        _ connection: ExternalConnection
    ) async throws(Failure) -> ExternalMessage.Description {
        func failure(_ detail: String) -> Failure {
            Failure(reason: .notConnected, detail: connection.ended ?? detail, isLine: true)
        }
        let limit = ExternalProgram.startTimeout
        let first = await connection.answer(to: ExternalConnection.describing, timeout: limit)
        guard case .describe(let description)? = first else {
            throw failure("it did not describe itself within \(limit); does it flush its output?")
        }
        guard connection.send(ExternalLine.configure(bus), timeout: bus.timeout) else {
            throw failure("it does not take its configuration")
        }
        let second = await connection.answer(to: ExternalConnection.configuring, timeout: limit)
        guard case .configured(let error)? = second else {
            throw failure("it did not say that it is configured within \(limit)")
        }
        if let error {
            throw Failure(reason: .notConnected, detail: "it refuses its configuration: \(error)", isLine: true)
        }
        return description
    }

    func close() {
        connection?.stop()
        connection = nil
    }

    // MARK: Values

    nonisolated(nonsending) func poll(device: Int, group: Int) async throws(Failure) -> PollStep {
        .finished(try await read(device, group: group))
    }

    nonisolated(nonsending) func probe(device: Int) async throws(Failure) -> [Sample] {
        groups[device].isEmpty ? [] : try await read(device, group: 0)
    }

    private nonisolated(nonsending) func read(_ device: Int, group: Int) async throws(Failure) -> [Sample] {
        guard let connection else { throw Failure(reason: .notConnected, detail: "the program does not run", isLine: true) }
        let started = SystemClock.monotonic()
        do throws(Failure) {
            let reading = try await answer(connection, device, group: group)
            let time = SystemClock.monotonic() - started
            record.requested(device, .answered(after: time), spent: time, reading: reading)
            return reading
        } catch {
            record.requested(device, .unanswered, spent: SystemClock.monotonic() - started)
            throw error
        }
    }

    private nonisolated(nonsending) func answer(
        _ connection: ExternalConnection, _ device: Int, group: Int
    ) async throws(Failure) -> [Sample] {
        let identifier = connection.nextIdentifier()
        let points = groups[device][group].points.map(\.identifier)
        let line = ExternalLine.read(identifier, bus.devices[device].identifier, points: points)
        guard connection.send(line, timeout: bus.timeout) else {
            connection.forget(identifier)
            throw Failure(reason: .timeout, detail: "the program takes no more lines")
        }
        switch await connection.answer(to: identifier, timeout: bus.timeout) {
        case .values(_, let reading) where reading.device == bus.devices[device].identifier:
            noteSign()
            return completed(reading.samples, points)
        case .values:
            throw Failure(reason: .badResponse, detail: "it answered for another device")
        case .failed(_, let reason, let detail):
            noteSign()
            throw Failure(reason: reason, detail: detail)
        default:
            if let ended = connection.ended { throw Failure(reason: .notConnected, detail: ended, isLine: true) }
            unansweredSince += 1
            throw Failure(reason: .timeout, detail: "no answer in time")
        }
    }

    private func noteSign() {
        lastSign = SystemClock.monotonic()
        unansweredSince = 0
    }

    /// The samples with a bad one for each point that was asked for and is not among them.
    private func completed(_ samples: [Sample], _ points: [String]) -> [Sample] {
        let present = Set(samples.map(\.point))
        let time = SystemClock.wall()
        return samples + points.filter { !present.contains($0) }.map {
            Sample(point: $0, value: nil, quality: .bad(.badResponse), time: time)
        }
    }

    // MARK: Writes

    func write(of value: PointValue, device: Int) -> PreparedWrite<PointValue> {
        guard let point = bus.devices[device].points.first(where: { $0.identifier == value.point }) else {
            return .refused(.unknownPoint)
        }
        guard point.writable else { return .refused(.readOnly) }
        do throws(EncodeFailure) {
            return .ready(PointValue(point: value.point, value: try point.raw(of: value.value)))
        } catch {
            return .refused(error == .typeMismatch ? .typeMismatch(expected: point.type) : .outOfRange)
        }
    }

    nonisolated(nonsending) func write(_ writes: [PointValue], device: Int, isDead: Bool) async -> WriteReport<Failure> {
        var report = WriteReport<Failure>()
        func all(_ outcome: WriteOutcome) { report.outcomes = writes.map { _ in outcome } }
        guard let connection, connection.ended == nil else {
            all(.failed(.notConnected))
            return report
        }
        let identifier = connection.nextIdentifier()
        let line = ExternalLine.write(identifier, bus.devices[device].identifier, values: writes)
        guard connection.send(line, timeout: bus.timeout) else {
            connection.forget(identifier)
            all(.failed(.timeout))
            return report
        }
        switch await connection.answer(to: identifier, timeout: bus.timeout) {
        case .written(_, let outcomes):
            noteSign()
            report.outcomes = writes.map { outcomes[$0.point] ?? .failed(.badResponse) }
            report.didAnswer = report.outcomes.contains(.written)
        case .failed(_, let reason, _): all(.failed(reason))
        default:
            if connection.ended == nil { unansweredSince += 1 }
            all(.failed(connection.ended == nil ? .timeout : .notConnected))
        }
        return report
    }
}
