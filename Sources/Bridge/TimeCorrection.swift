import Core
import Payload
import Store

/// Corrects in a measurement-point post what the store has corrected of the message: the time of a value that was read before
/// the box knew the time.
struct TimeCorrection: ~Copyable {
    private var scanner = JSONScanner()
    /// What a post's topic ends with, whatever it is called upstream.
    private static let post = Array("/thing/measurepoint/post".utf8)

    mutating func apply(to cached: CachedMessage) -> CachedMessage {
        guard cached.timeCorrection != 0, cached.message.withTopic({ $0.suffix(Self.post.count).elementsEqual(Self.post) })
        else { return cached }
        let message = cached.message
        let payload = message.withPayload { payload in
            MeasurepointTime.corrected(
                payload, publishedAt: message.publishedAt, by: cached.timeCorrection, scanner: &scanner)
        }
        guard let payload else { return cached }
        let corrected = message.withTopic { topic in
            message.withProperties { properties in
                payload.withUnsafeBytes { payload in
                    Message.create(
                        topic: topic, properties: properties, payload: payload, qos: message.qos, retain: message.retain,
                        expiresAt: message.expiresAt, publishedAt: message.publishedAt)
                }
            }
        }
        return CachedMessage(sequence: cached.sequence, message: corrected, timeCorrection: cached.timeCorrection)
    }
}
