import Bridge
import Core
@testable import Store

/// What the disk holds: committed batches survive a crash, nothing else does.
struct ModelStore {
    struct Session {
        var stored: StoredSession
        var subscriptions: [String: StoredSubscription] = [:]
        var queue: [Int64: SessionSnapshot.QueueEntry] = [:]
        var received: Set<UInt16> = []
    }

    struct Lane {
        var messages: [CachedMessage] = []
        var last: Int64 = 0
        var acknowledged: Int64 = 0
    }

    private(set) var sessions: [Int64: Session] = [:]
    private(set) var messages: [Int64: Message] = [:]
    private(set) var retained: [String: Message] = [:]
    private(set) var lanes: [String: Lane] = [:]
    /// The last commit was said to have failed, and may be given again although it is here.
    var mayRepeat = false
    /// What the broker or the lane must never ask for.
    private(set) var faults: [String] = []

    // MARK: Cache file

    mutating func commit(_ batch: BridgeRoute.Batch) {
        for acknowledgement in batch.acknowledgements {
            guard var lane = lanes[acknowledgement.lane] else { continue }
            lane.acknowledged = max(lane.acknowledged, min(acknowledgement.through, lane.last))
            lanes[acknowledgement.lane] = lane
        }
        for append in batch.appends {
            var lane = lanes[append.lane, default: Lane(last: append.firstSequence - 1)]
            if append.firstSequence != lane.last + 1, !mayRepeat {
                faults.append("append at \(append.firstSequence) of \(append.lane) after \(lane.last)")
            }
            for (index, message) in append.messages.enumerated() {
                let sequence = append.firstSequence + Int64(index)
                guard sequence > lane.last else { continue }
                lane.messages.append(CachedMessage(sequence: sequence, message: message))
                lane.last = sequence
            }
            lanes[append.lane] = lane
        }
        for lane in batch.removals { lanes[lane] = nil }
        for name in lanes.keys { lanes[name]?.dropAcknowledged() }
    }

    func read(
        lane: String, from sequence: Int64, maximumCount: Int, maximumBytes: Int
    ) -> (messages: [CachedMessage], next: Int64) {
        var found: [CachedMessage] = []
        var bytes = 0
        guard let lane = lanes[lane] else { return (found, sequence) }
        for cached in lane.messages where cached.sequence >= sequence {
            guard found.count < maximumCount, found.isEmpty || bytes + cached.message.byteCount <= maximumBytes else {
                return (found, cached.sequence)
            }
            found.append(cached)
            bytes += cached.message.byteCount
        }
        return (found, lane.last + 1)
    }

    /// The state of the lanes, as a start of the program finds it.
    var laneStatuses: [LaneStatus] {
        lanes.map { name, lane in
            LaneStatus(
                lane: name, firstSequence: lane.messages.first?.sequence, lastSequence: lane.last,
                acknowledgedSequence: lane.acknowledged, messages: Int64(lane.messages.count), bytes: 0, blocks: 0,
                oldestPublishedAt: nil)
        }
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
        for (name, lane) in lanes where !lane.messages.isEmpty { found.append("\(lane.messages.count) in \(name)") }
        return found
    }
}

extension ModelStore.Lane {
    fileprivate mutating func dropAcknowledged() {
        messages.removeAll { $0.sequence <= acknowledged }
    }
}
