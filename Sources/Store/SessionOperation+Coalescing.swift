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
        guard operations.count > 1 else { return operations }
        var state = Coalescing(keepingDeletes: keepingDeletes)
        // From the last to the first: what comes later decides whether an operation still matters.
        for operation in operations.reversed() { state.take(operation) }
        return state.result()
    }
}

private struct Coalescing {
    /// What an operation is about.
    enum Key: Hashable {
        case session(Int64)
        case subscription(Int64, String)
        case message(Int64)
        case entry(Int64, Int64)
        case received(Int64, UInt16)
        case retained(String)
    }

    /// What is known of a key from the operations that come later.
    enum Later {
        /// It is replaced, so nothing before matters.
        case replaced
        /// It is deleted by the operation that stands here in `kept`.
        case deleted(at: Int)
        /// It was put and deleted: what is before may be a delete that is still needed.
        case annihilated
    }

    let keepingDeletes: Bool
    var kept: [SessionOperation?] = []
    var later: [Key: Later] = [:]
    var deletedSessions: Set<Int64> = []

    init(keepingDeletes: Bool) { self.keepingDeletes = keepingDeletes }

    func result() -> [SessionOperation] { kept.reversed().compactMap { $0 } }

    mutating func take(_ operation: SessionOperation) {
        switch operation {
        case .putSession(let session):
            if !deletedSessions.contains(session.number) { replace(.session(session.number), operation) }
        case .deleteSession(let number):
            if deletedSessions.insert(number).inserted { kept.append(operation) }
        case .putSubscription(let session, let subscription):
            if !deletedSessions.contains(session) { replace(.subscription(session, subscription.filter), operation) }
        case .deleteSubscription(let session, let filter):
            if !deletedSessions.contains(session) { replace(.subscription(session, filter), operation) }
        case .putMessage(let number, _, _):
            put(.message(number), operation)
        case .deleteMessage(let number):
            delete(.message(number), operation)
        case .enqueue(let session, let sequence, _, _, _, _):
            if !deletedSessions.contains(session) { put(.entry(session, sequence), operation) }
        case .setReleased(let session, let sequence):
            if !deletedSessions.contains(session), later[.entry(session, sequence)] == nil { kept.append(operation) }
        case .dequeue(let session, let sequence):
            if !deletedSessions.contains(session) { delete(.entry(session, sequence), operation) }
        case .putReceived(let session, let identifier):
            if !deletedSessions.contains(session) { put(.received(session, identifier), operation) }
        case .deleteReceived(let session, let identifier):
            if !deletedSessions.contains(session) { delete(.received(session, identifier), operation) }
        case .putRetained(let message, _):
            replace(.retained(message.topic), operation)
        case .deleteRetained(let topic):
            replace(.retained(topic), operation)
        }
    }

    /// The last operation on the key is the only one.
    private mutating func replace(_ key: Key, _ operation: SessionOperation) {
        if later.updateValue(.replaced, forKey: key) == nil { kept.append(operation) }
    }

    private mutating func put(_ key: Key, _ operation: SessionOperation) {
        switch later[key] {
        case .deleted(let index):
            if keepingDeletes {
                later[key] = .replaced
            } else {
                kept[index] = nil
                later[key] = .annihilated
            }
        case .replaced, .annihilated:
            break
        case nil:
            later[key] = .replaced
            kept.append(operation)
        }
    }

    private mutating func delete(_ key: Key, _ operation: SessionOperation) {
        switch later[key] {
        case .deleted, .replaced:
            break
        case .annihilated, nil:
            later[key] = .deleted(at: kept.count)
            kept.append(operation)
        }
    }
}
