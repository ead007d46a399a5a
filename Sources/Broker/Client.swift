public import Core
public import DequeModule
public import MQTTCodec

/// Somebody connected to the broker: a network connection (a subclass in the server) or a part of this program.
///
/// Belongs to the broker's event loop like everything else here; nothing in it may be touched from elsewhere.
///
/// Lifecycle: created unattached; ``Broker/connect(_:packet:now:wall:)`` or ``Broker/attach(_:identifier:)`` gives it a
/// session; ``Broker/disconnect(_:reason:now:wall:)`` or ``Broker/connectionLost(_:now:wall:)`` takes it away again.
open class Client {
    /// The session this client uses; nil before CONNECT and after the end.
    public internal(set) var session: Session?
    public var version: ProtocolVersion = .v311
    /// What waits to be sent. The broker appends, ``flush()`` takes.
    public internal(set) var outbox = Deque<Outbound>()
    /// Memory that the messages in ``outbox`` take, in bytes, about.
    public internal(set) var outboxBytes = 0
    /// Largest packet that the client takes; its MQTT 5.0 Maximum Packet Size.
    public var maximumPacketSize = Int.max
    /// Whether answers say in words what is wrong; its MQTT 5.0 Request Problem Information.
    public internal(set) var wantsProblemInformation = true
    /// What a refusal or DISCONNECT says beside its reason code: why in words, and the other server to use.
    public internal(set) var closingDetail: String?
    public internal(set) var closingServerReference: String?
    /// Topic aliases that it takes; its MQTT 5.0 Topic Alias Maximum.
    public internal(set) var topicAliasMaximum: UInt16 = 0

    /// It said at CONNECT that it is a bridge: it gets nothing back of what it has sent, and sees what is retained.
    public internal(set) var isBridge = false

    /// The name that it gave at CONNECT.
    public internal(set) var userName: String?
    /// Where it connects from, for people to read.
    open var peerAddress: String? { nil }
    /// Bytes of the largest packet taken from it, if that is less than from others.
    open var maximumInboundPacketSize: Int { .max }

    /// Messages that may be unacknowledged towards the client: the smaller of its Receive Maximum and the configured limit.
    var receiveMaximum = 1
    /// Who it is, set before ``Broker/connect(_:packet:now:wall:)`` where that matters; nil for a part of this program.
    public var identity: ClientIdentity?
    /// nil if it may do everything.
    public internal(set) var permissions: Permissions?
    /// Number of the route that it was last allowed to publish to.
    var permittedRoute: UInt64 = 0
    var keepAlive: Duration?
    var lastActivity = MonotonicTime.zero
    var will: Will?
    var isDirty = false
    /// Acknowledgements that wait for a commit, with the batch each waits for, in sending order.
    var gated = Deque<(batch: Int64, outbound: Outbound)>()
    /// PUBACKs among them: QoS 1 messages that count against our Receive Maximum.
    var gatedPubacks = 0
    var isGated = false
    /// Answers that wait for the disk.
    public var waitingAnswers: Int { gated.count }
    /// CONNACK waits for a commit: nothing may be sent before it [MQTT-3.2.0-1].
    var awaitsConnack = false
    /// Set once the broker has given up the connection: nothing is appended any more.
    var isClosing = false
    /// What it has left in batches that are not on disk.
    var unstored = UnstoredShare()
    /// Since when nothing more is taken from it because of that.
    var heldSince: MonotonicTime?
    /// Where its last message went: the next one often has the same topic.
    var lastRoute: Route?
    /// Whether messages come through ``receive(_:qos:retain:)`` within the publish instead of through the outbox.
    let takesInline: Bool
    /// Whether what is received inline is stored.
    let stores: Bool
    /// Part of this program: no network client can take its session over.
    var isInternal = false
    /// Where ``outboxBytes`` count too; the broker's from ``Broker/connect(_:packet:now:wall:)`` on.
    var account: MemoryAccount?

    /// - Parameters:
    ///   - takesInline: true for a part of the program whose ``receive(_:qos:retain:)`` is called while the message is
    ///     being published, so that what it makes durable is part of the publisher's acknowledgement.
    ///   - stores: true for a part of the program that stores what it receives inline.
    public init(takesInline: Bool = false, stores: Bool = false) {
        self.takesInline = takesInline
        self.stores = stores
    }

    deinit { account?.changed(from: outboxBytes, by: -outboxBytes) }

    /// Sends what the outbox holds, as far as the transport takes it. Called once per batch for a client that was given
    /// something, from ``Broker/flush()``.
    open func flush() {}

    /// Takes a message that is being published, in the order of all calls of this and ``send(_:)``. A transport that can be
    /// written to encodes it now, before ``flush()``; otherwise it goes into the outbox.
    open func deliver(_ publication: inout Publication, _ delivery: Delivery) {
        send(.publish(OutboundPublish(publication.message(), delivery)))
    }

    /// Takes one thing to send: into the outbox, unless the transport can be written to.
    open func send(_ outbound: Outbound) {
        if case .publish(let publish) = outbound { count(Client.cost(of: publish.message.byteCount)) }
        outbox.append(outbound)
    }

    /// Whether a part of this program cannot take a message with this topic now: then its publisher is refused, with Quota
    /// exceeded where MQTT can say so. Asked only while ``Broker/hasFullClients``.
    open func refuses(_ topic: UnsafeRawBufferPointer) -> Bool { false }

    /// Packets may be taken from it again, after ``Broker/hold(_:now:)``.
    open func goOn() {}

    /// A message for a client made with `takesInline`. Must not call back into publishing; what it wants published goes to
    /// ``Broker/generate(_:)``.
    open func receive(_ message: Message, qos: QoS, retain: Bool) {}

    /// Who a network client is that came while nobody was asked: nil for a part of this program.
    open func anonymousIdentity() -> ClientIdentity? { nil }

    /// Takes the oldest thing to send.
    public func popOutbound() -> Outbound? {
        guard let first = outbox.popFirst() else { return nil }
        if case .publish(let publish) = first { count(-Client.cost(of: publish.message.byteCount)) }
        return first
    }

    private func count(_ bytes: Int) {
        account?.changed(from: outboxBytes, by: bytes)
        outboxBytes &+= bytes
    }

    /// What a message of so many bytes costs in ``outboxBytes``: them, and its place in the outbox, which of a small one is
    /// the most.
    static func cost(of byteCount: Int) -> Int { byteCount &+ 192 }

    /// The longest time in which it sends something (MQTT 5.0 §3.1.2.10); nil if it has no Keep Alive.
    public var keepAliveInterval: Duration? { keepAlive.map { $0 * 2 / 3 } }

    /// To be called for every packet that arrives, for keep-alive.
    public func touch(at now: MonotonicTime) { lastActivity = now }
}
