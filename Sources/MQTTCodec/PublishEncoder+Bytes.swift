public import Core
public import NIOCore

extension PublishEncoder {
    /// Appends a PUBLISH from its parts: what a client sends that has no `Message`.
    ///
    /// - Parameters:
    ///   - topic: a topic name of at most 65,535 bytes; empty only with a topic alias.
    ///   - properties: encoded properties to forward, without their length; left out before MQTT 5.0.
    ///   - packetIdentifier: 1…65,535 for QoS 1 and 2; ignored for QoS 0.
    ///   - topicAlias: 1…65,535; left out before MQTT 5.0.
    ///   - maximumPacketSize: the largest packet that the receiver takes, in bytes.
    /// - Returns: false if topic or packet are too large; then nothing was written.
    @inlinable
    public static func write(
        topic: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        payload: UnsafeRawBufferPointer, packetIdentifier: UInt16, qos: QoS, retain: Bool = false, dup: Bool = false,
        version: ProtocolVersion, messageExpiryInterval: UInt32? = nil, topicAlias: UInt16? = nil,
        subscriptionIdentifiers: some Collection<UInt32> = EmptyCollection<UInt32>(),
        maximumPacketSize: Int = FrameReader.maximumPacketSize, into buffer: inout ByteBuffer
    ) -> Bool {
        let layout = PublishLayout(
            topicLength: topic.count, forwardedLength: properties.count, payloadLength: payload.count, qos: qos,
            version: version, hasExpiry: messageExpiryInterval != nil, topicAlias: topicAlias,
            subscriptionIdentifiers: subscriptionIdentifiers)
        guard topic.count <= Int(UInt16.max), layout.totalLength <= min(maximumPacketSize, FrameReader.maximumPacketSize)
        else { return false }
        buffer.append(layout.totalLength) { target in
            _ = layout.write(
                topic: topic, properties: properties, payload: payload, packetIdentifier: packetIdentifier, qos: qos,
                retain: retain, dup: dup, version: version, messageExpiryInterval: messageExpiryInterval,
                topicAlias: topicAlias, subscriptionIdentifiers: subscriptionIdentifiers, to: target)
        }
        return true
    }
}

extension PublishLayout {
    /// Writes the whole packet, of which `totalLength` bytes are free at `target`.
    ///
    /// - Returns: where the packet identifier stands, 0 if there is none.
    @inlinable @inline(__always)
    func write(
        topic: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer,
        packetIdentifier: UInt16, qos: QoS, retain: Bool, dup: Bool, version: ProtocolVersion,
        messageExpiryInterval: UInt32?, topicAlias: UInt16?, subscriptionIdentifiers: some Collection<UInt32>,
        to target: UnsafeMutableRawPointer
    ) -> Int {
        var at = target
        var identifierOffset = 0
        writeFixedHeader(qos: qos, retain: retain, dup: dup, to: &at)
        PublishLayout.write(UInt16(truncatingIfNeeded: topic.count), to: &at)
        PublishLayout.write(topic, to: &at)
        if qos != .atMostOnce {
            identifierOffset = at - target
            PublishLayout.write(packetIdentifier, to: &at)
        }
        if version == .v5 {
            writeProperties(
                messageExpiryInterval: messageExpiryInterval, topicAlias: topicAlias,
                subscriptionIdentifiers: subscriptionIdentifiers, to: &at)
            PublishLayout.write(properties, to: &at)
        }
        PublishLayout.write(payload, to: &at)
        return identifierOffset
    }

    @inlinable @inline(__always)
    static func write(_ bytes: UnsafeRawBufferPointer, to at: inout UnsafeMutableRawPointer) {
        guard let base = bytes.baseAddress else { return }
        at.copyMemory(from: base, byteCount: bytes.count)
        at += bytes.count
    }
}
