// A Sparkplug B payload is a protobuf message (Sparkplug 3.0 §6.4.1). Only this message is known here, not protobuf in
// general: the fields that the specification has are read and written, others are passed over, and data sets, templates
// and metadata stay the bytes that they came as.

/// The payload of every Sparkplug B message except STATE.
public struct SparkplugPayload: Sendable, Equatable {
    /// Metrics of one payload that is read.
    public static let maxMetrics = 10_000
    /// Properties of one metric that is read, those of sets within included.
    public static let maxProperties = 256
    /// Property sets inside each other.
    public static let maxDepth = 8

    /// When the message was sent: milliseconds since 1970, UTC.
    public var timestamp: UInt64?
    public var metrics: [SparkplugMetric]
    /// 0…255: counts the messages of an edge node; its NDEATH has none.
    public var sequence: UInt64?
    public var uuid: String?
    public var body: [UInt8]?

    public init(timestamp: UInt64? = nil, metrics: [SparkplugMetric] = [], sequence: UInt64? = nil) {
        self.timestamp = timestamp
        self.metrics = metrics
        self.sequence = sequence
    }

    /// Reads a payload.
    ///
    /// - Throws: ``SparkplugError``; bytes that are no protobuf, or more of it than the limits allow.
    public static func read(_ bytes: UnsafeRawBufferPointer) throws(SparkplugError) -> SparkplugPayload {
        var payload = SparkplugPayload()
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1: payload.timestamp = field.uint64 ?? payload.timestamp
            case 2:
                guard let bytes = field.bytes else { continue }
                guard payload.metrics.count < maxMetrics else { throw SparkplugError(.tooMany, at: field.offset) }
                payload.metrics.append(try SparkplugMetric(reading: bytes))
            case 3: payload.sequence = field.uint64 ?? payload.sequence
            case 4: payload.uuid = try field.string() ?? payload.uuid
            case 5: payload.body = field.bytes.map(Array.init) ?? payload.body
            default: continue
            }
        }
        return payload
    }

    /// Appends the payload to `output`, fields in the order of their numbers.
    public func write(to output: inout [UInt8]) {
        var writer = ProtobufWriter(taking: &output)
        if let timestamp { writer.varint(1, timestamp) }
        for metric in metrics { writer.message(2) { metric.write(to: &$0) } }
        if let sequence { writer.varint(3, sequence) }
        if let uuid { writer.string(4, uuid) }
        if let body { writer.bytes(5, body) }
        output = writer.bytes
    }
}
