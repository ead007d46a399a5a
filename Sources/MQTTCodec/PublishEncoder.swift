public import Core
public import NIOCore

// PUBLISH as it is delivered: written for every message and every receiver.
//
//     ┌──────────────┬──────────────┬───────────────┬─────────────────────────────────────┬─────────┐
//     │ fixed header │ topic length │ packet        │ length, expiry, subscription        │ payload │
//     │    2…5       │  and topic   │ identifier 0,2│ identifiers, forwarded properties   │         │
//     └──────────────┴──────────────┴───────────────┴─────────────────────────────────────┴─────────┘

/// Appends PUBLISH packets to a buffer.
public enum PublishEncoder {
    /// Appends a message as PUBLISH.
    ///
    /// - Parameters:
    ///   - packetIdentifier: 1…65,535 for QoS 1 and 2; ignored for QoS 0.
    ///   - qos: the quality of service of this delivery.
    ///   - dup: whether it was sent before; false for QoS 0.
    ///   - version: before MQTT 5.0 the message's properties, expiry and subscription identifiers are left out.
    ///   - messageExpiryInterval: the seconds that are left to it, nil for a message without expiry.
    ///   - maximumPacketSize: the largest packet that the receiver takes, in bytes ([MQTT-3.1.2-24]).
    /// - Returns: false if the packet would be larger; then nothing was written, and the sender goes on as if it had
    ///   completed the delivery ([MQTT-3.1.2-25]).
    @inlinable
    public static func write(
        _ message: Message, packetIdentifier: UInt16, qos: QoS, retain: Bool, dup: Bool, version: ProtocolVersion,
        messageExpiryInterval: UInt32? = nil, maximumPacketSize: Int = FrameReader.maximumPacketSize,
        into buffer: inout ByteBuffer
    ) -> Bool {
        write(
            message, packetIdentifier: packetIdentifier, qos: qos, retain: retain, dup: dup, version: version,
            messageExpiryInterval: messageExpiryInterval, subscriptionIdentifiers: EmptyCollection(),
            maximumPacketSize: maximumPacketSize, into: &buffer)
    }

    /// Appends a message as PUBLISH with the identifiers of the subscriptions that it matches, each 1…268,435,455.
    /// `CollectionOfOne` serves for a single one. For the other parameters see above.
    @inlinable
    public static func write(
        _ message: Message, packetIdentifier: UInt16, qos: QoS, retain: Bool, dup: Bool, version: ProtocolVersion,
        messageExpiryInterval: UInt32?, subscriptionIdentifiers: some Collection<UInt32>,
        maximumPacketSize: Int = FrameReader.maximumPacketSize, into buffer: inout ByteBuffer
    ) -> Bool {
        message.withParts { topic, properties, payload in
            write(
                topic: topic, properties: properties, payload: payload, packetIdentifier: packetIdentifier, qos: qos,
                retain: retain, dup: dup, version: version, messageExpiryInterval: messageExpiryInterval,
                subscriptionIdentifiers: subscriptionIdentifiers, maximumPacketSize: maximumPacketSize, into: &buffer)
        }
    }

    /// The bytes of the whole packet that ``write(_:packetIdentifier:qos:retain:dup:version:messageExpiryInterval:maximumPacketSize:into:)``
    /// would append.
    @inlinable
    public static func size(
        _ message: Message, qos: QoS, version: ProtocolVersion, messageExpiryInterval: UInt32? = nil,
        subscriptionIdentifiers: some Collection<UInt32> = EmptyCollection()
    ) -> Int {
        PublishLayout(
            topicLength: message.topicLength, forwardedLength: message.propertiesLength,
            payloadLength: message.payloadLength, qos: qos, version: version,
            hasExpiry: messageExpiryInterval != nil, topicAlias: nil,
            subscriptionIdentifiers: subscriptionIdentifiers
        ).totalLength
    }
}
