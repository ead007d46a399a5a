public import Core

// What of a PUBLISH is the same for many receivers is encoded once. The forms differ in whether there are properties
// (MQTT 5.0) and whether there is a packet identifier (QoS 1 and 2); a receiver copies the form of its kind and puts the
// flags of the first byte and the packet identifier in.

/// One encoding of a PUBLISH, without flags, and with a packet identifier of zero.
public struct PublishForm {
    @usableFromInline let bytes: UnsafeRawPointer
    /// Bytes of the whole packet.
    public let count: Int
    /// Where the packet identifier stands, 0 if there is none.
    @usableFromInline let identifierOffset: Int

    /// Writes the packet to `target`, which has room for ``count`` bytes.
    @inlinable @inline(__always)
    public func write(qos: QoS, retain: Bool, packetIdentifier: UInt16, to target: UnsafeMutableRawPointer) {
        target.copyMemory(from: bytes, byteCount: count)
        let flags = qos.rawValue << 1 | (retain ? 0b0001 : 0)
        target.storeBytes(of: PacketType.publish.rawValue << 4 | flags, as: UInt8.self)
        if identifierOffset > 0 {
            (target + identifierOffset).storeBytes(of: packetIdentifier.bigEndian, as: UInt16.self)
        }
    }
}

/// The forms of one message at a time, in memory that is used again for the next one.
public final class PublishForms {
    private struct Slot {
        var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        var form: PublishForm?
    }

    /// By version 5.0 and by QoS above 0.
    private var slots = [Slot](repeating: Slot(), count: 4)
    /// Memory that is kept for the next message, in bytes.
    private static let keptMemory = 64 << 10

    public init() {}

    deinit { for slot in slots { slot.memory.deallocate() } }

    /// Forgets the message.
    public func clear() {
        for index in slots.indices {
            slots[index].form = nil
            if slots[index].memory.count > PublishForms.keptMemory {
                slots[index].memory.deallocate()
                slots[index].memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
            }
        }
    }

    /// The form for a kind of receiver, made if this is the first of its kind; nil if the packet would be larger than MQTT
    /// allows. Valid until ``clear()``.
    ///
    /// - Parameters:
    ///   - properties: those that travel with the message, without their length.
    ///   - messageExpiryInterval: what is left of it in seconds, nil for a message that does not expire.
    public func form(
        version: ProtocolVersion, qos: QoS, topic: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer,
        payload: UnsafeRawBufferPointer, messageExpiryInterval: UInt32?
    ) -> PublishForm? {
        let index = (version == .v5 ? 2 : 0) | (qos == .atMostOnce ? 0 : 1)
        if let form = slots[index].form { return form }
        let layout = PublishLayout(
            topicLength: topic.count, forwardedLength: properties.count, payloadLength: payload.count, qos: qos,
            version: version, hasExpiry: messageExpiryInterval != nil, topicAlias: nil,
            subscriptionIdentifiers: EmptyCollection())
        guard layout.totalLength <= FrameReader.maximumPacketSize else { return nil }
        if slots[index].memory.count < layout.totalLength {
            slots[index].memory.deallocate()
            slots[index].memory = .allocate(byteCount: max(1024, layout.totalLength), alignment: 8)
        }
        let start = slots[index].memory.baseAddress.unsafelyUnwrapped
        let identifier = layout.write(
            topic: topic, properties: properties, payload: payload, packetIdentifier: 0, qos: qos, retain: false, dup: false,
            version: version, messageExpiryInterval: messageExpiryInterval, topicAlias: nil,
            subscriptionIdentifiers: EmptyCollection(), to: start)
        let form = PublishForm(bytes: start, count: layout.totalLength, identifierOffset: identifier)
        slots[index].form = form
        return form
    }
}
