public import Core
public import NIOCore

// PUBLISH as it is delivered: written for every message and every receiver.
//
//     ┌──────────────┬──────────────┬───────────────┬─────────────────────────────────────┬─────────┐
//     │ fixed header │ topic length │ packet        │ length, expiry, subscription        │ payload │
//     │    2…5       │  and topic   │ identifier 0,2│ identifiers, forwarded properties   │         │
//     └──────────────┴──────────────┴───────────────┴─────────────────────────────────────┴─────────┘
//
// A `Message` holds `topic length, topic, forwarded properties, payload` in one run. With nothing to put between them,
// which is QoS 0 before MQTT 5.0 of a message without properties, the whole run is one copy; else it is two.

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
        if version != .v5, qos == .atMostOnce, message.propertiesLength == 0 {
            return writeRun(message, retain: retain, maximumPacketSize: maximumPacketSize, into: &buffer)
        }
        return write(
            message, packetIdentifier: packetIdentifier, qos: qos, retain: retain, dup: dup, version: version,
            messageExpiryInterval: messageExpiryInterval, subscriptionIdentifiers: EmptyCollection(),
            maximumPacketSize: maximumPacketSize, into: &buffer)
    }

    /// A delivery that is a fixed header and the message's run as it is.
    @inlinable
    static func writeRun(
        _ message: Message, retain: Bool, maximumPacketSize: Int, into buffer: inout ByteBuffer
    ) -> Bool {
        message.withUnsafeBytes { run in
            let totalLength = 1 &+ PublishLayout.variableByteLength(run.count) &+ run.count
            guard totalLength <= maximumPacketSize, totalLength <= FrameReader.maximumPacketSize else { return false }
            buffer.append(totalLength) { target in
                var at = target
                PublishLayout.write(PacketType.publish.rawValue << 4 | (retain ? 1 : 0), to: &at)
                PublishLayout.writeVariableByteInteger(run.count, to: &at)
                at.copyMemory(from: run.baseAddress.unsafelyUnwrapped, byteCount: run.count)
            }
            return true
        }
    }

    /// Appends a message as PUBLISH with the identifiers of the subscriptions that it matches, each 1…268,435,455.
    /// `CollectionOfOne` serves for a single one. For the other parameters see above.
    @inlinable
    public static func write(
        _ message: Message, packetIdentifier: UInt16, qos: QoS, retain: Bool, dup: Bool, version: ProtocolVersion,
        messageExpiryInterval: UInt32?, subscriptionIdentifiers: some Collection<UInt32>,
        maximumPacketSize: Int = FrameReader.maximumPacketSize, into buffer: inout ByteBuffer
    ) -> Bool {
        let layout = PublishLayout(
            topicLength: message.topicLength, forwardedLength: message.propertiesLength,
            payloadLength: message.payloadLength, qos: qos, version: version,
            hasExpiry: messageExpiryInterval != nil, topicAlias: nil,
            subscriptionIdentifiers: subscriptionIdentifiers)
        guard layout.totalLength <= min(maximumPacketSize, FrameReader.maximumPacketSize) else { return false }
        return message.withUnsafeBytes { run in
            let base = run.baseAddress.unsafelyUnwrapped
            buffer.append(layout.totalLength) { target in
                var at = target
                layout.writeFixedHeader(qos: qos, retain: retain, dup: dup, to: &at)
                let head = 2 &+ layout.topicLength
                at.copyMemory(from: base, byteCount: head)
                at += head
                if qos != .atMostOnce { PublishLayout.write(packetIdentifier, to: &at) }
                var tail = head &+ message.propertiesLength
                if version == .v5 {
                    layout.writeProperties(
                        messageExpiryInterval: messageExpiryInterval, topicAlias: nil,
                        subscriptionIdentifiers: subscriptionIdentifiers, to: &at)
                    tail = head
                }
                at.copyMemory(from: base + tail, byteCount: run.count &- tail)
            }
            return true
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
