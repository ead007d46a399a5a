import Core
import Payload
public import Store

/// What a purge has given up.
public struct PurgeResult: Sendable {
    public let losses: [CacheLoss]

    public init(_ losses: [CacheLoss]) { self.losses = losses }

    public var messages: Int64 { losses.reduce(0) { $0 + $1.messages } }

    /// One JSON object.
    public var json: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("messages", messages)
        writer.name("lanes")
        writer.beginArray()
        for loss in losses {
            writer.beginObject()
            writer.name("lane")
            writer.string(loss.lane)
            writer.member("messages", loss.messages)
            writer.member("from", loss.oldest.milliseconds)
            writer.member("to", loss.newest.milliseconds)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.finish()
    }
}
