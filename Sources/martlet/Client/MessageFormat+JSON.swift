import Core
import MQTTCodec
import Payload

// A message as a line of JSON, with mosquitto_sub's names.

extension MessageFormat {
    /// - Parameter payloadIsJSON: whether the payload is to stand in it as the JSON that it is; what is none stays a string.
    static func json(_ message: ReceivedMessage, payloadIsJSON: Bool) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("tst")
        writer.string(date(message.receivedAt, fraction: true))
        writer.name("topic")
        writer.string(utf8: message.topic)
        writer.name("qos")
        writer.integer(UInt64(message.qos.rawValue))
        writer.name("retain")
        writer.integer(message.retain ? 1 as UInt64 : 0)
        writer.name("payloadlen")
        writer.integer(UInt64(message.payload.count))
        if message.packetIdentifier > 0 {
            writer.name("mid")
            writer.integer(UInt64(message.packetIdentifier))
        }
        writeProperties(of: message, to: &writer)
        writer.name("payload")
        if payloadIsJSON, isJSON(message.payload) {
            writer.raw(message.payload)
        } else if message.payload.isEmpty {
            writer.null()
        } else {
            writer.string(utf8: message.payload)
        }
        writer.endObject()
        return writer.finish()
    }

    private static func isJSON(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var scanner = JSONScanner()
        do throws(JSONError) {
            try scanner.scan(bytes)
            return true
        } catch {
            return false
        }
    }

    private static func writeProperties(of message: ReceivedMessage, to writer: inout JSONWriter) {
        let properties = message.properties
        guard !properties.isEmpty || message.messageExpiryInterval != nil || !message.subscriptionIdentifiers.isEmpty else { return }
        writer.name("properties")
        writer.beginObject()
        if let isText = properties.payloadFormatIsUTF8 {
            writer.name("payload-format-indicator")
            writer.integer(isText ? 1 as UInt64 : 0)
        }
        if let expiry = message.messageExpiryInterval {
            writer.name("message-expiry-interval")
            writer.integer(UInt64(expiry))
        }
        if let contentType = properties.contentType {
            writer.name("content-type")
            writer.string(contentType)
        }
        if let responseTopic = properties.responseTopic {
            writer.name("response-topic")
            writer.string(responseTopic)
        }
        if let data = properties.correlationData {
            writer.name("correlation-data")
            data.withUnsafeBytes { writer.string(utf8: $0) }
        }
        if !message.subscriptionIdentifiers.isEmpty {
            writer.name("subscription-identifiers")
            writer.beginArray()
            for identifier in message.subscriptionIdentifiers { writer.integer(UInt64(identifier)) }
            writer.endArray()
        }
        if !properties.userProperties.isEmpty {
            writer.name("user-properties")
            writer.beginArray()
            for property in properties.userProperties {
                writer.beginObject()
                writer.name(property.name)
                writer.string(property.value)
                writer.endObject()
            }
            writer.endArray()
        }
        writer.endObject()
    }
}
