// A message as a record of the sessions file:
//
//     ┌─────────┬───────┬──────────────┬───────────────────┬──────────────┬───────┬────────────┬─────────┬────────┐
//     │ version │ flags │ published at │ properties length │ topic length │ topic │ properties │ payload │ CRC-32C│
//     │    1    │   1   │  8, ms, LE   │      varint       │ 2, big-endian│       │            │         │  4, LE │
//     └─────────┴───────┴──────────────┴───────────────────┴──────────────┴───────┴────────────┴─────────┴────────┘
//
// From the topic length to the payload it is the run of bytes that `Message` holds in memory. The publisher's number is
// not kept: it means nothing after a restart.

internal import Core

enum MessageRecord {
    private static let version: UInt8 = 1
    private static let retainFlag: UInt8 = 4

    static func encode(_ message: Message, into buffer: inout EncodingBuffer) {
        buffer.removeAll(keepingAtMost: 1 << 18)
        buffer.append(version)
        buffer.append(message.qos.rawValue | (message.retain ? retainFlag : 0))
        buffer.append(littleEndian: message.publishedAt.milliseconds)
        buffer.append(varint: UInt64(message.propertiesLength))
        message.withUnsafeBytes { buffer.append($0) }
        buffer.append(littleEndian: CRC32C.update(0, buffer.bytes))
    }

    /// nil when the bytes are not what ``encode(_:into:)`` wrote.
    static func decode(_ bytes: UnsafeRawBufferPointer, expiresAt: MonotonicTime) -> Message? {
        guard bytes.count > 4 else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 4)])
        var trailer = ByteCursor(bytes, position: bytes.count - 4)
        guard trailer.littleEndian(UInt32.self) == CRC32C.update(0, body) else { return nil }

        var cursor = ByteCursor(body)
        guard cursor.byte() == version,
            let flags = cursor.byte(), flags & ~7 == 0, let qos = QoS(rawValue: flags & 3),
            let publishedAt = cursor.littleEndian(Int64.self),
            let propertiesLength = cursor.varint(),
            let topicLength = cursor.littleEndian(UInt16.self),
            let topic = cursor.take(UInt64(topicLength.byteSwapped)),
            let properties = cursor.take(propertiesLength),
            let payload = cursor.take(UInt64(cursor.remaining))
        else { return nil }
        return Message.create(
            topic: topic, properties: properties, payload: payload, qos: qos, retain: flags & retainFlag != 0,
            expiresAt: expiresAt, publishedAt: Timestamp(milliseconds: publishedAt))
    }
}
