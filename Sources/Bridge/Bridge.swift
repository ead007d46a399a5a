public import Broker
import Core
import DequeModule
public import Logging
import MQTTClient
import MQTTCodec
public import NIOCore
public import Store

// A bridge between the local broker and one upstream.
//
//     local broker ──> ForwardingClient ──> BridgeRoute: lanes ──> form ──> UpstreamConnection ──> PUBLISH
//          ▲                                 │     ▲               or none         │
//          │                         batch, commit, read                           ├── PUBACK: the lane forgets the message
//          │                                 └─────┘                               │
//          └──────────── ReceivingClient <─────────────────────────────────────────┘   PUBLISH from upstream;
//                              └── outbox: PUBACK, when it is safe ──> back upstream
//
// What the receiving client published is not forwarded: its session number is the message's publisher. That holds for all
// routes together.

/// One bridge with its routes, its connection and its two clients in the local broker. Belongs to the event loop.
public final class Bridge {
    public internal(set) var configuration: BridgeConfiguration
    let broker: Broker
    let eventLoop: any EventLoop
    let environment: BridgeEnvironment
    let logger: Logger
    let seed: UInt64

    /// By priority, the greatest first.
    public internal(set) var routes: [BridgeRoute]
    /// Nobody configures them any more, and all that they held has arrived.
    var leaving: [LeavingRoute] = []
    /// What routes that are gone have counted.
    var pastStatistics = BridgeLaneStatistics()
    /// What they have skipped since ``takeSkipped()``, by priority.
    var pastSkipped: [Int: SkippedMessages] = [:]
    /// What the upstream expects beside MQTT; nil for nothing.
    public internal(set) var form: UpstreamForm?
    var reconnection: Reconnection
    var connection: UpstreamConnection<Bridge>?
    /// Looks at the first server while the bridge is at another; nil when nothing is looked at.
    var probe: ServerProbe?
    var upstream: UpstreamState
    /// Counts attempts to connect, so that what comes of an abandoned one is recognised.
    var attempt: UInt64 = 0
    var isStopped = true
    var isPumping = false
    /// What CONNACK said of the connection.
    var link: BridgeLane.Link?
    var backfillMeter = BackfillMeter()
    /// Looks for messages over which the upstream ends the connection.
    var refusals = RefusalSearch()
    var sentMessage = SentMessage()
    var timeCorrection = TimeCorrection()
    /// Pumps again before anything happens: a rate allows more by then, or a batch has waited long enough.
    var pumpTimer: Scheduled<Void>?
    var lingerUntil: MonotonicTime?
    /// The form may send: its subscriptions have been taken.
    var hasFormStarted = false
    /// Packet identifiers of a form's own PUBLISHes.
    var formInFlight: Set<UInt16> = []
    /// What a form has subscribed to since its start on this connection.
    var formSubscriptions = FormSubscriptions()
    var formWarnings: [String: MonotonicTime] = [:]
    /// What CONNACK said of the RETAIN flag (MQTT 5.0 §3.2.2.3.5).
    var isRetainAvailable = true
    /// The upstream has our subscriptions of this run.
    var isSubscribed = false
    var lastFailure: (failure: UpstreamFailure, at: MonotonicTime)?
    /// Makes a channel with the connection in its pipeline; tests put another in its place.
    var openChannel: (ClientConnection, ClientEndpoint) -> EventLoopFuture<any Channel>
    /// Whether a server's port takes a connection, which is closed again; for a bridge with a form.
    var openProbe: (ClientTransport) -> EventLoopFuture<Void>

    lazy var forwarding = ForwardingClient(bridge: self)
    var receiving: ReceivingClient?
    /// Takes the answers of local devices to the upstream's commands; nil if the form asks for none.
    var answers: AnswerClient?
    /// What is owed upstream for what came from there, in the order in which it came.
    var owed = Deque<Owed>()
    /// Mapped topics are put together here, one place for each direction: the two may meet in one publish.
    var forwardedTopic: [UInt8] = []
    var receivedTopic: [UInt8] = []

    var counts = BridgeCounts()
    /// The lanes of the routes on disk, as of the last commit.
    var stored: [LaneStatus]
    /// Priorities whose publishers are refused now.
    var fullPriorities: Set<Int> = []
    var rates = (at: MonotonicTime.zero, sent: UInt64(0), received: UInt64(0), sentPerSecond: 0.0, receivedPerSecond: 0.0)
    var lastSkippedTopic = ""
    /// The time of the last report of losses.
    var lastReport = Timestamp(milliseconds: 0)
    /// The lane's statistics as of the last lines about losses.
    var logged = BridgeLaneStatistics()
    var nextLossLine = MonotonicTime.zero

    /// An acknowledgement owed upstream.
    enum Owed {
        /// The receiving client's outbox will have it; to be sent if the connection is still this one.
        case byBroker(attempt: UInt64)
        /// Known already: it only waits for its turn.
        case known(PacketType, AcknowledgementPacket, attempt: UInt64)
    }

    /// - Parameters:
    ///   - stored: the state of all lanes in the store; those of other bridges are left alone.
    ///   - seed: of the random part of the waits between connections.
    public init(
        configuration: BridgeConfiguration, stored: [LaneStatus], broker: Broker, eventLoop: any EventLoop,
        environment: BridgeEnvironment, logger: Logger, seed: UInt64
    ) {
        self.configuration = configuration
        self.broker = broker
        self.eventLoop = eventLoop
        self.environment = environment
        var logger = logger
        logger[metadataKey: "bridge"] = "\(configuration.name)"
        self.logger = logger
        self.seed = seed
        self.stored = stored.filter { LaneName($0.lane)?.bridge == configuration.name }
        reconnection = Reconnection(
            seed: seed, shortestWait: configuration.reconnectInterval, longestWait: configuration.maximumBackOff)
        upstream = UpstreamState(configuration)
        openChannel = { connection, endpoint in endpoint.connect(connection, on: eventLoop) }
        openProbe = { server in server.endpoint(nil).probe(on: eventLoop) }
        routes = []
        form = makeForm()
        makeRoutes()
    }

    /// Subscribes in the local broker and begins to connect. Sessions have been restored before.
    ///
    /// A route that never had a message takes what is retained too; afterwards it has seen every change.
    public func start() {
        guard isStopped else { return }
        isStopped = false
        fullPriorities = findFull()
        let now = environment.monotonicTime()
        broker.attach(forwarding, identifier: "$bridge/\(configuration.name)/forward")
        for forward in configuration.forwards {
            broker.subscribe(
                forwarding, filter: forward.filter,
                options: SubscriptionOptions(
                    qos: .exactlyOnce, retainAsPublished: true,
                    retainHandling: forward.sendsRetained && route(of: forward).lastSequence == 0 ? .sendAtSubscribe : .doNotSend),
                now: now, wall: environment.wallTime())
        }
        listenForAnswers()
        tick()
        environment.scheduleTurn()
    }

    /// Ends the connection and leaves the local broker. What has not arrived stays in the cache.
    public func stop() {
        guard !isStopped else { return }
        isStopped = true
        attempt += 1
        leaveUpstream()
        probe?.close(.stopped)
        probe = nil
        connectionLost()
        reconnection.stop()
        let now = environment.monotonicTime()
        let wall = environment.wallTime()
        broker.connectionLost(forwarding, now: now, wall: wall)
        if let receiving { broker.connectionLost(receiving, now: now, wall: wall) }
        receiving = nil
        forwarding = ForwardingClient(bridge: self)
        if let answers { broker.connectionLost(answers, now: now, wall: wall) }
        answers = nil
    }

    /// To be called about once a second: connects when it is time, and gives up a connection that is of no use.
    public func tick() {
        guard !isStopped else { return }
        let now = environment.monotonicTime()
        if routes.contains(where: { $0.lanes.contains { $0.isStalled(now: now) } }) { connection?.close(.stalled) }
        if reconnection.shouldConnect(now: now) { connect() }
        probeFirst(now: now)
        if let form { carryOut(form.tick(now: moment)) }
        if let link { for index in routes.indices { routes[index].sealIfBehind(link, now: now) } }
        measure(now)
        logLosses(now)
        pump()
        if needsBatch { environment.scheduleTurn() }
    }

    // MARK: Batches

    /// Whether something waits to be stored, even if it is only an acknowledgement that has waited long enough.
    public var needsBatch: Bool {
        let now = environment.monotonicTime()
        return routes.contains { $0.needsBatch(now: now) } || leaving.contains { $0.batch == nil }
    }

    /// Whether so much waits for the disk that publishers are to be held back.
    public var isBehind: Bool {
        routes.reduce(0) { $0 + $1.uncommittedBytes } > BridgeLane.Limits.uncommittedBytes / 2
    }

    /// Whether publishers are to be refused because the cache has no room for what they publish.
    public var isFull: Bool { !fullPriorities.isEmpty }

    /// What the bridge puts into a batch that is closed now.
    public func takeBatch(_ number: Int64) -> BridgeRoute.Batch {
        let now = environment.monotonicTime()
        var batch = BridgeRoute.Batch()
        for index in routes.indices {
            let part = routes[index].takeBatch(number, now: now)
            batch.appends += part.appends
            batch.acknowledgements += part.acknowledgements
            batch.removals += part.removals
        }
        batch.removals += takeRemovals(number)
        return batch
    }

    /// The batch with this number, and all before it, are on disk.
    ///
    /// - Parameters:
    ///   - losses: ``CacheReport/losses`` of the commit.
    ///   - lanes: ``CommitReport/lanes``; nil if nothing had to be stored.
    public func committed(_ number: Int64, losses: [CacheLoss], lanes: [LaneStatus]?) {
        let now = environment.monotonicTime()
        if let lanes { update(lanes) }
        let isTimeKnown = environment.isTimeKnown()
        for index in routes.indices {
            routes[index].committed(number, losses: losses, isTimeKnown: isTimeKnown, now: now)
        }
        removed(number)
        dropUnusedRoutes()
        pump()
    }

    /// The batch under way is not on disk; what it held is given again with the next one.
    public func commitFailed() {
        for index in routes.indices { routes[index].commitFailed() }
        for index in leaving.indices { leaving[index].batch = nil }
    }

    // MARK: Status

    /// What its routes have counted together.
    public var statistics: BridgeLaneStatistics {
        let sum = leaving.reduce(into: pastStatistics) { $0 += $1.route.statistics }
        return routes.reduce(into: sum) { $0 += $1.statistics }
    }

    /// Messages that have not arrived upstream.
    var waitingMessages: Int64 { routes.reduce(0) { $0 + $1.waitingMessages(stored: stored) } }

    public var status: BridgeStatus {
        let messages = waitingMessages
        let oldest = stored.filter { $0.messages > 0 }.compactMap(\.oldestPublishedAt).min()
        return BridgeStatus(
            name: configuration.name, state: reconnection.state, lastError: lastFailure?.failure.description, lastErrorAt: lastFailure?.at,
            messages: messages, bytes: stored.reduce(0) { $0 + $1.bytes }, oldestPublishedAt: messages > 0 ? oldest : nil,
            sentPerSecond: rates.sentPerSecond, receivedPerSecond: rates.receivedPerSecond, lane: statistics, counts: counts,
            routes: routes.map { route in
                let lanes = stored.filter { route.owns($0.lane) }
                let messages = route.waitingMessages(stored: stored)
                return BridgeStatus.Route(
                    priority: route.priority, messages: messages, bytes: lanes.reduce(0) { $0 + $1.bytes },
                    oldestPublishedAt: messages > 0 ? lanes.filter { $0.messages > 0 }.compactMap(\.oldestPublishedAt).min() : nil,
                    isBackfilling: route.isBackfilling)
            })
    }

    private func measure(_ now: MonotonicTime) {
        let nanoseconds = (now - rates.at).wholeNanoseconds
        guard nanoseconds >= 500_000_000 else { return }
        let seconds = Double(nanoseconds) / 1e9
        let sent = statistics.sent
        rates = (
            now, sent, counts.received, Double(sent &- rates.sent) / seconds,
            Double(counts.received &- rates.received) / seconds
        )
    }

    /// What was lost since the last time, at most once a minute: a cache that is full loses something with every commit.
    private func logLosses(_ now: MonotonicTime) {
        guard now >= nextLossLine else { return }
        let before = logged
        logged = statistics
        let skipped = logged.refused &- before.refused
        let tooLarge = logged.tooLarge &- before.tooLarge
        let overflowed = logged.overflowed &- before.overflowed
        guard skipped > 0 || tooLarge > 0 || overflowed > 0 else { return }
        nextLossLine = now + .seconds(60)
        if skipped > 0 {
            logger.warning(
                "upstream refuses messages; they are skipped",
                metadata: ["messages": "\(skipped)", "last-topic": "\(lastSkippedTopic)"])
        }
        if tooLarge > 0 {
            logger.warning(
                "messages are larger than the upstream takes; they are skipped", metadata: ["messages": "\(tooLarge)"])
        }
        if overflowed > 0 {
            logger.error("the disk cannot keep up; messages are lost", metadata: ["messages": "\(overflowed)"])
        }
    }
}
