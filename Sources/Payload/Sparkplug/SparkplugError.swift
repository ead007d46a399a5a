/// Why bytes are not a Sparkplug B payload, and where.
public struct SparkplugError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: UInt8, Sendable, Hashable {
        /// The bytes end inside a field.
        case unexpectedEnd
        /// A variable-length integer has more than ten bytes.
        case varintTooLong
        /// A field number or wire type that protobuf does not have.
        case invalidTag
        /// A text is not UTF-8.
        case invalidUTF8
        /// More than ``SparkplugPayload/maxDepth`` groups or property sets inside each other.
        case tooDeep
        /// More than ``SparkplugPayload/maxMetrics`` metrics, or ``SparkplugPayload/maxProperties`` properties of one metric.
        case tooMany
    }

    public var reason: Reason
    /// Bytes from the start of the message that the field stands in.
    public var offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String {
        let what =
            switch reason {
            case .unexpectedEnd: "the payload ends inside a field"
            case .varintTooLong: "an integer of more than ten bytes"
            case .invalidTag: "a field number or wire type that protobuf does not have"
            case .invalidUTF8: "a text that is not UTF-8"
            case .tooDeep: "more than \(SparkplugPayload.maxDepth) sets inside each other"
            case .tooMany: "more than \(SparkplugPayload.maxMetrics) metrics or \(SparkplugPayload.maxProperties) properties"
            }
        return "\(what) at byte \(offset)"
    }
}
