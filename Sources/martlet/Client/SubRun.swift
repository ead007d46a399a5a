import Core
import MQTTClient
import MQTTCodec
import NIOCore

/// What `sub` asks for.
struct SubPlan {
    var filters: [String]
    var unsubscribed: [String] = []
    var options: SubscriptionOptions
    var subscriptionIdentifier: UInt32?
    /// Ends when all subscriptions are answered.
    var endsWhenSubscribed = false
    /// Ends with the first message that is not a retained one.
    var onlyRetained = false
    var timeout: Duration?
    var answerTimeout = Duration.seconds(10)
    var disconnect = DisconnectPacket()
}

/// A run of `sub`: connects, and connects again when the connection is lost, until it has what it wants. Belongs to the event
/// loop.
final class SubRun {
    private static let shortestWait = Duration.seconds(1)
    private static let longestWait = Duration.seconds(30)

    let plan: SubPlan
    private let packet: ConnectPacket
    private let endpoint: ClientEndpoint
    private let loop: any EventLoop
    private let log: ClientLog
    private let promise: EventLoopPromise<Void>
    private var reconnection: Reconnection
    private var connection: SubConnection?
    private(set) var isStopped = false
    private var hasBeenConnected = false
    private var granted = 0
    private var lastRefusal: String?

    var session = ClientSession(window: 1)
    var printer: MessagePrinter

    init(
        plan: SubPlan, packet: ConnectPacket, printer: MessagePrinter, to endpoint: ClientEndpoint, on loop: any EventLoop,
        log: ClientLog
    ) {
        self.plan = plan
        self.packet = packet
        self.printer = printer
        self.endpoint = endpoint
        self.loop = loop
        self.log = log
        promise = loop.makePromise()
        reconnection = Reconnection(
            seed: .random(in: 0...UInt64.max), shortestWait: SubRun.shortestWait, longestWait: SubRun.longestWait)
    }

    /// To be called on the event loop, once. Fails with ``ClientError``.
    func start() -> EventLoopFuture<Void> {
        connect()
        if let timeout = plan.timeout {
            loop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) { [self] in stop(.failure(.timeout)) }
        }
        return promise.futureResult
    }

    /// Ends the run.
    func stop(_ result: Result<Void, ClientError>) {
        guard !isStopped else { return }
        isStopped = true
        _ = printer.flush()
        let end: () -> Void = { [self] in promise.completeWith(result.mapError { $0 as any Error }) }
        if let connection, connection.isUp {
            connection.disconnectWhenWritten(plan.disconnect, end)
        } else {
            connection?.close(.stopped)
            end()
        }
    }

    // MARK: Connection

    private func connect() {
        guard !isStopped, reconnection.shouldConnect(now: SystemClock.monotonic()) else { return }
        let connection = SubConnection(packet: packet, answerTimeout: plan.answerTimeout, run: self)
        self.connection = connection
        endpoint.connect(connection, on: loop).assumeIsolated().whenFailure { [self] error in
            ended(.unreachable(ClientEndpoint.text(error)))
        }
    }

    func connected(_ packet: ConnackPacket) {
        hasBeenConnected = true
        reconnection.connected(now: SystemClock.monotonic())
        session.connected(packet, window: 1)
        granted = 0
        log.note("connected" + (packet.sessionPresent ? ", with the session of before" : ""))
    }

    func ended(_ failure: ConnectionFailure) {
        connection = nil
        guard !isStopped else { return }
        // Whoever cannot connect at first has probably mistyped something; later the broker is away for a while.
        guard hasBeenConnected, SubRun.isTransient(failure) else { return stop(.failure(.connection(failure))) }
        let now = SystemClock.monotonic()
        reconnection.failed(now: now)
        guard case .waiting(let until) = reconnection.state else { return }
        log.error("\(failure); connecting again in \((until - now).wholeMilliseconds / 1000 + 1) s")
        loop.assumeIsolated().scheduleTask(in: TimeAmount(until - now)) { [self] in connect() }
    }

    /// Whether it may be otherwise the next time.
    private static func isTransient(_ failure: ConnectionFailure) -> Bool {
        switch failure {
        case .unreachable, .noAnswer, .lost, .silent: true
        case .refused(let reason, _), .disconnected(let reason, _):
            [
                .serverUnavailable, .serverBusy, .serverShuttingDown, .keepAliveTimeout, .connectionRateExceeded,
                .quotaExceeded, .unspecifiedError, .administrativeAction, .maximumConnectTime, .messageRateTooHigh,
            ].contains(reason)
        case .invalid, .unsuitable, .stopped: false
        }
    }

    // MARK: What the connection reports

    /// A SUBACK or UNSUBACK.
    func granted(_ packet: SubackPacket, isUnsubscription: Bool) {
        guard let answers = session.answer(packet) else { return log.note("an answer to no request") }
        for (filter, reason) in answers {
            if reason.isError {
                lastRefusal = "\(filter): \(isUnsubscription ? "unsubscription" : "subscription") refused: \(reason)"
                log.error(lastRefusal ?? "")
            } else if isUnsubscription {
                log.note("unsubscribed from \(filter): \(reason)")
            } else {
                granted += 1
                log.note("subscribed to \(filter): " + (reason == .success ? "granted QoS 0 (0x00)" : "\(reason)"))
            }
        }
        answered()
    }

    /// Looks whether all requests are answered.
    func answered() {
        guard session.isSettled, !isStopped else { return }
        if granted == 0, !plan.filters.isEmpty, let lastRefusal { return stop(.failure(.refused("nothing is subscribed to: \(lastRefusal)"))) }
        if plan.endsWhenSubscribed || plan.filters.isEmpty { stop(.success(())) }
    }

    func received(_ message: ReceivedMessage) {
        if plan.onlyRetained, !message.retain {
            printer.remaining = 0
            return
        }
        _ = printer.add(message)
    }

    /// Writes what has come.
    func flush() {
        if !printer.flush() { stop(.success(())) }
    }

    /// Whether the run has what it wants.
    func checkEnd() {
        if printer.isDone { stop(.success(())) }
    }
}
