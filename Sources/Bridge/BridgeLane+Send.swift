public import Core
import DequeModule
public import MQTTCodec

/// A message to be sent upstream now.
public struct LanePublish: Sendable {
    public let message: Message
    public let sequence: Int64
    /// Stored before the present connection was made.
    public let isBackfill: Bool
    /// Its time is wrong by nobody knows how much.
    public let isTimeUncertain: Bool
    /// 0 for QoS 0.
    public let packetIdentifier: UInt16
    public let duplicate: Bool
    /// Seconds that are left to the message; nil if it does not expire or the version cannot say.
    public let messageExpiryInterval: UInt32?
}

extension BridgeLane {
    /// What became of a message that the upstream has answered.
    public enum Answer: Sendable, Equatable {
        case arrived
        /// Skipped: the upstream will not take it, ever.
        case skipped(topic: String)
        /// To be sent again after a pause, with all that was sent after it and has not arrived.
        case postponed(until: MonotonicTime)
        /// There is no message in flight with this packet identifier.
        case unexpected
    }

    public var isConnected: Bool { link != nil }

    /// The upstream accepted a connection: everything unacknowledged is sent (again), in order.
    public mutating func connected(_ link: Link, now: MonotonicTime) {
        self.link = link
        restart()
        backfillThrough = lastSequence
        pausedUntil = .zero
        pauses = 0
        lastProgress = now
    }

    /// The connection ended.
    public mutating func disconnected() {
        link = nil
        restart()
    }

    private mutating func restart() {
        // A postponed message has put the cursor before others that are in flight.
        for index in buffer.indices where !buffer[index].isOver {
            buffer[index].state = .waiting
            buffer[index].followers = 0
        }
        cursor = 0
        withheld = Withheld()
        inFlight = 0
        unconfirmed = 0
        nextPing = 1
    }

    /// The next message to send; nil while there is none, the window is full or the upstream wants a pause.
    ///
    /// - Parameter room: messages that the connection's window takes, over all lanes.
    public mutating func next(now: MonotonicTime, room: Int = .max) -> LanePublish? {
        guard let link, slot != nil, now >= pausedUntil else { return nil }
        // Identifiers must not wrap around onto one that is still in use.
        while cursor < min(buffer.count, BridgeLane.identifierCount) {
            let index = cursor
            guard buffer[index].state == .waiting, !withheld.holds(buffer[index]) else {
                cursor += 1
                continue
            }
            if skipExpired(index, now: now) { continue }
            let message = buffer[index].message
            let expiryInterval = link.version == .v5 ? BridgeLane.expiryInterval(of: message, now: now) : nil
            let size = PublishEncoder.size(
                message, qos: message.qos, version: link.version, messageExpiryInterval: expiryInterval)
            if size > link.maximumPacketSize {
                // [MQTT-3.1.2-24], [MQTT-3.2.2-15]
                statistics.tooLarge &+= 1
                note(message, .tooLarge)
                skip(index)
                continue
            }
            let duplicate = buffer[index].wasSent
            guard take(index, count: 1, qos: message.qos, room: room, now: now) else { return nil }
            return LanePublish(
                message: message, sequence: buffer[index].sequence, isBackfill: buffer[index].sequence <= backfillThrough,
                isTimeUncertain: buffer[index].isTimeUncertain,
                packetIdentifier: message.qos == .atMostOnce ? 0 : identifier(index),
                duplicate: duplicate && link.isResumed && message.qos != .atMostOnce, messageExpiryInterval: expiryInterval)
        }
        return nil
    }

    /// Marks an entry and those behind it as sent in one PUBLISH; false if the window has no room for it.
    private mutating func take(_ index: Int, count: Int, qos: QoS, room: Int, now: MonotonicTime) -> Bool {
        if qos == .atMostOnce {
            for entry in index..<index + count {
                buffer[entry].state = .unconfirmed
                buffer[entry].ping = nextPing
            }
            unconfirmed += count
        } else {
            guard let link, inFlight < min(limits.maximumInFlight, link.receiveMaximum), room > 0 else { return false }
            if inFlight == 0 { lastProgress = now }
            buffer[index].state = .sent
            buffer[index].followers = UInt16(count - 1)
            for entry in index + 1..<index + count { buffer[entry].state = .following }
            inFlight += 1
        }
        for entry in index..<index + count {
            statistics.sent &+= 1
            if buffer[entry].wasSent { statistics.sentAgain &+= 1 }
            buffer[entry].wasSent = true
        }
        cursor = index + count
        return true
    }

    private mutating func skipExpired(_ index: Int, now: MonotonicTime) -> Bool {
        guard buffer[index].message.expiresAt <= now, !buffer[index].wasSent else { return false }
        statistics.expired &+= 1
        skip(index)
        return true
    }

    // MARK: Answers

    /// PUBACK.
    public mutating func puback(_ packet: AcknowledgementPacket, now: MonotonicTime) -> Answer {
        guard link != nil, let index = index(of: packet.packetIdentifier), buffer[index].state == .sent else {
            return .unexpected
        }
        lastProgress = now
        inFlight -= 1
        let run = index...index + Int(buffer[index].followers)
        guard packet.reasonCode.isError else {
            statistics.acknowledged &+= UInt64(run.count)
            pauses = 0
            finish(run)
            return .arrived
        }
        buffer[index].attempts = min(buffer[index].attempts, .max - 1) + 1
        if isFinal(packet.reasonCode, attempts: Int(buffer[index].attempts)) {
            statistics.refused &+= UInt64(run.count)
            let topic = buffer[index].message.topic
            for entry in run { note(buffer[entry].message, .refused) }
            finish(run)
            return .skipped(topic: topic)
        }
        for entry in run { buffer[entry].state = .waiting }
        buffer[index].followers = 0
        cursor = min(cursor, index)
        // 1 s, then twice as long each time, up to a minute.
        pausedUntil = max(pausedUntil, now + .seconds(Int64(min(60, 1 << min(pauses, 6)))))
        pauses += 1
        return .postponed(until: pausedUntil)
    }

    /// Whether sending again is of no use (MQTT 5.0 §3.4.2.1).
    private func isFinal(_ reason: ReasonCode, attempts: Int) -> Bool {
        switch reason {
        case .quotaExceeded: false
        case .topicNameInvalid, .payloadFormatInvalid, .packetTooLarge, .notAuthorized: true
        default: attempts >= limits.maximumAttempts
        }
    }

    /// Messages sent with QoS 0 that no ping has confirmed yet.
    public var unconfirmedCount: Int { unconfirmed }

    /// So many pings were sent on the connection: what is sent from now on with QoS 0 waits for the answer to the next.
    public mutating func pinged(_ count: UInt64) { nextPing = count + 1 }

    /// The ping with this number was answered: what was sent before it with QoS 0 has arrived.
    public mutating func confirmed(ping number: UInt64, now: MonotonicTime) {
        guard unconfirmed > 0 else { return }
        for index in 0..<min(cursor, buffer.count)
        where buffer[index].state == .unconfirmed && buffer[index].ping <= number {
            buffer[index].state = .done
            unconfirmed -= 1
            statistics.acknowledged &+= 1
            lastProgress = now
        }
        forgetDone()
    }

    /// Whether messages are in flight and no PUBACK has come for too long: only a new connection can help.
    public func isStalled(now: MonotonicTime) -> Bool {
        link != nil && inFlight > 0 && now - lastProgress >= limits.stallTimeout
    }

    /// PUBLISHes sent on this connection and not acknowledged.
    public var inFlightCount: Int { inFlight }

    private static func expiryInterval(of message: Message, now: MonotonicTime) -> UInt32? {
        guard message.expiresAt != .distantFuture else { return nil }
        return UInt32(clamping: (message.expiresAt - now).wholeMilliseconds / 1000)
    }

    // MARK: Packet identifiers

    /// Lanes that send on one connection at the same time, at most.
    public static let slotCount = 20
    /// Packet identifiers of a lane, so that a PUBACK's says which lane it is for: 20 ranges of 3,275. Those above,
    /// 65,501…65,535, belong to no lane.
    static let identifierCount = 65_500 / slotCount

    private func identifier(_ index: Int) -> UInt16 {
        let base = (slot ?? 0) * BridgeLane.identifierCount
        return UInt16(truncatingIfNeeded: base + (headIdentifier + index) % BridgeLane.identifierCount + 1)
    }

    /// The slot whose lane has a packet identifier; nil if none has.
    static func slot(of identifier: UInt16) -> Int? {
        guard identifier > 0 else { return nil }
        let slot = (Int(identifier) - 1) / identifierCount
        return slot < slotCount ? slot : nil
    }

    private func index(of identifier: UInt16) -> Int? {
        guard let slot, BridgeLane.slot(of: identifier) == slot else { return nil }
        let place = (Int(identifier) - 1) % BridgeLane.identifierCount
        let index = (place - headIdentifier + BridgeLane.identifierCount) % BridgeLane.identifierCount
        return index < buffer.count ? index : nil
    }

    // MARK: The buffer's front

    /// Finishes the entry at the cursor.
    private mutating func skip(_ index: Int) {
        cursor = index + 1
        finish(index...index)
    }

    private mutating func finish(_ run: ClosedRange<Int>) {
        for index in run { buffer[index].state = .done }
        forgetDone()
    }

    /// Messages up to here are no longer in the cache and not wanted: those that are not under way are not sent.
    mutating func giveUp(through sequence: Int64) {
        for index in buffer.indices {
            guard buffer[index].sequence <= sequence else { break }
            if buffer[index].state == .waiting { buffer[index].state = .givenUp }
        }
        forgetDone()
        if buffer.isEmpty { bufferedThrough = max(bufferedThrough, min(sequence, committedThrough)) }
    }

    // MARK: One message among others

    /// What a lane passes over for now.
    struct Withheld {
        var sequences: Set<Int64> = []
        var topics: Set<String> = []

        @inline(__always)
        func holds(_ entry: Entry) -> Bool {
            if sequences.isEmpty, topics.isEmpty { return false }
            return sequences.contains(entry.sequence) || !topics.isEmpty && topics.contains(entry.message.topic)
        }
    }

    /// Only what is given here is passed over, until the connection ends.
    mutating func withhold(_ withheld: Withheld) {
        self.withheld = withheld
        cursor = 0
    }

    /// The oldest message that was sent on this connection and is not acknowledged.
    var oldestUnacknowledged: (sequence: Int64, topic: String)? {
        guard inFlight > 0 || unconfirmed > 0 else { return nil }
        return buffer.first { $0.state == .sent || $0.state == .unconfirmed }.map { ($0.sequence, $0.message.topic) }
    }

    /// Skips a message that the upstream will not take; false if it is not there to be sent.
    mutating func refuse(_ sequence: Int64) -> Bool {
        guard let index = buffer.firstIndex(where: { $0.sequence == sequence && $0.state == .waiting }) else { return false }
        statistics.refused &+= 1
        note(buffer[index].message, .refused)
        finish(index...index)
        return true
    }

    mutating func note(_ message: Message, _ reason: SkippedMessages.Reason) {
        skipped.add(message, reason, unless: limits.reportTopic)
    }

    /// What was skipped since the last call.
    mutating func takeSkipped() -> SkippedMessages {
        defer { skipped = SkippedMessages() }
        return skipped
    }

    /// Forgets the entries at the front that are over.
    private mutating func forgetDone() {
        while let first = buffer.first, first.isOver {
            buffer.removeFirst()
            if first.state == .done { passed += 1 }
            bufferedBytes -= first.size
            headIdentifier = (headIdentifier + 1) % BridgeLane.identifierCount
            cursor = max(0, cursor - 1)
        }
    }
}

// MARK: - Several messages in one PUBLISH

extension BridgeLane {
    /// A message that may be sent now.
    public struct Offer: Sendable {
        public let message: Message
        public let sequence: Int64
        public let isBackfill: Bool
        /// Its time is wrong by nobody knows how much.
        public let isTimeUncertain: Bool
        /// When it was ready to be sent.
        public let readyAt: MonotonicTime
    }

    /// The next messages to send, which stand side by side and all are back-fill or all are not; empty while there is none
    /// or the upstream wants a pause. What becomes of them, ``sentOffer(_:qos:room:now:)`` or ``skipOffer(_:)`` says.
    public mutating func offer(maximumCount: Int, maximumBytes: Int, now: MonotonicTime) -> [Offer] {
        guard link != nil, slot != nil, now >= pausedUntil else { return [] }
        let end = min(buffer.count, BridgeLane.identifierCount)
        while cursor < end, buffer[cursor].state != .waiting || withheld.holds(buffer[cursor]) { cursor += 1 }
        while cursor < min(buffer.count, BridgeLane.identifierCount), skipExpired(cursor, now: now) {}
        var offers: [Offer] = []
        var bytes = 0
        for index in cursor..<max(cursor, min(buffer.count, BridgeLane.identifierCount)) {
            let entry = buffer[index]
            guard entry.state == .waiting, !withheld.holds(entry), offers.count < maximumCount else { break }
            bytes += entry.message.byteCount
            let isBackfill = entry.sequence <= backfillThrough
            if let first = offers.first, first.isBackfill != isBackfill || bytes > maximumBytes { break }
            offers.append(
                Offer(
                    message: entry.message, sequence: entry.sequence, isBackfill: isBackfill, isTimeUncertain: entry.isTimeUncertain,
                    readyAt: entry.bufferedAt))
        }
        return offers
    }

    /// Whether a PUBLISH with a QoS could be sent now.
    public func hasRoom(qos: QoS, room: Int) -> Bool {
        guard let link else { return false }
        return qos == .atMostOnce || inFlight < min(limits.maximumInFlight, link.receiveMaximum) && room > 0
    }

    /// The first messages of the offer are sent in one PUBLISH; its packet identifier, 0 for QoS 0. nil if there was no room.
    public mutating func sentOffer(
        _ count: Int, qos: QoS, room: Int, now: MonotonicTime
    ) -> (packetIdentifier: UInt16, duplicate: Bool)? {
        let index = cursor
        guard count > 0, count <= Int(UInt16.max), index + count <= buffer.count, let link else { return nil }
        let duplicate = buffer[index].wasSent && link.isResumed && qos != .atMostOnce
        guard take(index, count: count, qos: qos, room: room, now: now) else { return nil }
        return (qos == .atMostOnce ? 0 : identifier(index), duplicate)
    }

    /// The first messages of the offer have no place upstream.
    public mutating func skipOffer(_ count: Int) {
        let run = cursor...max(cursor, min(cursor + count, buffer.count) - 1)
        guard run.upperBound < buffer.count else { return }
        statistics.unmapped &+= UInt64(run.count)
        cursor = run.upperBound + 1
        finish(run)
    }
}
