public import Core

/// What of a session outlives a restart.
public struct StoredSession: Sendable, Hashable {
    /// The broker's number of the session; never used for another one.
    public var number: Int64
    public var clientIdentifier: String
    /// Session Expiry Interval (MQTT 5.0 §3.1.2.11.2) in seconds; `.max` for a session that never expires.
    public var expiryInterval: UInt32
    /// When the client went away; nil while it is connected.
    public var disconnectedAt: Timestamp?
    /// What is published when the connection is lost; nil if there is none, or none any more.
    public var will: StoredWill?

    public init(
        number: Int64, clientIdentifier: String, expiryInterval: UInt32, disconnectedAt: Timestamp?,
        will: StoredWill? = nil
    ) {
        self.number = number
        self.clientIdentifier = clientIdentifier
        self.expiryInterval = expiryInterval
        self.disconnectedAt = disconnectedAt
        self.will = will
    }
}

/// The will of a stored session. One that is still there after the client went away is delayed: it is due when the
/// delay, or the session, has passed since then.
public struct StoredWill: Sendable, Hashable {
    public var topic: String
    public var payload: [UInt8]
    public var qos: QoS
    public var retain: Bool
    /// Encoded MQTT 5.0 properties to forward, without their length.
    public var properties: [UInt8]
    /// Will Delay Interval (MQTT 5.0 §3.1.3.2.2) in seconds.
    public var delayInterval: UInt32
    /// Message Expiry Interval in seconds, which begins when the will is published; nil for never.
    public var messageExpiryInterval: UInt32?

    public init(
        topic: String, payload: [UInt8], qos: QoS, retain: Bool, properties: [UInt8] = [], delayInterval: UInt32 = 0,
        messageExpiryInterval: UInt32? = nil
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
        self.delayInterval = delayInterval
        self.messageExpiryInterval = messageExpiryInterval
    }
}

/// A subscription of a stored session.
public struct StoredSubscription: Sendable, Hashable {
    public var filter: String
    /// The Subscription Options byte (MQTT 5.0 §3.8.3.1).
    public var options: UInt8
    /// Subscription Identifier (MQTT 5.0 §3.8.2.1.2); 0 for none.
    public var identifier: UInt32

    public init(filter: String, options: UInt8, identifier: UInt32) {
        self.filter = filter
        self.options = options
        self.identifier = identifier
    }
}

/// One change of what the broker keeps on disk. The broker's core gives them as effects; ``Storage`` writes them.
///
/// Given again in the same order, a list of operations leads to the same state. `putMessage`, `enqueue` and
/// `putReceived` are for keys that are not stored yet (a packet identifier is free again after `deleteReceived`).
public enum SessionOperation: Sendable {
    /// Adds a session or replaces its fields; its subscriptions and queue stay.
    // Apart, because it is the largest and the rarest.
    indirect case putSession(StoredSession)
    /// Deletes a session with its will, subscriptions, queue and received packet identifiers.
    case deleteSession(Int64)
    case putSubscription(session: Int64, StoredSubscription)
    case deleteSubscription(session: Int64, filter: String)
    /// Adds a message that queues refer to by its number. The number is never used for another message. Its entries come
    /// next: one that is alone is stored with it.
    case putMessage(number: Int64, Message, expiresAt: Timestamp?)
    /// Deletes a message that no entry refers to any more.
    case deleteMessage(number: Int64)
    /// Adds an entry at the end of a session's queue; a session never uses a sequence twice.
    case enqueue(
        session: Int64, sequence: Int64, message: Int64, qos: QoS, retain: Bool, subscriptionIdentifiers: [UInt32])
    /// QoS 2: PUBREC was received, PUBREL is to be sent (again). The message may be deleted from here on.
    case setReleased(session: Int64, sequence: Int64)
    case dequeue(session: Int64, sequence: Int64)
    /// Inbound QoS 2: a PUBLISH with this packet identifier was taken and waits for its PUBREL.
    case putReceived(session: Int64, packetIdentifier: UInt16)
    case deleteReceived(session: Int64, packetIdentifier: UInt16)
    /// Sets the retained message of its topic.
    case putRetained(Message, expiresAt: Timestamp?)
    case deleteRetained(topic: String)

    /// Whether it only takes something away.
    var isDelete: Bool {
        switch self {
        case .deleteSession, .deleteSubscription, .deleteMessage, .dequeue, .deleteReceived, .deleteRetained: true
        case .putSession, .putSubscription, .putMessage, .enqueue, .setReleased, .putReceived, .putRetained: false
        }
    }
}

/// Everything that the sessions file holds.
public struct SessionSnapshot: Sendable {
    /// One message in a session's queue.
    public struct QueueEntry: Sendable, Hashable {
        public var sequence: Int64
        /// The message's number; with ``released`` the message may be gone.
        public var message: Int64
        public var qos: QoS
        public var retain: Bool
        public var released: Bool
        public var subscriptionIdentifiers: [UInt32]

        public init(
            sequence: Int64, message: Int64, qos: QoS, retain: Bool, released: Bool, subscriptionIdentifiers: [UInt32]
        ) {
            self.sequence = sequence
            self.message = message
            self.qos = qos
            self.retain = retain
            self.released = released
            self.subscriptionIdentifiers = subscriptionIdentifiers
        }
    }

    public struct Session: Sendable {
        public var session: StoredSession
        public var subscriptions: [StoredSubscription] = []
        /// Sorted by sequence.
        public var queue: [QueueEntry] = []
        public var receivedPacketIdentifiers: [UInt16] = []

        public init(session: StoredSession) { self.session = session }
    }

    /// Sorted by number.
    public var sessions: [Session] = []
    /// The messages that queues refer to. `publisher` is 0; `expiresAt` counts from the moment of loading.
    public var messages: [Int64: Message] = [:]
    public var retained: [Message] = []
    /// Records that were left out because they are damaged or belong to nothing.
    public var damagedRecords = 0

    public init() {}
}
