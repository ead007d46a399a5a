// One published message, immutable and shared by everybody it is delivered to.
//
// Everything of variable length lies in one allocation behind the object, in the order in which a PUBLISH packet carries
// it, so that an encoder copies whole runs:
//
//     ┌──────────────┬───────┬────────────┬─────────┐
//     │ topic length │ topic │ properties │ payload │
//     │ 2, big-endian│ UTF-8 │  MQTT 5.0  │  bytes  │
//     └──────────────┴───────┴────────────┴─────────┘
//
// `properties` are the MQTT 5.0 properties that travel with a message unchanged from publisher to subscriber (payload
// format indicator, content type, response topic, correlation data, user properties), already encoded, without their
// length. Message expiry is a field, because it counts down.

/// The fixed part of a ``Message``.
@usableFromInline
struct MessageHeader: Sendable {
    @usableFromInline let topicLength: Int
    @usableFromInline let propertiesLength: Int
    @usableFromInline let payloadLength: Int
    @usableFromInline let qos: QoS
    @usableFromInline let retain: Bool
    @usableFromInline let publisher: UInt64
    @usableFromInline let expiresAt: MonotonicTime
    @usableFromInline let publishedAt: Timestamp
}

/// One published message. Immutable after ``create(topic:properties:payload:qos:retain:publisher:expiresAt:publishedAt:)``,
/// shared by reference between sessions, queues and in-process clients.
// @unchecked Sendable: nothing is written into the buffer after `create` returns.
public struct Message: @unchecked Sendable {
    @usableFromInline let buffer: ManagedBuffer<MessageHeader, UInt8>

    /// The header read through its address: as a property of the class it would be checked for exclusive access each time,
    /// which costs more than the rest of an encoding.
    @inlinable
    var header: MessageHeader { buffer.withUnsafeMutablePointerToHeader { $0.pointee } }

    private init(buffer: ManagedBuffer<MessageHeader, UInt8>) { self.buffer = buffer }

    /// Makes a message by copying its parts.
    ///
    /// - Parameters:
    ///   - topic: a valid topic name, 1…65,535 bytes of UTF-8.
    ///   - properties: encoded MQTT 5.0 properties to forward, without their length; may be empty.
    ///   - qos: the quality of service that the publisher used.
    ///   - publisher: the broker's number of the publishing session, 0 if there is none (for No Local).
    ///   - expiresAt: when the message stops being delivered; ``MonotonicTime/distantFuture`` for never.
    ///   - publishedAt: wall-clock time of reception, kept through queues and caches.
    public static func create(
        topic: UnsafeRawBufferPointer,
        properties: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        payload: UnsafeRawBufferPointer,
        qos: QoS,
        retain: Bool,
        publisher: UInt64 = 0,
        expiresAt: MonotonicTime = .distantFuture,
        publishedAt: Timestamp
    ) -> Message {
        precondition(topic.count <= UInt16.max, "a topic name has at most 65,535 bytes")
        let count = 2 + topic.count + properties.count + payload.count
        let buffer = ManagedBuffer<MessageHeader, UInt8>.create(minimumCapacity: count) { _ in
            MessageHeader(
                topicLength: topic.count,
                propertiesLength: properties.count,
                payloadLength: payload.count,
                qos: qos,
                retain: retain,
                publisher: publisher,
                expiresAt: expiresAt,
                publishedAt: publishedAt
            )
        }
        buffer.withUnsafeMutablePointerToElements { base in
            base[0] = UInt8(truncatingIfNeeded: topic.count >> 8)
            base[1] = UInt8(truncatingIfNeeded: topic.count)
            var at = UnsafeMutableRawPointer(base) + 2
            func append(_ part: UnsafeRawBufferPointer) {
                guard let start = part.baseAddress, part.count > 0 else { return }
                at.copyMemory(from: start, byteCount: part.count)
                at += part.count
            }
            append(topic)
            append(properties)
            append(payload)
        }
        return Message(buffer: buffer)
    }

    /// Makes a message from a topic and payload held in Swift collections.
    public static func create(
        topic: String,
        payload: [UInt8],
        qos: QoS,
        retain: Bool = false,
        publishedAt: Timestamp
    ) -> Message {
        var topic = topic
        return topic.withUTF8 { topic in
            payload.withUnsafeBytes { payload in
                create(
                    topic: UnsafeRawBufferPointer(topic), payload: payload, qos: qos, retain: retain,
                    publishedAt: publishedAt)
            }
        }
    }

    @inlinable public var qos: QoS { header.qos }
    @inlinable public var retain: Bool { header.retain }
    /// The broker's number of the publishing session, 0 if there is none.
    @inlinable public var publisher: UInt64 { header.publisher }
    @inlinable public var expiresAt: MonotonicTime { header.expiresAt }
    @inlinable public var publishedAt: Timestamp { header.publishedAt }
    @inlinable public var topicLength: Int { header.topicLength }
    @inlinable public var propertiesLength: Int { header.propertiesLength }
    @inlinable public var payloadLength: Int { header.payloadLength }
    /// Bytes of topic, properties and payload: what queue limits count.
    @inlinable public var byteCount: Int { topicLength + propertiesLength + payloadLength }

    /// The whole run `topic length, topic, properties, payload`.
    @inlinable
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        let count = 2 + byteCount
        return try buffer.withUnsafeMutablePointerToElements { base throws(E) -> R in
            try body(UnsafeRawBufferPointer(start: base, count: count))
        }
    }

    /// The topic's UTF-8 bytes.
    @inlinable
    public func withTopic<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        let count = topicLength
        return try buffer.withUnsafeMutablePointerToElements { base throws(E) -> R in
            try body(UnsafeRawBufferPointer(start: base + 2, count: count))
        }
    }

    /// The encoded MQTT 5.0 properties, without their length.
    @inlinable
    public func withProperties<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        let header = self.header
        return try buffer.withUnsafeMutablePointerToElements { base throws(E) -> R in
            try body(UnsafeRawBufferPointer(start: base + 2 + header.topicLength, count: header.propertiesLength))
        }
    }

    /// The payload's bytes.
    @inlinable
    public func withPayload<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        let header = self.header
        return try buffer.withUnsafeMutablePointerToElements { base throws(E) -> R in
            let start = base + 2 + header.topicLength + header.propertiesLength
            return try body(UnsafeRawBufferPointer(start: start, count: header.payloadLength))
        }
    }

    /// Topic, properties and payload.
    @inlinable
    public func withParts<R, E: Error>(
        _ body: (_ topic: UnsafeRawBufferPointer, _ properties: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer)
            throws(E) -> R
    ) throws(E) -> R {
        let header = self.header
        return try buffer.withUnsafeMutablePointerToElements { base throws(E) -> R in
            let topic = UnsafeRawBufferPointer(start: base + 2, count: header.topicLength)
            let properties = UnsafeRawBufferPointer(start: base + 2 + header.topicLength, count: header.propertiesLength)
            let payload = UnsafeRawBufferPointer(
                start: base + 2 + header.topicLength + header.propertiesLength, count: header.payloadLength)
            return try body(topic, properties, payload)
        }
    }

    /// Whether both are the same publish, not merely equal.
    public func isIdentical(to other: Message) -> Bool { buffer === other.buffer }

    /// The topic as text. Allocates; not for the data path.
    @inlinable public var topic: String { withTopic { String(decoding: $0, as: UTF8.self) } }

    /// The payload as an array. Allocates; not for the data path.
    @inlinable public var payload: [UInt8] { withPayload { Array($0) } }
}
