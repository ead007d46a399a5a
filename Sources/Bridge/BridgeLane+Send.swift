public import Core
import DequeModule
public import MQTTCodec

/// A message to be sent upstream now.
public struct LanePublish: Sendable {
    public let message: Message
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
        for index in 0..<min(cursor, buffer.count) where buffer[index].state == .sent { buffer[index].state = .waiting }
        cursor = 0
        inFlight = 0
    }

    /// The next message to send; nil while there is none, the window is full or the upstream wants a pause.
    public mutating func next(now: MonotonicTime) -> LanePublish? {
        guard let link, now >= pausedUntil else { return nil }
        // Identifiers must not wrap around onto one that is still in use.
        while cursor < min(buffer.count, BridgeLane.identifierCount) {
            let index = cursor
            guard buffer[index].state == .waiting else {
                cursor += 1
                continue
            }
            let message = buffer[index].message
            if message.expiresAt <= now, !buffer[index].wasSent {
                statistics.expired &+= 1
                skip(index)
                continue
            }
            let expiryInterval = link.version == .v5 ? BridgeLane.expiryInterval(of: message, now: now) : nil
            let size = PublishEncoder.size(
                message, qos: message.qos, version: link.version, messageExpiryInterval: expiryInterval)
            if size > link.maximumPacketSize {
                // [MQTT-3.1.2-24], [MQTT-3.2.2-15]
                statistics.tooLarge &+= 1
                skip(index)
                continue
            }
            let duplicate = buffer[index].wasSent
            if message.qos == .atMostOnce {
                statistics.acknowledged &+= 1
                skip(index)
            } else {
                guard inFlight < min(limits.maximumInFlight, link.receiveMaximum) else { return nil }
                if inFlight == 0 { lastProgress = now }
                buffer[index].state = .sent
                buffer[index].wasSent = true
                inFlight += 1
                cursor += 1
            }
            statistics.sent &+= 1
            if duplicate { statistics.sentAgain &+= 1 }
            return LanePublish(
                message: message, packetIdentifier: message.qos == .atMostOnce ? 0 : identifier(index),
                duplicate: duplicate && link.isResumed, messageExpiryInterval: expiryInterval)
        }
        return nil
    }

    /// PUBACK.
    public mutating func puback(_ packet: AcknowledgementPacket, now: MonotonicTime) -> Answer {
        guard link != nil, let index = index(of: packet.packetIdentifier), buffer[index].state == .sent else {
            return .unexpected
        }
        lastProgress = now
        inFlight -= 1
        guard packet.reasonCode.isError else {
            statistics.acknowledged &+= 1
            pauses = 0
            finish(index)
            return .arrived
        }
        buffer[index].attempts = min(buffer[index].attempts, .max - 1) + 1
        if isFinal(packet.reasonCode, attempts: Int(buffer[index].attempts)) {
            statistics.refused &+= 1
            let topic = buffer[index].message.topic
            finish(index)
            return .skipped(topic: topic)
        }
        buffer[index].state = .waiting
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

    /// Whether messages are in flight and no PUBACK has come for too long: only a new connection can help.
    public func isStalled(now: MonotonicTime) -> Bool {
        link != nil && inFlight > 0 && now - lastProgress >= limits.stallTimeout
    }

    /// Messages sent on this connection and not acknowledged.
    public var inFlightCount: Int { inFlight }

    private static func expiryInterval(of message: Message, now: MonotonicTime) -> UInt32? {
        guard message.expiresAt != .distantFuture else { return nil }
        return UInt32(clamping: (message.expiresAt - now).wholeMilliseconds / 1000)
    }

    /// Message identifiers are 1…65,534; the last one is left to SUBSCRIBE.
    static let identifierCount = 65_534

    private func identifier(_ index: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: (headIdentifier + index) % BridgeLane.identifierCount + 1)
    }

    private func index(of identifier: UInt16) -> Int? {
        guard identifier > 0, Int(identifier) <= BridgeLane.identifierCount else { return nil }
        let index = (Int(identifier) - 1 - headIdentifier + BridgeLane.identifierCount) % BridgeLane.identifierCount
        return index < buffer.count ? index : nil
    }

    /// Finishes the entry at the cursor.
    private mutating func skip(_ index: Int) {
        cursor = index + 1
        finish(index)
    }

    /// Marks an entry as done and forgets those at the front that are.
    private mutating func finish(_ index: Int) {
        buffer[index].state = .done
        while let first = buffer.first, first.state == .done {
            buffer.removeFirst()
            bufferedBytes -= first.size
            headIdentifier = (headIdentifier + 1) % BridgeLane.identifierCount
            cursor = max(0, cursor - 1)
        }
    }
}
