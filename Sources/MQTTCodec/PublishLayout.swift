public import Core

/// The lengths of a PUBLISH that is about to be written, and the parts that are not copied from the message.
@usableFromInline
struct PublishLayout {
    @usableFromInline let topicLength: Int
    /// Of all properties, without the length itself; -1 if the version has none.
    @usableFromInline let propertiesLength: Int
    @usableFromInline let remainingLength: Int
    @usableFromInline let totalLength: Int

    @inlinable @inline(__always)
    init(
        topicLength: Int, forwardedLength: Int, payloadLength: Int, qos: QoS, version: ProtocolVersion,
        hasExpiry: Bool, topicAlias: UInt16?, subscriptionIdentifiers: some Collection<UInt32>
    ) {
        self.topicLength = topicLength
        var length = 2 &+ topicLength &+ payloadLength
        // [MQTT-2.2.1-2] QoS 0 has no packet identifier.
        if qos != .atMostOnce { length &+= 2 }
        if version == .v5 {
            var properties = forwardedLength
            if hasExpiry { properties &+= 5 }
            if topicAlias != nil { properties &+= 3 }
            for identifier in subscriptionIdentifiers {
                properties &+= 1 &+ PublishLayout.variableByteLength(Int(identifier))
            }
            propertiesLength = properties
            length &+= properties &+ PublishLayout.variableByteLength(properties)
        } else {
            propertiesLength = -1
        }
        remainingLength = length
        // More than four length bytes do not exist; the caller refuses such a packet by its total length.
        totalLength = 1 &+ PublishLayout.variableByteLength(length) &+ length
    }

    /// The bytes that a Variable Byte Integer takes, 5 for a number that it cannot say.
    @inlinable @inline(__always)
    static func variableByteLength(_ value: Int) -> Int {
        if value < 0x80 { return 1 }
        if value < 0x4000 { return 2 }
        if value < 0x20_0000 { return 3 }
        return value < 0x1000_0000 ? 4 : 5
    }

    /// A Variable Byte Integer (§1.5.5).
    @inlinable @inline(__always)
    static func writeVariableByteInteger(_ value: Int, to at: inout UnsafeMutableRawPointer) {
        var value = value
        while value >= 0x80 {
            at.storeBytes(of: UInt8(truncatingIfNeeded: value) | 0x80, as: UInt8.self)
            at += 1
            value = Int(bitPattern: UInt(bitPattern: value) >> 7)
        }
        at.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        at += 1
    }

    @inlinable @inline(__always)
    static func write<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, to at: inout UnsafeMutableRawPointer) {
        at.storeBytes(of: value.bigEndian, as: T.self)
        at += MemoryLayout<T>.size
    }

    @inlinable @inline(__always)
    func writeFixedHeader(qos: QoS, retain: Bool, dup: Bool, to at: inout UnsafeMutableRawPointer) {
        // [MQTT-4.3.1-1], [MQTT-4.3.2-2], [MQTT-4.3.3-2]
        let flags = qos.rawValue << 1 | (retain ? 0b0001 : 0) | (dup ? 0b1000 : 0)
        PublishLayout.write(PacketType.publish.rawValue << 4 | flags, to: &at)
        PublishLayout.writeVariableByteInteger(remainingLength, to: &at)
    }

    /// The length of the properties and those that are not forwarded ones, which follow.
    @inlinable @inline(__always)
    func writeProperties(
        messageExpiryInterval: UInt32?, topicAlias: UInt16?, subscriptionIdentifiers: some Collection<UInt32>,
        to at: inout UnsafeMutableRawPointer
    ) {
        PublishLayout.writeVariableByteInteger(propertiesLength, to: &at)
        if let messageExpiryInterval {
            PublishLayout.write(PublishLayout.messageExpiryIdentifier, to: &at)
            PublishLayout.write(messageExpiryInterval, to: &at)
        }
        if let topicAlias {
            PublishLayout.write(PublishLayout.topicAliasIdentifier, to: &at)
            PublishLayout.write(topicAlias, to: &at)
        }
        for identifier in subscriptionIdentifiers {
            PublishLayout.write(PublishLayout.subscriptionIdentifierIdentifier, to: &at)
            PublishLayout.writeVariableByteInteger(Int(identifier), to: &at)
        }
    }

    @inlinable static var messageExpiryIdentifier: UInt8 { 0x02 }
    @inlinable static var topicAliasIdentifier: UInt8 { 0x23 }
    @inlinable static var subscriptionIdentifierIdentifier: UInt8 { 0x0B }
}
