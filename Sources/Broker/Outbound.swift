public import Core
public import MQTTCodec

/// A message on its way to one client.
public struct OutboundPublish: Sendable {
    public let message: Message
    /// Identifiers of the subscriptions that matched; nil if none has one (MQTT 5.0 §3.3.2.3.8).
    public let subscriptionIdentifiers: [UInt32]?
    /// 0 for QoS 0.
    public let packetIdentifier: UInt16
    /// What the subscription granted, at most the publisher's.
    public let qos: QoS
    public let retain: Bool
    public let duplicate: Bool

    init(_ message: Message, _ delivery: Delivery) {
        self.message = message
        subscriptionIdentifiers = delivery.subscriptionIdentifiers
        packetIdentifier = delivery.packetIdentifier
        qos = delivery.qos
        retain = delivery.retain
        duplicate = delivery.duplicate
    }
}

/// One thing that the broker wants to be sent to a client, in this order.
///
/// What is sent often is small, because it is moved in and out of outboxes.
public enum Outbound: Sendable {
    case publish(OutboundPublish)
    case puback(AcknowledgementPacket)
    case pubrec(AcknowledgementPacket)
    case pubrel(AcknowledgementPacket)
    case pubcomp(AcknowledgementPacket)
    case suback(SubackPacket)
    case unsuback(SubackPacket)
    indirect case connack(ConnackPacket)
    case pingresp
    /// The connection ends after what stands before this. MQTT 5.0 clients are told why.
    case disconnect(ReasonCode)
}
