import Core
import MQTTCodec

/// Makes of a message of the cache what is sent: with the marks and under the name that it has as back-fill.
struct SentMessage {
    private var properties: [UInt8] = []
    private var topic: [UInt8] = []

    /// Bytes that marks add at most.
    static let markBytes = 128

    /// The message as it is sent. A topic for which the back-fill's mapping has no name keeps its own.
    ///
    /// - Parameter canMark: whether the connection's version has user properties.
    mutating func make(
        of message: Message, sequence: Int64, isBackfill: Bool, isTimeUncertain: Bool,
        _ backfill: BridgeConfiguration.Backfill, canMark: Bool
    ) -> Message {
        let marks = backfill.marks && canMark
        let isRenamed = isBackfill && message.withTopic { backfill.mapping?.map($0, into: &topic) ?? false }
        guard marks || isRenamed else { return message }
        properties.removeAll(keepingCapacity: true)
        message.withProperties { properties.append(contentsOf: $0) }
        if marks {
            append("martlet-time", String(message.publishedAt.milliseconds))
            if isTimeUncertain { append("martlet-time-uncertain", "1") }
            append("martlet-sequence", String(sequence))
            if isBackfill { append("martlet-backfill", "1") }
        }
        return message.withTopic { original in
            topic.withUnsafeBytes { mapped in
                properties.withUnsafeBytes { properties in
                    message.withPayload { payload in
                        Message.create(
                            topic: isRenamed ? mapped : original, properties: properties, payload: payload,
                            qos: message.qos, retain: message.retain, expiresAt: message.expiresAt,
                            publishedAt: message.publishedAt)
                    }
                }
            }
        }
    }

    private mutating func append(_ name: String, _ value: String) {
        ForwardedProperties.append(userProperty: name.utf8, value.utf8, to: &properties)
    }
}
