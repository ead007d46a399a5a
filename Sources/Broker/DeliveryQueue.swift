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
    /// The batch whose commit makes it durable, and with it the entries that refer to it.
    let batch: Int64
    var references = 0
    private let byteCount: Int
    private let account: MemoryAccount

    init(number: Int64, batch: Int64, byteCount: Int, account: MemoryAccount) {
        self.number = number
        self.batch = batch
        self.byteCount = byteCount
        self.account = account
        account.byteCount += byteCount
    }

    deinit { account.byteCount -= byteCount }
}


struct DeliveryQueue {
    enum State: UInt8 {
        case queued
        /// PUBLISH sent, neither PUBACK nor PUBREC received [MQTT-4.3.2-3], [MQTT-4.3.3-3].
        case sent
        /// PUBREC received: PUBREL is what is to be sent (again) [MQTT-4.3.3-5], and never PUBLISH [MQTT-4.3.3-6].
        case released
        /// Acknowledged, or given up.
        case done
    }

    struct Entry {
        /// nil when the entry is done, which it may stay for as long as one before it is not, and when it is sent and its
        /// session ends with the connection, so that it will never be sent again.
        fileprivate(set) var message: Message?
        /// nil if the session does not outlive its connection.
        fileprivate(set) var stored: StoredMessage?
        let origin: DeliveryOrigin?
        let qos: QoS
        let retain: Bool
        var state = State.queued
        /// May have been sent before, on an earlier connection.
        var duplicate = false
    }

    private let account: MemoryAccount
    private(set) var entries = Deque<Entry>()
    /// Sequence number of `entries[0]`, or of the next entry if there is none.
    private(set) var headSequence: Int64 = 1
    /// How many entries, from the head, have been sent on this connection.
    private(set) var sentCount = 0
    /// Entries that are sent or released: what Receive Maximum counts.
    private(set) var inFlight = 0
    /// Bytes of the messages that are held.
    private(set) var byteCount = 0
    /// Entries that are not done.
    private(set) var count = 0

    /// Packet identifiers are 1…65,535 in turn, so that a new message has one that is not in use [MQTT-2.2.1-4],
    /// [MQTT-4.3.2-1], [MQTT-4.3.3-1].
    static func packetIdentifier(_ sequence: Int64) -> UInt16 { UInt16(truncatingIfNeeded: (sequence - 1) % 65_535 + 1) }

    var nextSequence: Int64 { headSequence + Int64(entries.count) }

    init(account: MemoryAccount) { self.account = account }

    /// [MQTT-4.6.0-5], [MQTT-4.6.0-6] behind all that came before.
    mutating func append(_ entry: Entry) -> Int64 {
        let sequence = nextSequence
        if let message = entry.message { hold(message.byteCount, isStored: entry.stored != nil) }
        entries.append(entry)
        count &+= 1
        return sequence
    }

    private mutating func hold(_ bytes: Int, isStored: Bool) {
        account.changed(from: byteCount, by: bytes, isShared: isStored)
        byteCount &+= bytes
    }

    /// Whether everything has been sent, so that what comes next may be sent at once.
    @inline(__always)
    var isDrained: Bool { sentCount == entries.count && sentCount < DeliveryQueue.identifiers }

    /// Adds an entry that is being sent now, which ``isDrained`` allows.
    ///
    /// - Returns: its packet identifier.
    @inline(__always)
    mutating func appendSent(_ entry: Entry) -> UInt16 {
        let sequence = append(entry)
        entries[entries.count &- 1].state = .sent
        sentCount &+= 1
        inFlight &+= 1
        return DeliveryQueue.packetIdentifier(sequence)
    }

    /// Packet identifiers that can be in use at one time.
    private static let identifiers = 65_535

    /// The oldest entry that has not been sent on this connection; nil if there is none or identifiers would wrap around
    /// onto one still in use.
    var nextToSend: (sequence: Int64, entry: Entry)? {
        guard hasNextToSend else { return nil }
        return (headSequence + Int64(sentCount), entries[sentCount])
    }

    @inline(__always)
    var hasNextToSend: Bool { sentCount < entries.count && sentCount < DeliveryQueue.identifiers }

    /// Marks ``nextToSend`` as sent.
    ///
    /// - Parameter keepsMessage: false if it will never be sent again.
    mutating func markSent(keepsMessage: Bool) {
        let index = sentCount
        sentCount += 1
        if !keepsMessage { dropMessage(index) }
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
    mutating func discardNext() -> Finished {
        sentCount += 1
        return finish(sentCount - 1)
    }

    @inline(__always)
    private func index(of packetIdentifier: UInt16) -> Int? {
        guard packetIdentifier > 0 else { return nil }
        let head = Int((headSequence &- 1) % 65_535)
        var offset = Int(packetIdentifier) &- 1 &- head
        if offset < 0 { offset &+= 65_535 }
        guard offset < sentCount else { return nil }
        return offset
    }

    /// What of an entry that is over is still of interest.
    struct Finished {
        let sequence: Int64
        let stored: StoredMessage?
    }

    /// PUBACK for QoS 1, PUBCOMP or a failed PUBREC for QoS 2. nil if no such message is in flight.
    mutating func acknowledge(_ packetIdentifier: UInt16, qos: QoS) -> Finished? {
        guard let index = index(of: packetIdentifier) else { return nil }
        guard entries[index].qos == qos, entries[index].state == .sent || entries[index].state == .released else { return nil }
        inFlight &-= 1
        return finish(index)
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

    private mutating func dropMessage(_ index: Int) {
        guard let message = entries[index].message else { return }
        hold(-message.byteCount, isStored: entries[index].stored != nil)
        entries[index].message = nil
    }

    @inline(__always)
    private mutating func finish(_ index: Int) -> Finished {
        let finished = Finished(sequence: headSequence &+ Int64(index), stored: entries[index].stored)
        count &-= 1
        dropMessage(index)
        if index == 0, entries[0].state != .done {
            removeFirst()
            while let first = entries.first, first.state == .done { removeFirst() }
        } else {
            entries[index].state = .done
            entries[index].stored = nil
        }
        return finished
    }

    @inline(__always)
    private mutating func removeFirst() {
        entries.removeFirst()
        headSequence &+= 1
        // What was over before this connection began has not been passed on it.
        if sentCount > 0 { sentCount &-= 1 }
    }

    /// A new connection: everything unacknowledged is to be sent again [MQTT-4.4.0-1], with DUP [MQTT-3.3.1-1], which
    /// nothing else sets [MQTT-3.3.1-3].
    mutating func restart() {
        for index in 0..<sentCount where entries[index].state != .done { entries[index].duplicate = true }
        sentCount = 0
        inFlight = 0
    }

    /// Puts back an entry read from the store; sequences rise, and holes are filled with entries that are done.
    mutating func restore(_ entry: Entry, sequence: Int64) {
        if entries.isEmpty { headSequence = sequence }
        while nextSequence < sequence {
            entries.append(Entry(message: nil, stored: nil, origin: nil, qos: entry.qos, retain: false, state: .done))
        }
        _ = append(entry)
    }

    /// Everything is given up: the session has ended.
    mutating func removeAll() {
        for index in entries.indices { dropMessage(index) }
        self = DeliveryQueue(account: account)
    }
}
