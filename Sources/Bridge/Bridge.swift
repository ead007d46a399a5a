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
//     local broker ──> ForwardingClient ──> BridgeLane ──> UpstreamConnection ──> PUBLISH
//          ▲                                 │     ▲               │
//          │                         batch, commit, read           ├── PUBACK: the lane forgets the message
//          │                                 └─────┘               │
//          └──────────── ReceivingClient <─────────────────────────┘   PUBLISH from upstream;
//                              └── outbox: PUBACK, when it is safe ──> back upstream
//
// What the receiving client published is not forwarded: its session number is the message's publisher. That holds for all
// routes together.

/// One bridge with its lane, its connection and its two clients in the local broker. Belongs to the event loop.
public final class Bridge {
    public internal(set) var configuration: BridgeConfiguration
    let broker: Broker
    let eventLoop: any EventLoop
    let environment: BridgeEnvironment
    let logger: Logger
    let seed: UInt64

    public internal(set) var lane: BridgeLane
    var reconnection: Reconnection
    var connection: UpstreamConnection<Bridge>?
    /// Counts attempts to connect, so that what comes of an abandoned one is recognised.
    var attempt: UInt64 = 0
    var isStopped = true
    var isPumping = false
    /// What CONNACK said of the RETAIN flag (MQTT 5.0 §3.2.2.3.5).
    var isRetainAvailable = true
    /// The upstream has our subscriptions of this run.
    var isSubscribed = false
    var lastFailure: UpstreamFailure?
    /// Makes a channel with the connection in its pipeline; tests put another in its place.
    var openChannel: (UpstreamConnection<Bridge>) -> EventLoopFuture<any Channel>

    lazy var forwarding = ForwardingClient(bridge: self)
    var receiving: ReceivingClient?
    /// What is owed upstream for what came from there, in the order in which it came.
    var owed = Deque<Owed>()
    /// Mapped topics are put together here, one place for each direction: the two may meet in one publish.
    var forwardedTopic: [UInt8] = []
    var receivedTopic: [UInt8] = []

    var counts = BridgeCounts()
    var laneStatus: LaneStatus?
    var rates = (at: MonotonicTime.zero, sent: UInt64(0), received: UInt64(0), sentPerSecond: 0.0, receivedPerSecond: 0.0)
    var lastSkippedTopic = ""
    /// The lane's statistics as of the last lines about losses.
    var logged = BridgeLaneStatistics()
    /// Lost by the cache since then.
    var lostByCache: [CacheLoss.Reason: Int64] = [:]
    var nextLossLine = MonotonicTime.zero

    /// An acknowledgement owed upstream.
    enum Owed {
        /// The receiving client's outbox will have it; to be sent if the connection is still this one.
        case byBroker(attempt: UInt64)
        /// Known already: it only waits for its turn.
        case known(PacketType, AcknowledgementPacket, attempt: UInt64)
    }

    /// - Parameters:
    ///   - laneStatus: the state of the lane ``laneName(_:)`` in the store; nil if the store has no such lane.
    ///   - seed: of the random part of the waits between connections.
    public init(
        configuration: BridgeConfiguration, laneStatus: LaneStatus?, broker: Broker, eventLoop: any EventLoop,
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
        self.laneStatus = laneStatus
        reconnection = Reconnection(
            seed: seed, shortestWait: configuration.reconnectInterval, longestWait: configuration.maximumBackOff)
        openChannel = { connection in
            UpstreamBootstrap.connect(configuration, connection, eventLoop: eventLoop, environment: environment)
        }
        var limits = BridgeLane.Limits()
        limits.maximumInFlight = Bridge.maximumInFlight(configuration)
        lane = BridgeLane(
            name: Bridge.laneName(configuration.name), limits: limits, lastSequence: laneStatus?.lastSequence ?? 0,
            acknowledgedSequence: laneStatus?.acknowledgedSequence ?? 0)
    }

    /// What the lane of a bridge is called in the store.
    public static func laneName(_ bridge: String) -> String { bridge }

    /// Subscribes in the local broker and begins to connect. Sessions have been restored before.
    ///
    /// A lane that never had a message takes what is retained too; afterwards it has seen every change.
    public func start() {
        guard isStopped else { return }
        isStopped = false
        let now = environment.monotonicTime()
        broker.attach(forwarding, identifier: "$bridge/\(configuration.name)/forward")
        attachReceiving()
        for route in configuration.forwards {
            broker.subscribe(
                forwarding, filter: route.filter,
                options: SubscriptionOptions(
                    qos: .exactlyOnce, retainAsPublished: true,
                    retainHandling: lane.lastSequence == 0 ? .sendAtSubscribe : .doNotSend),
                now: now, wall: environment.wallTime())
        }
        tick()
        environment.scheduleTurn()
    }

    /// Ends the connection and leaves the local broker. What has not arrived stays in the cache.
    public func stop() {
        guard !isStopped else { return }
        isStopped = true
        attempt += 1
        connection?.disconnect()
        connection = nil
        lane.disconnected()
        reconnection.stop()
        let now = environment.monotonicTime()
        let wall = environment.wallTime()
        broker.connectionLost(forwarding, now: now, wall: wall)
        if let receiving { broker.connectionLost(receiving, now: now, wall: wall) }
        receiving = nil
        forwarding = ForwardingClient(bridge: self)
    }

    /// To be called about once a second: connects when it is time, and gives up a connection that is of no use.
    public func tick() {
        guard !isStopped else { return }
        let now = environment.monotonicTime()
        if lane.isStalled(now: now) { connection?.close(.stalled) }
        if reconnection.shouldConnect(now: now) { connect() }
        measure(now)
        logLosses(now)
        pump()
        if needsBatch { environment.scheduleTurn() }
    }

    // MARK: Batches

    /// Whether something waits to be stored, even if it is only an acknowledgement that has waited long enough.
    public var needsBatch: Bool {
        lane.hasAppends || lane.acknowledgementIsDue(now: environment.monotonicTime())
    }

    /// What the bridge puts into a batch that is closed now; nil for nothing.
    public func takeBatch(_ number: Int64) -> (append: LaneAppend?, acknowledgement: LaneAcknowledgement?)? {
        lane.takeBatch(number, now: environment.monotonicTime())
    }

    /// The batch with this number, and all before it, are on disk.
    ///
    /// - Parameters:
    ///   - losses: ``CacheReport/losses`` of the commit.
    ///   - lanes: ``CommitReport/lanes``.
    public func committed(_ number: Int64, losses: [CacheLoss], lanes: [LaneStatus]) {
        var refused: Int64 = 0
        var dropped: Int64 = 0
        for loss in losses where loss.lane == lane.name {
            if loss.reason == .refused { refused += loss.messages } else { dropped += loss.messages }
            lostByCache[loss.reason, default: 0] += loss.messages
        }
        if let status = lanes.first(where: { $0.lane == lane.name }) { laneStatus = status }
        lane.committed(number, refused: refused, dropped: dropped)
        pump()
    }

    /// The batch under way is not on disk; what it held is given again with the next one.
    public func commitFailed() { lane.commitFailed() }

    // MARK: Status

    public var status: BridgeStatus {
        BridgeStatus(
            name: configuration.name, state: reconnection.state, lastError: lastFailure?.description,
            messages: lane.depth, bytes: laneStatus?.bytes ?? 0,
            oldestPublishedAt: lane.depth > 0 ? laneStatus?.oldestPublishedAt : nil, sentPerSecond: rates.sentPerSecond,
            receivedPerSecond: rates.receivedPerSecond, lane: lane.statistics, counts: counts)
    }

    private func measure(_ now: MonotonicTime) {
        let nanoseconds = (now - rates.at).wholeNanoseconds
        guard nanoseconds >= 500_000_000 else { return }
        let seconds = Double(nanoseconds) / 1e9
        let sent = lane.statistics.sent
        rates = (
            now, sent, counts.received, Double(sent &- rates.sent) / seconds,
            Double(counts.received &- rates.received) / seconds
        )
    }

    /// What was lost since the last time, at most once a minute: a cache that is full loses something with every commit.
    private func logLosses(_ now: MonotonicTime) {
        guard now >= nextLossLine else { return }
        let before = logged
        logged = lane.statistics
        let skipped = logged.refused &- before.refused
        let tooLarge = logged.tooLarge &- before.tooLarge
        let overflowed = logged.overflowed &- before.overflowed
        guard skipped > 0 || tooLarge > 0 || overflowed > 0 || !lostByCache.isEmpty else { return }
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
        for (reason, messages) in lostByCache.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            logger.warning("cache lost messages", metadata: ["messages": "\(messages)", "reason": "\(reason.rawValue)"])
        }
        lostByCache.removeAll()
    }
}
