import Core
import DequeModule

// The QoS 1 and 2 messages of one session, from being queued to being acknowledged.
//
//      headSequence                    headSequence + sentCount
//      │                               │
//      ▼                               ▼
//    ┌──────┬──────┬──────────┬──────┬────────┬────────┐
//    │ sent │ done │ released │ sent │ queued │ queued │
//    └──────┴──────┴──────────┴──────┴────────┴────────┘
//
// A message's packet identifier is a function of its sequence number, so that it is the same after a restart without
// being stored, and an acknowledgement finds its entry by subtraction. Acknowledged entries stay as `done` until all
// before them are done too.

/// A message stored once for all the persistent sessions that it is queued for.
final class StoredMessage {
    let number: Int64
    var references = 0

    init(number: Int64) { self.number = number }
}

struct DeliveryQueue {
    enum State: UInt8 {
        case queued
        /// PUBLISH sent, neither PUBACK nor PUBREC received.
        case sent
        /// PUBREC received: PUBREL is what is to be sent (again).
        case released
        /// Acknowledged, or given up.
        case done
    }

    struct Entry {
        /// Given up when the entry is done: it may stay here for as long as one before it is not.
        fileprivate(set) var message: Message
        let qos: QoS
        let retain: Bool
        let subscriptionIdentifiers: [UInt32]?
        /// nil if the session does not outlive its connection.
        fileprivate(set) var stored: StoredMessage?
        /// The batch whose commit makes the entry durable.
        let batch: Int64
        var state = State.queued
        /// May have been sent before, on an earlier connection.
        var duplicate = false
    }

    private(set) var entries = Deque<Entry>()
    /// Sequence number of `entries[0]`, or of the next entry if there is none.
    private(set) var headSequence: Int64 = 1
    /// How many entries, from the head, have been sent on this connection.
    private(set) var sentCount = 0
    /// Entries that are sent or released: what Receive Maximum counts.
    private(set) var inFlight = 0
    /// Bytes of the messages that are not done.
    private(set) var byteCount = 0
    /// Entries that are not done.
    private(set) var count = 0

    /// Packet identifiers are 1…65,535 in turn.
    static func packetIdentifier(_ sequence: Int64) -> UInt16 { UInt16(truncatingIfNeeded: (sequence - 1) % 65_535 + 1) }

    var nextSequence: Int64 { headSequence + Int64(entries.count) }

    mutating func append(_ entry: Entry) -> Int64 {
        let sequence = nextSequence
        entries.append(entry)
        count += 1
        byteCount += entry.message.byteCount
        return sequence
    }

    /// The oldest entry that has not been sent on this connection; nil if there is none or identifiers would wrap around
    /// onto one still in use.
    var nextToSend: (sequence: Int64, entry: Entry)? {
        guard sentCount < entries.count, sentCount < 65_535 else { return nil }
        return (headSequence + Int64(sentCount), entries[sentCount])
    }

    /// Marks ``nextToSend`` as sent.
    mutating func markSent() {
        let index = sentCount
        sentCount += 1
        switch entries[index].state {
        case .queued:
            entries[index].state = .sent
            inFlight += 1
        case .sent, .released:
            inFlight += 1
        case .done:
            break
        }
    }

    /// Forgets the entry at ``nextToSend`` (expired, or too large for the client).
    mutating func discardNext() -> (sequence: Int64, entry: Entry) {
        let index = sentCount
        let sequence = headSequence + Int64(index)
        let entry = entries[index]
        sentCount += 1
        finish(index)
        return (sequence, entry)
    }

    private func index(of packetIdentifier: UInt16) -> Int? {
        guard packetIdentifier > 0 else { return nil }
        let head = Int((headSequence - 1) % 65_535)
        let offset = (Int(packetIdentifier) - 1 - head + 65_535) % 65_535
        guard offset < sentCount else { return nil }
        return offset
    }

    /// PUBACK for QoS 1, PUBCOMP or a failed PUBREC for QoS 2. nil if no such message is in flight.
    mutating func acknowledge(_ packetIdentifier: UInt16, qos: QoS) -> (sequence: Int64, entry: Entry)? {
        guard let index = index(of: packetIdentifier) else { return nil }
        let entry = entries[index]
        guard entry.qos == qos, entry.state == .sent || entry.state == .released else { return nil }
        let sequence = headSequence + Int64(index)
        inFlight -= 1
        finish(index)
        return (sequence, entry)
    }

    /// PUBREC. The sequence if the state changed now; nil if it had before or there is no such message.
    mutating func release(_ packetIdentifier: UInt16) -> (sequence: Int64, isNew: Bool)? {
        guard let index = index(of: packetIdentifier), entries[index].qos == .exactlyOnce else { return nil }
        let sequence = headSequence + Int64(index)
        switch entries[index].state {
        case .sent:
            entries[index].state = .released
            return (sequence, true)
        case .released:
            return (sequence, false)
        case .queued, .done:
            return nil
        }
    }

    /// Stands for the message of an entry that is done.
    private static let noMessage = Message.create(
        topic: UnsafeRawBufferPointer(start: nil, count: 0), payload: UnsafeRawBufferPointer(start: nil, count: 0),
        qos: .atMostOnce, retain: false, publishedAt: Timestamp(milliseconds: 0))

    private mutating func finish(_ index: Int) {
        entries[index].state = .done
        count -= 1
        byteCount -= entries[index].message.byteCount
        entries[index].message = DeliveryQueue.noMessage
        entries[index].stored = nil
        while let first = entries.first, first.state == .done, sentCount > 0 {
            entries.removeFirst()
            headSequence += 1
            sentCount -= 1
        }
    }

    /// A new connection: everything unacknowledged is to be sent again [MQTT-4.4.0-1].
    mutating func restart() {
        for index in 0..<sentCount where entries[index].state != .done { entries[index].duplicate = true }
        sentCount = 0
        inFlight = 0
    }

    /// Puts back an entry read from the store; sequences rise, and holes are filled with entries that are done.
    mutating func restore(_ entry: Entry, sequence: Int64) {
        if entries.isEmpty { headSequence = sequence }
        while nextSequence < sequence {
            var hole = entry
            hole.state = .done
            hole.message = DeliveryQueue.noMessage
            hole.stored = nil
            entries.append(hole)
        }
        _ = append(entry)
    }
}
