public import Core
import MQTTCodec
public import Store

// The broker: who is connected, who subscribed to what, what is retained, queued and acknowledged.
//
// It does no I/O and reads no clock. Whoever drives it — the server's event loop, or a test — calls it with what came
// and the time, and afterwards
//
//   1. `flush()`: every client whose outbox has grown sends it, once;
//   2. `takeBatch()`: what must go to disk; when it is there, `committed(_:)` lets out the acknowledgements that waited.
//
//        packet ──> publish ──> route ──> outboxes ─────────────────> flush()
//                      │          └────> queues of sessions ──┐
//                      └── acknowledgement waits <── batch ───┴────> takeBatch() … committed(_:)
//
// A message that is acknowledged is on disk wherever it has to outlive a power cut: an acknowledgement goes out after the
// commit of the batch that its message left something in. What leaves nothing in a batch is acknowledged at once.

/// The broker's state and logic. Belongs to one event loop.
public final class Broker {
    public var limits: BrokerLimits
    public internal(set) var statistics = BrokerStatistics()
    /// Is told what happens to clients; not kept alive.
    public weak var observer: (any BrokerObserver)?

    /// Who may do what; nil if everybody may do everything.
    public internal(set) var accessRules: AccessRules?

    /// Marks messages, so that none comes round; nil if nothing is marked.
    public var trail: MessageTrail?

    var sessions = ExactDictionary<Session>()
    var subscriptions = SubscriptionTree()
    var retained = RetainedMessages()
    var connected = 0
    /// Clients connected now, parts of this program not counted.
    public var clientCount: Int { connected - internalClients }
    var internalClients = 0
    var nextSessionNumber: Int64 = 1
    var nextMessageNumber: Int64 = 1

    /// Changes that belong to the batch being filled.
    var operations: [SessionOperation] = []
    /// Bytes of the messages in ``operations``.
    var operationBytes = 0
    /// Number of the batch being filled.
    var batch: Int64 = 1
    var committedBatch: Int64 = 0
    /// An in-process client has put something into the batch being filled.
    var isBatchTouched = false
    /// An acknowledgement or a delivery waits for the batch being filled.
    public internal(set) var isCommitUrgent = false

    /// Clients from which nothing is taken until what they have left in batches is on disk.
    var held: [Client] = []
    /// Clients that have left something in the batch being filled, and in the one before.
    var storingClients = (now: 0, before: 0)

    var dirty: [Client] = []
    /// Sessions whose clients can be sent more since something was given up, with the time of that.
    var roomMade: [(session: Session, at: MonotonicTime)] = []
    var gated: [Client] = []
    var waitingSessions: [Session] = []
    /// Published by in-process clients while they were receiving, with the number of publishes they derive from.
    var generated: [(message: Message, hops: Int)] = []
    var hops = 0
    /// Sessions with messages lost since the last report, and what was lost that is nobody's.
    var unreportedDrops: [(clientIdentifier: String?, record: DropRecord)] = []
    let otherDrops = DropRecord()
    var spareForms: [PublishForms] = []
    /// What both clocks showed when somebody last said so.
    var moment = Moment(wall: Timestamp(milliseconds: 0), monotonic: .zero)
    /// What waits in queues and outboxes.
    let account = MemoryAccount()
    /// Random part of client identifiers that the broker assigns.
    let assignedIdentifierPrefix: String

    /// - Parameter seed: makes assigned client identifiers differ between runs.
    public init(limits: BrokerLimits, seed: UInt64) {
        self.limits = limits
        assignedIdentifierPrefix = "auto-\(String(seed, radix: 36))-"
    }

    // MARK: Driving

    /// Lets every client whose outbox has grown send it.
    public func flush() {
        while !dirty.isEmpty || !roomMade.isEmpty {
            var sessions: [(session: Session, at: MonotonicTime)] = []
            swap(&sessions, &roomMade)
            for (session, time) in sessions { goOn(with: session, now: time) }
            var batch: [Client] = []
            swap(&batch, &dirty)
            for client in batch {
                client.isDirty = false
                client.flush()
                // Of QoS 0 nothing is acknowledged: what has been written makes the room.
                if let session = client.session, !session.feeds.isEmpty { roomMade.append((session, moment.monotonic)) }
            }
        }
    }

    /// How many clients have something to send that ``flush()`` would let out.
    public var clientsToFlush: Int { dirty.count }

    /// Whether ``takeBatch()`` would return something.
    public var hasBatch: Bool { !operations.isEmpty || isBatchTouched }

    /// Closes the batch being filled and hands it over for the store; nil if it is empty. Batches are committed in order.
    public func takeBatch() -> (number: Int64, operations: [SessionOperation])? {
        guard hasBatch else { return nil }
        let taken = (batch, operations)
        operations = []
        operationBytes = 0
        isBatchTouched = false
        isCommitUrgent = false
        storingClients = (0, storingClients.now)
        batch += 1
        return taken
    }

    /// The store could not keep a batch: what it held goes into the batch being filled, in front of the rest.
    public func commitFailed(_ operations: [SessionOperation]) {
        let all = operations + self.operations
        // The store may have kept some of it all the same, so nothing that it is to delete may be left out.
        self.operations =
            all.count > Broker.worthCoalescing ? SessionOperation.coalesced(all, keepingDeletes: true) : all
        operationBytes = self.operations.reduce(0) { $0 + $1.messageBytes }
        isBatchTouched = true
    }

    private static let worthCoalescing = 10_000

    /// A part of this program that stores messages of its own has so much waiting for the disk that it will soon take no
    /// more. Meanwhile QoS 1 and 2 messages are refused as at ``BrokerLimits/maximumPendingOperations``: what nobody can keep
    /// must not be acknowledged.
    public var isStoreBehind = false

    /// The last commit failed because the disk is full, and none has succeeded since.
    public internal(set) var isDiskFull = false
    /// Whether to ask the program's own clients before a message is taken: one of them has no room.
    public var hasFullClients = false

    /// Whether so much waits for the disk that publishers have to be refused.
    var isBacklogged: Bool {
        isStoreBehind || operations.count >= limits.maximumPendingOperations
            || operationBytes >= limits.maximumPendingBytes
    }

    /// Whether so much waits for the disk that nothing more is stored for anybody.
    var isOverflowing: Bool {
        operations.count >= 2 * limits.maximumPendingOperations || operationBytes >= 2 * limits.maximumPendingBytes
    }

    /// Whether so much waits in queues and outboxes that nothing more may: messages are dropped for those that would have to
    /// keep them, refused with Quota exceeded if nobody else is there for them, and no new session begins.
    ///
    /// What would not have to wait goes on.
    var isOutOfMemory: Bool { account.byteCount >= limits.maximumWaitingBytes }

    /// Whether half of it does: from here on whoever holds more than his share may hold no more, so that the other half is for
    /// those who do not.
    var isMemoryShort: Bool { account.byteCount >= limits.maximumWaitingBytes / 2 }

    /// Whether a queue or an outbox may come to hold so many bytes.
    func mayHold(_ byteCount: Int) -> Bool {
        !isMemoryShort || !isOutOfMemory && byteCount <= account.share(of: limits.maximumWaitingBytes)
    }

    /// The batch with this number, and all before it, are on disk.
    public func committed(_ number: Int64, now: MonotonicTime) {
        committedBatch = max(committedBatch, number)
        var clients: [Client] = []
        swap(&clients, &gated)
        for client in clients {
            client.isGated = false
            while let first = client.gated.first, first.batch <= committedBatch {
                client.gated.removeFirst()
                switch first.outbound {
                case .connack: client.awaitsConnack = false
                case .puback: client.gatedPubacks -= 1
                default: break
                }
                append(first.outbound, to: client)
            }
            if !client.gated.isEmpty { gate(client) }
        }
        var sessions: [Session] = []
        swap(&sessions, &waitingSessions)
        for session in sessions {
            session.waitsForCommit = false
            pump(session, now: now)
        }
        if !held.isEmpty { letGo(now: now) }
    }

    /// An in-process client has put something of its own into the batch being filled: the acknowledgement of the message
    /// that is being published waits for it.
    public func touchBatch() { isBatchTouched = true }

    // MARK: Outboxes

    func append(_ outbound: Outbound, to client: Client) {
        // [MQTT-3.14.4-1]
        guard !client.isClosing else { return }
        if client.awaitsConnack, let batch = client.gated.last?.batch {
            gate(outbound, client, batch)
            return
        }
        client.send(outbound)
        markDirty(client)
    }

    /// Messages of QoS 0 that are kept for a client until its CONNACK may go out; more are dropped.
    static let mostBeforeConnack = 1_000

    private func gate(_ outbound: Outbound, _ client: Client, _ batch: Int64) {
        client.gated.append((batch, outbound))
        if case .puback = outbound { client.gatedPubacks += 1 }
    }

    @inline(__always)
    func markDirty(_ client: Client) {
        if !client.isDirty {
            client.isDirty = true
            dirty.append(client)
        }
    }

    /// Sends an acknowledgement once a batch is on disk, and never before one that was due earlier.
    func acknowledge(_ outbound: Outbound, to client: Client, after batch: Int64) {
        if batch <= committedBatch, client.gated.isEmpty { return append(outbound, to: client) }
        // What is decided by now is in a batch that is under way or in the one being filled.
        let newest = hasBatch ? self.batch : self.batch - 1
        let batch = max(min(batch, newest), client.gated.last?.batch ?? 0)
        if batch <= committedBatch {
            append(outbound, to: client)
        } else {
            gate(outbound, client, batch)
            gate(client)
            if batch == self.batch { isCommitUrgent = true }
        }
    }

    private func gate(_ client: Client) {
        guard !client.isGated else { return }
        client.isGated = true
        gated.append(client)
    }

    /// Ends a client's connection from our side: what its outbox holds and the DISCONNECT are still sent.
    func close(_ client: Client, _ reason: ReasonCode, detail: String? = nil) {
        if client.awaitsConnack {
            // [MQTT-3.2.0-1] nothing comes before CONNACK: the connection ends without a word, as in MQTT 3.1.1.
            client.gated.removeAll()
            client.gatedPubacks = 0
            client.awaitsConnack = false
            client.version = .v311
        }
        if !client.isClosing { client.closingDetail = detail }
        append(.disconnect(reason), to: client)
        client.isClosing = true
    }
}

extension SessionOperation {
    /// Bytes of the message that it stores.
    fileprivate var messageBytes: Int {
        switch self {
        case .putMessage(_, let message, _), .putRetained(let message, _): message.byteCount
        default: 0
        }
    }
}
