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
        var writer = JSONWriter(taking: &output)
        writer.beginObject()
        writer.name("id")
        identifier.json.withUnsafeBytes { writer.raw($0) }
        writer.name("code")
        writer.integer(Int64(code.rawValue))
        writer.name("data")
        writer.beginObject()
        writer.endObject()
        writer.name("message")
        writer.string(message)
        writer.endObject()
        output = writer.finish()
    }
}
