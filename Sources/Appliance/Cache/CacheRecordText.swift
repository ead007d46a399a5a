import Core
import Payload
import Security
import Store

/// A message of the cache as a line of text.
struct CacheRecordText {
    var lane: String
    var isBackfill: Bool

    static let csvNames = Array("route,lane,sequence,time,topic,qos,retain,backfill,encoding,payload\r\n".utf8)

    private var route: String { String(lane.prefix { $0 != "#" }) }

    func append(_ cached: CachedMessage, _ format: CacheInspector.Format, to text: inout [UInt8]) {
        switch format {
        case .json: appendJSON(cached, to: &text)
        case .csv: appendCSV(cached, to: &text)
        }
    }

    static func append(_ block: DamagedBlock, to text: inout [UInt8]) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("lane")
        writer.string(block.lane)
        writer.member("firstSequence", block.firstSequence)
        writer.member("lastSequence", block.lastSequence)
        writer.member("foundAt", block.foundAt.milliseconds)
        writer.member("bytes", Int64(block.data.count))
        writer.name("dataBase64")
        writer.string(String(decoding: Base64.encode(block.data), as: UTF8.self))
        writer.endObject()
        text += writer.finish()
        text.append(UInt8(ascii: "\n"))
    }

    private func appendJSON(_ cached: CachedMessage, to text: inout [UInt8]) {
        let message = cached.message
        let (encoding, payload) = CacheRecordText.payload(of: message)
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("route")
        writer.string(route)
        writer.name("lane")
        writer.string(lane)
        writer.member("sequence", cached.sequence)
        writer.member("time", message.publishedAt.milliseconds)
        writer.name("topic")
        writer.string(message.withTopic { String(decoding: $0, as: UTF8.self) })
        writer.member("qos", Int64(message.qos.rawValue))
        writer.name("retain")
        writer.bool(message.retain)
        writer.name("backfill")
        writer.bool(isBackfill)
        writer.name(encoding == .text ? "payload" as String : "payloadBase64")
        writer.string(payload)
        // As MQTT 5.0 encodes them, for whoever has to know all.
        if message.propertiesLength > 0 {
            writer.name("propertiesBase64")
            writer.string(message.withProperties { String(decoding: Base64.encode($0), as: UTF8.self) })
        }
        writer.endObject()
        text += writer.finish()
        text.append(UInt8(ascii: "\n"))
    }

    private enum Encoding: String {
        case text, base64
    }

    /// As it is, if it is UTF-8.
    private static func payload(of message: Message) -> (Encoding, String) {
        message.withPayload { payload in
            if let text = String(validating: payload, as: UTF8.self) { return (.text, text) }
            return (.base64, String(decoding: Base64.encode(payload), as: UTF8.self))
        }
    }

    private func appendCSV(_ cached: CachedMessage, to text: inout [UInt8]) {
        let message = cached.message
        let topic = message.withTopic { String(decoding: $0, as: UTF8.self) }
        let (encoding, payload) = CacheRecordText.payload(of: message)
        let fields = [
            route, lane, "\(cached.sequence)", ISOTime.text(message.publishedAt), topic, "\(message.qos.rawValue)",
            "\(message.retain)", "\(isBackfill)", encoding.rawValue, payload,
        ]
        text += Array(fields.map(CacheRecordText.quoted).joined(separator: ",").utf8) + Array("\r\n".utf8)
    }

    /// RFC 4180 §2: in quotation marks where there is a separator, a line end or a quotation mark.
    private static func quoted(_ field: String) -> String {
        guard field.utf8.contains(where: { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }) else { return field }
        return "\"" + field.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
