public import Core

/// The broker's limits. Each says what happens at the limit.
public struct BrokerLimits: Sendable {
    /// Bytes of the largest packet taken; a larger one ends the connection with Packet too large.
    public var maximumPacketSize = 1 << 20
    /// Clients connected at once; one more is refused with Server busy.
    public var maximumConnections = 10_000
    /// QoS 1 and 2 messages unacknowledged towards one client; more wait in its queue.
    public var maximumInFlight = 256
    /// QoS 1 and 2 messages that wait for one session; the newest is dropped and counted.
    public var maximumQueuedMessages = 10_000
    /// Bytes of those; the newest is dropped and counted.
    public var maximumQueuedBytes = 16 << 20
    /// Bytes of messages that wait to be written to one connection; QoS 0 messages beyond it are dropped and counted.
    public var maximumOutboxBytes = 16 << 20
    /// Bytes of messages in all queues and outboxes together, a message counted in each; beyond it QoS 1 and 2 messages and
    /// new sessions are refused, and QoS 0 messages dropped.
    public var maximumWaitingBytes = 256 << 20
    /// Seconds that a session lives without connection at most; a longer interval is cut to it.
    public var maximumSessionExpiryInterval: UInt32 = 7 * 86_400
    /// Sessions kept, connected or not; one more is refused with Quota exceeded.
    public var maximumSessions = 50_000
    /// Subscriptions of one session; one more is answered with Quota exceeded.
    public var maximumSubscriptions = 1_000
    /// Retained messages; one more is refused with Quota exceeded where MQTT can say so, else delivered but not kept, and
    /// counted.
    public var maximumRetainedMessages = 100_000
    /// Bytes of those; as above.
    public var maximumRetainedBytes = 64 << 20
    /// Levels of a topic or filter; a deeper one is refused as invalid.
    public var maximumTopicLevels = 32
    /// Seconds of keep-alive at most for MQTT 5.0 clients (they are told); 0 for no bound.
    public var maximumKeepAlive: UInt16 = 0
    /// Changes that wait for the disk; while there are more, QoS 1 and 2 messages are refused with Quota exceeded.
    public var maximumPendingOperations = 200_000
    /// Bytes of messages that wait for the disk; as above.
    public var maximumPendingBytes = 64 << 20
    /// Topic aliases that an MQTT 5.0 client may set on its connection.
    public var topicAliasMaximum: UInt16 = 16
    /// Topic aliases that are used towards an MQTT 5.0 client that takes any.
    public var outboundTopicAliasMaximum: UInt16 = 64
    /// Messages unacknowledged from one client, our Receive Maximum.
    public var receiveMaximum: UInt16 = 1_000
    /// The highest QoS that clients publish with; a higher one ends the connection with QoS not supported.
    public var maximumQoS = QoS.exactlyOnce
    /// Whether clients may retain messages; if not, one that does is disconnected with Retain not supported.
    public var retainAvailable = true
    /// Whether filters may have wildcards; if not, an MQTT 5.0 client that uses one is disconnected with Wildcard
    /// subscriptions not supported, and an older one's subscription fails.
    public var wildcardSubscriptionAvailable = true
    /// Whether subscriptions may have identifiers; if not, a client that sends one is disconnected with Subscription
    /// identifiers not supported.
    public var subscriptionIdentifierAvailable = true
    /// Whether payloads that are said to be UTF-8 are looked at; one that is not is refused with Payload format invalid, or,
    /// of QoS 0, dropped and counted.
    public var checksPayloadFormat = true
    /// Response Information for clients that ask for it; `%c` in it stands for the client identifier. nil for none.
    public var responseTopicPrefix: String?
    /// Where clients are sent; nil for nowhere.
    public var redirection: Redirection?

    /// What is done with what needs the disk while that is full.
    public var whenDiskFull = DiskFullPolicy.refuse

    public init() {}
}
