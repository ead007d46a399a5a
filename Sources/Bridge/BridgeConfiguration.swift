public import Core
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

        public init(
            filter: TopicFilter, mapping: TopicMapping = .same, qos: QoS = .atLeastOnce, keepsRetain: Bool = true
        ) {
            self.filter = filter
            self.mapping = mapping
            self.qos = min(qos, .atLeastOnce)
            self.keepsRetain = keepsRetain
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

        public init(filter: TopicFilter, mapping: TopicMapping = .same, qos: QoS = .atLeastOnce) {
            self.filter = filter
            self.mapping = mapping
            self.qos = qos
        }
    }

    /// Names the bridge in logs, and its place in the cache.
    public var name: String
    /// Name or address of the upstream broker.
    public var host: String
    public var port: Int
    /// 3.1.1 or 5.0.
    public var version = ProtocolVersion.v5
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
    public var forwards: [Forward] = []
    public var receives: [Receive] = []

    public init(name: String, host: String, port: Int = 1883, clientIdentifier: String) {
        self.name = name
        self.host = host
        self.port = port
        self.clientIdentifier = clientIdentifier
    }
}
