public import Core

/// Writes reply envelopes:
///
///     {"id":"7","code":200,"data":{},"message":""}
public enum Reply {
    /// Appends a reply with empty `data` to `output`.
    ///
    /// - Parameters:
    ///   - identifier: the request's, echoed as it came.
    ///   - message: what went wrong, for a person to read; empty for success.
    public static func write(
        _ identifier: MessageIdentifier, code: ReplyCode, message: String = "", to output: inout [UInt8]
    ) {
        write(identifier, code: code, message: message, to: &output) { _ in }
    }

    /// Appends a reply with the values of measurement points to `output`:
    ///
    ///     {"id":"8","code":200,"data":{"temp":{"value":21.5,"quality":9,"time":1700000000000}},"message":""}
    ///
    /// - Parameter points: each with its last sample; nil if it was not read yet.
    public static func write(
        _ identifier: MessageIdentifier, points: [(identifier: String, sample: Sample?)], to output: inout [UInt8]
    ) {
        write(identifier, code: .success, message: "", to: &output) { writer in
            for point in points { writer.sample(point.sample, of: point.identifier) }
        }
    }

    private static func write(
        _ identifier: MessageIdentifier, code: ReplyCode, message: String, to output: inout [UInt8], data: (inout JSONWriter) -> Void
    ) {
        var writer = JSONWriter(taking: &output)
        writer.beginObject()
        writer.name("id")
        identifier.json.withUnsafeBytes { writer.raw($0) }
        writer.name("code")
        writer.integer(Int64(code.rawValue))
        writer.name("data")
        writer.beginObject()
        data(&writer)
        writer.endObject()
        writer.name("message")
        writer.string(message)
        writer.endObject()
        output = writer.finish()
    }
}

extension JSONWriter {
    /// A point's name with its last value, quality and source time.
    fileprivate mutating func sample(_ sample: Sample?, of point: String) {
        name(point)
        beginObject()
        valueAndQuality(sample?.value, sample?.quality ?? .bad(.notYetRead))
        if let sample {
            name("time")
            integer(sample.time.milliseconds)
        }
        endObject()
    }
}
