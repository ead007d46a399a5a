public import Core
public import MQTTCodec

/// The packet identifiers of a sender: which are free, and what the others wait for (MQTT 5.0 §4.3). At most as many
/// messages are unacknowledged as the window and the receiver's Receive Maximum allow.
@frozen
public struct SendWindow {
    /// What an acknowledgement leads to.
    @frozen
    public enum Step: Equatable, Sendable {
        /// The message has arrived; its identifier is free.
        case arrived(UInt16)
        /// PUBREL is to be sent.
        case release(UInt16)
        /// The receiver does not take the message and says why; its identifier is free.
        case refused(UInt16, ReasonCode)
        /// Nothing waits for it.
        case unexpected
    }

    /// What an identifier waits for.
    @frozen
    @usableFromInline
    enum Waiting: UInt8 {
        case nothing, puback, pubrec, pubcomp
    }

    /// Indexed by identifier; the first is unused.
    @usableFromInline var waiting: [Waiting]
    @usableFromInline var free: [UInt16]

    /// - Parameter size: the most messages that may be unacknowledged, 1…65,535.
    public init(size: Int) {
        waiting = Array(repeating: .nothing, count: size + 1)
        free = (1...size).reversed().map { UInt16($0) }
    }

    /// How many messages may be sent now.
    @inlinable public var available: Int { free.count }
    /// Messages that are not acknowledged.
    @inlinable public var unacknowledged: Int { waiting.count &- 1 &- free.count }

    /// The identifier for the next message.
    ///
    /// - Parameter qos: 1 or 2.
    /// - Returns: nil if none may be sent now.
    @inlinable
    public mutating func take(_ qos: QoS) -> UInt16? {
        guard let identifier = free.popLast() else { return nil }
        waiting[Int(identifier)] = qos == .exactlyOnce ? .pubrec : .puback
        return identifier
    }

    /// PUBACK, PUBREC or PUBCOMP has come.
    @inlinable
    public mutating func acknowledge(_ type: PacketType, _ packet: AcknowledgementPacket) -> Step {
        let identifier = packet.packetIdentifier
        guard Int(identifier) < waiting.count else { return .unexpected }
        switch (type, waiting[Int(identifier)]) {
        case (.puback, .puback):
            release(identifier)
            return packet.reasonCode.isError ? .refused(identifier, packet.reasonCode) : .arrived(identifier)
        case (.pubrec, .pubrec):
            // [MQTT-4.3.3-9] after an error in PUBREC the identifier is free, and no PUBREL follows.
            guard !packet.reasonCode.isError else {
                release(identifier)
                return .refused(identifier, packet.reasonCode)
            }
            waiting[Int(identifier)] = .pubcomp
            return .release(identifier)
        case (.pubrec, .pubcomp):
            return .release(identifier)
        case (.pubcomp, .pubcomp):
            release(identifier)
            return .arrived(identifier)
        default:
            return .unexpected
        }
    }

    @inlinable
    mutating func release(_ identifier: UInt16) {
        waiting[Int(identifier)] = .nothing
        free.append(identifier)
    }
}
