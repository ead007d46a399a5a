internal import Core

extension SessionOperation {
    /// The shortest list of operations, in order, with the same result.
    ///
    /// What one operation puts and a later one deletes disappears altogether, so a message that is delivered before the
    /// commit never reaches the disk. Of several operations on a session, a subscription or a retained message the last
    /// one stays. Nothing that belongs to a session moves across its deletion.
    ///
    /// - Parameter keepingDeletes: keeps the delete of such a pair, for when an earlier commit failed and may have
    ///   stored the put all the same.
    public static func coalesced(_ operations: [SessionOperation], keepingDeletes: Bool) -> [SessionOperation] {
        guard operations.count > 1, operations.contains(where: { !$0.isUnique }) else { return operations }
        var state = Coalescing(keepingDeletes: keepingDeletes, count: operations.count)
        // From the last to the first: what comes later decides whether an operation still matters.
        for operation in operations.reversed() { state.take(operation) }
        return state.result()
    }

    /// Whether its key is new, so that only a delete can have to do with it.
    private var isUnique: Bool {
        switch self {
        case .putMessage, .enqueue: true
        default: false
        }
    }
}

private struct Coalescing {
    /// What a text names; what only numbers name is in ``numbers``.
    enum Key: Hashable {
        case subscription(Int64, String)
        case retained(String)
    }

    // What is known of a key from the operations that come later: where in `kept` the operation stands that deletes it, or
    /// It is replaced, so nothing before matters.
    static let replaced = -1
    /// It was put and deleted: what is before may be a delete that is still needed.
    static let annihilated = -2

    let keepingDeletes: Bool
    var kept: [SessionOperation?] = []
    var numbers: IntegerTable
    var texts: Set<Key> = []
    var deletedSessions: Set<Int64> = []

    init(keepingDeletes: Bool, count: Int) {
        self.keepingDeletes = keepingDeletes
        numbers = IntegerTable(expecting: count)
        kept.reserveCapacity(count)
    }

    func result() -> [SessionOperation] { kept.reversed().compactMap { $0 } }

    mutating func take(_ operation: SessionOperation) {
        switch operation {
        case .putSession(let session):
            if !isDeleted(session.number), numbers[session.number, -1] == nil {
                numbers[session.number, -1] = Coalescing.replaced
                kept.append(operation)
            }
        case .deleteSession(let number):
            if deletedSessions.insert(number).inserted { kept.append(operation) }
        case .putSubscription(let session, let subscription):
            if !isDeleted(session) { replace(.subscription(session, subscription.filter), operation) }
        case .deleteSubscription(let session, let filter):
            if !isDeleted(session) { replace(.subscription(session, filter), operation) }
        case .putMessage(let number, _, _):
            put(number, -2, operation)
        case .deleteMessage(let number):
            delete(number, -2, operation)
        case .enqueue(let session, let sequence, _, _, _, _):
            if !isDeleted(session) { put(session, sequence, operation) }
        case .setReleased(let session, let sequence):
            if !isDeleted(session), numbers[session, sequence] == nil { kept.append(operation) }
        case .dequeue(let session, let sequence):
            if !isDeleted(session) { delete(session, sequence, operation) }
        case .putReceived(let session, let identifier):
            if !isDeleted(session) { put(~session, Int64(identifier), operation) }
        case .deleteReceived(let session, let identifier):
            if !isDeleted(session) { delete(~session, Int64(identifier), operation) }
        case .putRetained(let message, _):
            replace(.retained(message.topic), operation)
        case .deleteRetained(let topic):
            replace(.retained(topic), operation)
        }
    }

    private func isDeleted(_ session: Int64) -> Bool { !deletedSessions.isEmpty && deletedSessions.contains(session) }

    /// The last operation on the key is the only one.
    private mutating func replace(_ key: Key, _ operation: SessionOperation) {
        if texts.insert(key).inserted { kept.append(operation) }
    }

    // Keys are (session, sequence) for an entry, (number, -2) for a message, (~session, identifier) for an identifier that was
    // received, and (number, -1) for a session: sessions, messages and sequences have numbers from 1 on.

    private mutating func put(_ first: Int64, _ second: Int64, _ operation: SessionOperation) {
        switch numbers[first, second] {
        case nil:
            numbers[first, second] = Coalescing.replaced
            kept.append(operation)
        case Coalescing.replaced, Coalescing.annihilated:
            break
        case let index?:
            if keepingDeletes {
                numbers[first, second] = Coalescing.replaced
            } else {
                kept[index] = nil
                numbers[first, second] = Coalescing.annihilated
            }
        }
    }

    private mutating func delete(_ first: Int64, _ second: Int64, _ operation: SessionOperation) {
        switch numbers[first, second] {
        case nil, Coalescing.annihilated:
            numbers[first, second] = kept.count
            kept.append(operation)
        default:
            break
        }
    }
}
