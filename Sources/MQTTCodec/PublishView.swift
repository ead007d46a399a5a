public import Core

/// A PUBLISH (MQTT 5.0 §3.3) read in place: flags, numbers, and where the parts of variable length lie in the body.
///
/// The ranges are offsets into the body that was given to ``read(body:flags:version:)`` and mean nothing once its bytes
/// have moved.
@frozen
public struct PublishView: Sendable {
    /// The topic name: well-formed UTF-8 without wildcards and U+0000. Empty only if there is a ``topicAlias``.
    public var topic: Range<Int>
    /// 0 for QoS 0.
    public var packetIdentifier: UInt16
    public var qos: QoS
    public var retain: Bool
    public var dup: Bool
    /// The properties that travel on with the message (payload format indicator, content type, response topic,
    /// correlation data, user properties) as they are encoded, in one run; empty if there are none. nil if others lie
    /// between them: then ``appendForwardedProperties(of:to:)`` puts the run together.
    public var forwardedProperties: Range<Int>?
    /// All properties, without their length; empty before MQTT 5.0.
    public var properties: Range<Int>
    public var payload: Range<Int>
    /// Seconds; nil if the message does not expire.
    public var messageExpiryInterval: UInt32?
    /// 1…65,535; nil if there is none.
    public var topicAlias: UInt16?
    /// Whether the payload format indicator says that the payload is UTF-8. It is not checked.
    public var payloadFormatIsUTF8: Bool
    /// Whether there are subscription identifiers, which a client must not send ([MQTT-3.3.4-6]).
    public var hasSubscriptionIdentifiers: Bool

    /// Decodes a body. Allocates nothing.
    ///
    /// - Parameters:
    ///   - body: the bytes of ``Frame/body``.
    ///   - flags: ``Frame/flags``.
    @inlinable @inline(__always)
    public static func read(
        body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion
    ) throws(DecodeError) -> PublishView {
        let count = body.count
        guard count >= 2, let base = body.baseAddress else { throw .truncated("topic name", at: 0) }
        // [MQTT-3.3.2-1] the topic name comes first, and is text.
        let topicEnd = Int(UInt16(bigEndian: base.loadUnaligned(as: UInt16.self))) &+ 2
        guard count >= topicEnd else { throw .truncated("topic name", at: 2) }
        let topic = UnsafeRawBufferPointer(start: base + 2, count: topicEnd &- 2)
        guard UTF8EncodedString.isValidTopicName(topic) else { throw invalidTopic(topic) }

        var offset = topicEnd
        var packetIdentifier: UInt16 = 0
        if flags & 0b0110 != 0 {
            guard count &- offset >= 2 else { throw .truncated("packet identifier", at: offset) }
            packetIdentifier = UInt16(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            // [MQTT-2.2.1-3] not zero.
            guard packetIdentifier != 0 else { throw .protocolError("packet identifier is zero", at: offset) }
            offset &+= 2
        }
        if version == .v5 {
            guard offset < count, base.load(fromByteOffset: offset, as: UInt8.self) == 0 else {
                return try readProperties(
                    of: body, topicEnd: topicEnd, packetIdentifier: packetIdentifier, flags: flags, from: offset)
            }
            offset &+= 1
        }
        // [MQTT-4.7.3-1] a topic name has at least one character.
        guard topicEnd > 2 else { throw emptyTopic(version: version) }
        return PublishView(
            topicEnd: topicEnd, packetIdentifier: packetIdentifier, flags: flags,
            payload: Range(uncheckedBounds: (offset, count)))
    }

    /// A PUBLISH without properties.
    @inlinable @inline(__always)
    init(topicEnd: Int, packetIdentifier: UInt16, flags: UInt8, payload: Range<Int>) {
        topic = Range(uncheckedBounds: (2, topicEnd))
        self.packetIdentifier = packetIdentifier
        qos = flags & 0b0100 != 0 ? .exactlyOnce : flags & 0b0010 != 0 ? .atLeastOnce : .atMostOnce
        retain = flags & 0b0001 != 0
        dup = flags & 0b1000 != 0
        forwardedProperties = Range(uncheckedBounds: (payload.lowerBound, payload.lowerBound))
        properties = Range(uncheckedBounds: (payload.lowerBound, payload.lowerBound))
        self.payload = payload
        messageExpiryInterval = nil
        topicAlias = nil
        payloadFormatIsUTF8 = false
        hasSubscriptionIdentifiers = false
    }

    /// A wildcard is malformed as ill-formed UTF-8 is: no topic name has one, so the field does not parse as one.
    @usableFromInline
    static func invalidTopic(_ topic: UnsafeRawBufferPointer) -> DecodeError {
        UTF8EncodedString.isValid(topic)
            ? .malformed("topic name has a wildcard", at: 2)
            : .illFormed("topic name", at: 2)
    }

    @usableFromInline
    static func emptyTopic(version: ProtocolVersion) -> DecodeError {
        // §3.3.2.1 of MQTT 5.0: empty without an alias is a Protocol Error.
        version == .v5
            ? .protocolError("topic name is empty and there is no topic alias", at: 0)
            : .malformed("topic name is empty", at: 0)
    }
}
