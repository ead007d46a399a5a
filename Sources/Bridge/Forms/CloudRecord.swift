import Core
import Payload
import Security

/// A message as one JSON object, for clouds that have no words of their own for devices and points:
///
///     {"product":"meter","device":"m1","time":1700000000000,"measurepoints":{"temp":{"value":21.5,"quality":9}}}
///     {"topic":"alarms/line-1","time":1700000000000,"payload":{"level":2}}
///
/// A payload that is not JSON stands in `text`, or in `base64` if it is not UTF-8. History is marked with `"backfill":true`, a time
/// that nobody knows with `"timeUncertain":true`.
enum CloudRecord {
    /// The device of a message; nil if it is none of a device's topics.
    static func device(of message: Message) -> DeviceIdentifier? {
        message.withTopic { topic in DeviceTopicParts(topic).flatMap { $0.device(in: topic) } }
    }

    static func append(_ input: FormInput, to bytes: inout [UInt8], scanner: inout JSONScanner) {
        input.message.withParts { topic, _, payload in
            let isJSON = scan(payload, &scanner)
            var writer = JSONWriter(taking: &bytes)
            writer.beginObject()
            if isJSON, let device = post(topic), let params = scanner.member("params", of: JSONScanner.root),
                let points = scanner.member("measurepoints", of: params), scanner[points].kind == .object
            {
                writer.name("product")
                writer.string(device.productKey)
                writer.name("device")
                writer.string(device.deviceKey)
                times(input, scanner.integer("time", of: params).map { Timestamp(milliseconds: $0) }, &writer)
                writer.name("measurepoints")
                writer.raw(scanner.raw(points))
            } else {
                writer.name("topic")
                writer.string(utf8: topic)
                times(input, nil, &writer)
                if isJSON {
                    writer.name("payload")
                    writer.raw(payload)
                } else if UTF8Sequence.isValid(payload) {
                    writer.name("text")
                    writer.string(utf8: payload)
                } else {
                    writer.name("base64")
                    writer.string(String(decoding: Base64.encode(payload), as: UTF8.self))
                }
            }
            writer.endObject()
            bytes = writer.finish()
        }
    }

    /// When it was true or else published, and what is to be known of that.
    private static func times(_ input: FormInput, _ own: Timestamp?, _ writer: inout JSONWriter) {
        let time = own ?? input.message.publishedAt
        writer.name("time")
        writer.integer(time.milliseconds)
        if input.isUncertain(time) {
            writer.name("timeUncertain")
            writer.bool(true)
        }
        if input.isBackfill {
            writer.name("backfill")
            writer.bool(true)
        }
    }

    private static func scan(_ payload: UnsafeRawBufferPointer, _ scanner: inout JSONScanner) -> Bool {
        do throws(JSONError) {
            try scanner.scan(payload)
            return true
        } catch {
            return false
        }
    }

    private static func post(_ topic: UnsafeRawBufferPointer) -> DeviceIdentifier? {
        guard let match = DeviceTopic.parse(topic), match.topic == .measurepointPost else { return nil }
        return match.device(in: topic)
    }

    /// One record for a single message, an array of them for several: as many as belong together, fit into `maximumBytes`
    /// and are asked for.
    ///
    /// - Parameter belongs: whether a message may go with the first.
    static func batch(
        _ messages: [FormInput], limit: Int, maximumBytes: Int, scanner: inout JSONScanner, belongs: (FormInput) -> Bool
    ) -> (payload: [UInt8], count: Int) {
        var bytes: [UInt8] = [UInt8(ascii: "[")]
        append(messages[0], to: &bytes, scanner: &scanner)
        var count = 1
        for input in messages.dropFirst() {
            guard count < limit, bytes.count < maximumBytes, belongs(input) else { break }
            let end = bytes.count
            bytes.append(UInt8(ascii: ","))
            append(input, to: &bytes, scanner: &scanner)
            if bytes.count + 1 > maximumBytes {
                bytes.removeSubrange(end...)
                break
            }
            count += 1
        }
        if limit == 1 {
            bytes.removeFirst()
        } else {
            bytes.append(UInt8(ascii: "]"))
        }
        return (bytes, count)
    }
}
