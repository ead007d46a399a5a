public import Core
public import MQTTClient
public import MQTTCodec

/// One bridge: where the upstream is, and what goes there and comes from there.
public struct BridgeConfiguration: Sendable, Equatable {
    /// Local topics that go upstream.
    public struct Forward: Sendable, Equatable {
        /// Which messages.
        public var filter: TopicFilter
        /// What their topics are called upstream.
        public var mapping: TopicMapping
        /// How they are sent. 2 counts as 1: the cache promises that a message arrives, not that it does so once.
        public var qos: QoS
        /// Whether the retain flag goes with the message; otherwise it is cleared.
        public var keepsRetain: Bool
        /// Whether what is retained here goes up when the bridge starts and its route has never had a message.
        public var sendsRetained = true
        /// 0…9: of the route that the messages go by. The greater is sent first, and dropped last.
        public var priority: Int

        public init(
            filter: TopicFilter, mapping: TopicMapping = .same, qos: QoS = .atLeastOnce, keepsRetain: Bool = true,
            priority: Int = RouteName.defaultPriority
        ) {
            self.filter = filter
            self.mapping = mapping
            self.qos = min(qos, .atLeastOnce)
            self.keepsRetain = keepsRetain
            self.priority = min(max(0, priority), 9)
        }
    }

    /// Upstream topics that come in.
    public struct Receive: Sendable, Equatable {
        /// What is subscribed to upstream.
        public var filter: TopicFilter
        /// What the topics are called here.
        public var mapping: TopicMapping
        /// The highest quality of service asked for.
        public var qos: QoS
        /// Whether the retain flag comes with the message; otherwise it is cleared, and nothing is retained here.
        public var keepsRetain: Bool

        public init(
            filter: TopicFilter, mapping: TopicMapping = .same, qos: QoS = .atLeastOnce, keepsRetain: Bool = true
        ) {
            self.filter = filter
            self.mapping = mapping
            self.qos = qos
            self.keepsRetain = keepsRetain
        }
    }

    /// How what has waited for a connection is sent, and how it is marked.
    public struct Backfill: Sendable, Equatable {
        /// Messages per second; nil for as many as the upstream takes.
        public var messagesPerSecond: Int?
        /// Bytes of topic and payload per second; nil for no limit.
        public var bytesPerSecond: Int?
        /// What its topics are called, made from what they are called otherwise; nil for the same.
        public var mapping: TopicMapping?
        /// Whether every message has user properties with its time and its number, and back-fill one that says so (MQTT 5.0).
        public var marks = false

        public init() {}
    }

    /// When a form makes a PUBLISH of what waits: as soon as one of the first two is reached, or the third has passed.
    public struct Batching: Sendable, Equatable {
        /// Messages, 1…3,000.
        public var maximumCount = 100
        /// Bytes of topics and payloads.
        public var maximumBytes = 64 << 10
        /// How long the first message may wait for others; zero for not at all.
        public var maximumAge = Duration.zero

        public init() {}
    }

    /// Makes a bridge's form; two are equal when they make the same.
    public struct FormFactory: Sendable, Equatable {
        /// All that the form is made from, as text.
        public let settings: String
        public let make: @Sendable () -> UpstreamForm

        public init(settings: String, make: @escaping @Sendable () -> UpstreamForm) {
            self.settings = settings
            self.make = make
        }

        public static func == (one: FormFactory, other: FormFactory) -> Bool { one.settings == other.settings }
    }

    /// What is said upstream of the bridge itself.
    public struct Announcement: Sendable, Equatable {
        /// The name that it has upstream.
        public var topic: String
        public var payload: [UInt8]
        public var qos: QoS
        public var retain: Bool

        public init(topic: String, payload: [UInt8], qos: QoS = .atLeastOnce, retain: Bool = false) {
            self.topic = topic
            self.payload = payload
            self.qos = qos
            self.retain = retain
        }
    }

    /// Names the bridge in logs, and its place in the cache.
    public var name: String
    /// The upstream brokers, never none: the first is the one to be at, the others are tried in this order when it does not
    /// answer. Their certificates and keys are read at every connect, so that renewed ones need no restart.
    public var servers: [ClientTransport]
    /// How long the bridge stays at a further server before it looks whether the first answers again; nil for never.
    public var returnToFirst: Duration? = .seconds(600)
    /// 3.1.1 or 5.0.
    public var version = ProtocolVersion.v5
    /// Before MQTT 5.0, and without a form: whether the upstream is told that this is a bridge, to which it must not send back
    /// what it sent.
    public var usesBridgeBit = true
    public var clientIdentifier: String
    public var userName: String?
    /// Read at every connect, so that a changed password needs no restart. One line end at the end is taken off.
    public var passwordFile: String?
    /// Seconds, 5…65,535. A link on which nothing arrives for this long, asked or not, is given up.
    public var keepAlive: UInt16 = 60
    /// Time for the TCP connection, and again for the answer to CONNECT.
    public var connectTimeout: Duration = .seconds(10)
    /// The first wait after a connection that failed or ended; see ``Reconnection``.
    public var reconnectInterval: Duration = .seconds(1)
    /// The longest such wait.
    public var maximumBackOff: Duration = .seconds(120)
    /// Seconds that the upstream is asked to keep our subscriptions and what arrives for them while we are away; MQTT 5.0.
    public var sessionExpiryInterval: UInt32 = 7 * 86_400
    /// Messages unacknowledged towards the upstream, 1…65,535; less if its Receive Maximum is less.
    public var maximumInFlight = 100
    /// Messages that the upstream may have unacknowledged towards us, our Receive Maximum.
    public var receiveMaximum: UInt16 = 100
    /// Bytes of the largest packet taken from the upstream.
    public var maximumPacketSize = 1 << 20
    /// Whether what has waited for a connection is sent before or behind what is published now.
    public var order = BridgeRoute.Order.liveFirst
    /// How fast what has waited is sent.
    public var backfill = Backfill()
    /// What the upstream expects beside MQTT; nil for nothing.
    public var form: FormFactory?
    /// How many messages a form may put into one PUBLISH, and how long it may wait for them.
    public var batching = Batching()
    /// Published upstream each time that the bridge has come; QoS 2 counts as 1.
    public var birth: Announcement?
    /// Published by the upstream when the bridge is lost, and by the bridge before it leaves.
    public var will: Announcement?
    public var forwards: [Forward] = []
    /// Priorities whose publishers are refused when the cache has no more room for them.
    public var refusing: Set<Int> = []
    public var receives: [Receive] = []

    public init(name: String, host: String, port: Int? = nil, clientIdentifier: String) {
        self.name = name
        servers = [ClientTransport(host: host, port: port)]
        self.clientIdentifier = clientIdentifier
    }
}
