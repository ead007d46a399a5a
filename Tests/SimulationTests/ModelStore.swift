import Core
import Store

/// What the disk holds: committed batches survive a crash, nothing else does.
struct ModelStore {
    struct Session {
        var stored: StoredSession
        var subscriptions: [String: StoredSubscription] = [:]
        var queue: [Int64: SessionSnapshot.QueueEntry] = [:]
        var received: Set<UInt16> = []
    }

    private(set) var sessions: [Int64: Session] = [:]
    private(set) var messages: [Int64: Message] = [:]
    private(set) var retained: [String: Message] = [:]
    private(set) var lane: [CachedMessage] = []
    private(set) var lastSequence: Int64 = 0
    private(set) var acknowledgedSequence: Int64 = 0
    /// The last commit was said to have failed, and may be given again although it is here.
    var mayRepeat = false
    /// What the broker or the lane must never ask for.
    private(set) var faults: [String] = []

    // MARK: Cache file

    mutating func commit(_ append: LaneAppend?, _ acknowledgement: LaneAcknowledgement?) {
        if let acknowledgement {
            acknowledgedSequence = max(acknowledgedSequence, min(acknowledgement.through, lastSequence))
        }
        if let append {
            if append.firstSequence != lastSequence + 1, !mayRepeat {
                faults.append("append at \(append.firstSequence) after \(lastSequence)")
            }
            for (index, message) in append.messages.enumerated() {
                let sequence = append.firstSequence + Int64(index)
                guard sequence > lastSequence else { continue }
                lane.append(CachedMessage(sequence: sequence, message: message))
                lastSequence = sequence
            }
        }
        lane.removeAll { $0.sequence <= acknowledgedSequence }
    }

    func read(from sequence: Int64, maximumCount: Int, maximumBytes: Int) -> (messages: [CachedMessage], next: Int64) {
        var found: [CachedMessage] = []
        var bytes = 0
        for cached in lane where cached.sequence >= sequence {
            guard found.count < maximumCount, found.isEmpty || bytes + cached.message.byteCount <= maximumBytes else {
                return (found, cached.sequence)
            }
            found.append(cached)
            bytes += cached.message.byteCount
        }
        return (found, lastSequence + 1)
    }

    // MARK: Sessions file

    mutating func commit(_ operations: [SessionOperation]) {
        for operation in operations { apply(operation) }
    }

    private mutating func apply(_ operation: SessionOperation) {
        switch operation {
        case .putSession(let stored):
            if sessions[stored.number] == nil { sessions[stored.number] = Session(stored: stored) }
            sessions[stored.number]?.stored = stored
        case .deleteSession(let number):
            sessions[number] = nil
        case .putSubscription(let session, let subscription):
            if sessions[session] == nil, !mayRepeat { faults.append("subscription of unknown session \(session)") }
            sessions[session]?.subscriptions[subscription.filter] = subscription
        case .deleteSubscription(let session, let filter):
            sessions[session]?.subscriptions[filter] = nil
        case .putMessage(let number, let message, _):
            if messages[number] != nil, !mayRepeat { faults.append("message \(number) put twice") }
            messages[number] = message
        case .deleteMessage(let number):
            if messages[number] == nil, !mayRepeat { faults.append("unknown message \(number) deleted") }
            messages[number] = nil
        case .enqueue(let session, let sequence, let message, let qos, let retain, let identifiers):
            if sessions[session] == nil, !mayRepeat { faults.append("entry for unknown session \(session)") }
            if messages[message] == nil { faults.append("entry for unknown message \(message)") }
            if sessions[session]?.queue[sequence] != nil, !mayRepeat { faults.append("sequence \(sequence) used twice") }
            sessions[session]?.queue[sequence] = SessionSnapshot.QueueEntry(
                sequence: sequence, message: message, qos: qos, retain: retain, released: false,
                subscriptionIdentifiers: identifiers)
        case .setReleased(let session, let sequence):
            // A session that has become one that ends with its connection is deleted, and goes on until then.
            if sessions[session]?.queue[sequence] == nil, sessions[session] != nil, !mayRepeat {
                faults.append("unknown entry \(sequence) released")
            }
            sessions[session]?.queue[sequence]?.released = true
        case .dequeue(let session, let sequence):
            if sessions[session]?.queue[sequence] == nil, sessions[session] != nil, !mayRepeat {
                faults.append("unknown entry \(sequence) dequeued")
            }
            sessions[session]?.queue[sequence] = nil
        case .putReceived(let session, let identifier):
            if sessions[session]?.received.insert(identifier).inserted != true, !mayRepeat {
                faults.append("identifier \(identifier) received twice")
            }
        case .deleteReceived(let session, let identifier):
            sessions[session]?.received.remove(identifier)
        case .putRetained(let message, _):
            retained[message.topic] = message
        case .deleteRetained(let topic):
            retained[topic] = nil
        }
    }

    var snapshot: SessionSnapshot {
        var snapshot = SessionSnapshot()
        snapshot.messages = messages
        snapshot.retained = Array(retained.values)
        for session in sessions.values.sorted(by: { $0.stored.number < $1.stored.number }) {
            var kept = SessionSnapshot.Session(session: session.stored)
            kept.subscriptions = Array(session.subscriptions.values)
            kept.queue = session.queue.values.sorted { $0.sequence < $1.sequence }
            kept.receivedPacketIdentifiers = Array(session.received)
            snapshot.sessions.append(kept)
        }
        return snapshot
    }

    /// What is left when everything has been delivered.
    var leftovers: [String] {
        var found: [String] = []
        if !messages.isEmpty { found.append("\(messages.count) messages") }
        for session in sessions.values {
            if !session.queue.isEmpty { found.append("\(session.queue.count) entries of \(session.stored.clientIdentifier)") }
            if !session.received.isEmpty {
                found.append("\(session.received.count) received identifiers of \(session.stored.clientIdentifier)")
            }
        }
        if acknowledgedSequence != lastSequence { found.append("\(lastSequence - acknowledgedSequence) in the lane") }
        return found
    }
}
