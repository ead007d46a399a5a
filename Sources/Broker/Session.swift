import Core
import MQTTCodec

/// What the broker keeps for a client identifier: subscriptions, queue and QoS 2 state (MQTT 5.0 §4.1).
public final class Session {
    /// The broker's own number, never reused; also the key in the store.
    public let number: Int64
    /// Until when the mere passing of time changes nothing about it: with ten thousand sessions it is dear to look closer. It
    /// begins anew with each change to what ``Broker/tick(now:wall:)`` looks at.
    var quietUntil = MonotonicTime.zero
    public let clientIdentifier: String
    /// Seconds after the end of the connection; 0 ends with it, `UInt32.max` never does.
    public internal(set) var expiryInterval: UInt32

    /// The connected client, if any.
    var client: Client? { didSet { quietUntil = .zero } }
    var subscriptions = ExactDictionary<Subscription>()
    var queue: DeliveryQueue
    /// Retained messages that it is still owed, in the order of the subscriptions that brought them; of each filter one at most.
    var feeds: [RetainedFeed] = [] { didSet { quietUntil = .zero } }
    /// Packet identifiers of received QoS 2 messages that have not been released.
    var received = PacketIdentifierSet()
    var expiresAt = MonotonicTime.distantFuture { didSet { quietUntil = .zero } }
    /// When the client went away; nil while it is connected.
    var disconnectedAt: Timestamp?
    /// The batch that stores the newest of the session, its will and its subscriptions; 0 for what came from the store.
    var batch: Int64 = 0
    /// The will of a connection that was lost, until it is published.
    var willDue: (at: MonotonicTime, will: Will)? { didSet { quietUntil = .zero } }
    /// Messages lost, if any ever were, for the observer.
    var drops: DropRecord?
    /// Who used it last; nil if that is not known, or nobody was asked.
    var identity: ClientIdentity?
    /// What may be delivered to it; nil for everything.
    var permissions: Permissions?
    /// What was queued before this sequence number was queued under other permissions: it is looked at when it is sent.
    var uncheckedBefore: Int64 = 0
    /// Waits for a commit before more of its queue may be sent.
    var waitsForCommit = false
    /// For ``SubscriptionTree``: the last walk that met it, and its place in what that walk found.
    var lastWalk: UInt64 = 0
    var indexInWalk = 0

    init(number: Int64, clientIdentifier: String, expiryInterval: UInt32, account: MemoryAccount) {
        self.number = number
        self.clientIdentifier = clientIdentifier
        self.expiryInterval = expiryInterval
        queue = DeliveryQueue(account: account)
    }

    /// Whether it outlives its connection, and so is stored.
    var isPersistent: Bool { expiryInterval > 0 }
    /// Whether it is that of a part of this program, which is connected or has such a name as no network client may have.
    var isOfProgram: Bool { client?.isInternal ?? (clientIdentifier.utf8.first == UInt8(ascii: "$")) }

    /// When its client has been silent for too long, if it says nothing more.
    var silentAt: MonotonicTime {
        guard let client, let keepAlive = client.keepAlive else { return .distantFuture }
        return client.lastActivity + keepAlive
    }

    /// When the passing of time may change something about it, as it is now.
    var nextLook: MonotonicTime {
        if client != nil { return feeds.isEmpty ? silentAt : .zero }
        return min(willDue?.at ?? .distantFuture, expiresAt)
    }

    /// Whether a message would be sent to the client now, or soon.
    func takesAtOnce(qos: QoS) -> Bool {
        guard let client, !client.isClosing, client.outboxBytes < Session.soon else { return false }
        return qos == .atMostOnce || queue.isDrained && queue.inFlight < client.receiveMaximum
    }

    /// Bytes that wait for a connection which will be written soon.
    private static let soon = 64 << 10
}

/// A subscription as the session holds it.
struct Subscription: Equatable {
    var options: SubscriptionOptions
    /// 0 if it has none.
    var identifier: UInt32
    var hiddenLevel = HiddenLevel.none

    var identifiers: [UInt32]? { identifier > 0 ? [identifier] : nil }
}
