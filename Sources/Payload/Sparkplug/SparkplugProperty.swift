/// A property of a metric: a name with a value (Sparkplug 3.0 §6.4.8).
public struct SparkplugProperty: Sendable, Equatable {
    /// The value of a property as it stands on the wire.
    public indirect enum Value: Sendable, Equatable {
        case int(UInt32)
        case long(UInt64)
        case float(Float)
        case double(Double)
        case boolean(Bool)
        case string(String)
        case set([SparkplugProperty])
        case sets([[SparkplugProperty]])
    }

    public var key: String
    public var type: SparkplugDataType?
    /// nil for a property that is null.
    public var value: Value?

    public init(key: String, type: SparkplugDataType?, value: Value?) {
        self.key = key
        self.type = type
        self.value = value
    }

    /// What a metric's `Quality` is (§6.4.8.1): an Int32, left out for good.
    public static func quality(_ quality: SparkplugQuality) -> SparkplugProperty {
        SparkplugProperty(key: SparkplugQuality.key, type: .int32, value: .int(quality.rawValue))
    }

    static func readSet(_ bytes: UnsafeRawBufferPointer) throws(SparkplugError) -> [SparkplugProperty] {
        var count = 0
        return try readSet(bytes, depth: 1, count: &count)
    }

    /// A set is two lists of one length, the names and the values. What has no counterpart is left out.
    private static func readSet(
        _ bytes: UnsafeRawBufferPointer, depth: Int, count: inout Int
    ) throws(SparkplugError) -> [SparkplugProperty] {
        guard depth <= SparkplugPayload.maxDepth else { throw SparkplugError(.tooDeep, at: 0) }
        var keys: [String] = []
        var values: [(type: SparkplugDataType?, value: Value?)] = []
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            if field.number == 1, let key = try field.string() {
                count += 1
                keys.append(key)
            } else if field.number == 2, let bytes = field.bytes {
                count += 1
                values.append(try readValue(bytes, depth: depth, count: &count))
            }
            guard count <= 2 * SparkplugPayload.maxProperties else { throw SparkplugError(.tooMany, at: field.offset) }
        }
        return zip(keys, values).map { SparkplugProperty(key: $0, type: $1.type, value: $1.value) }
    }

    private static func readValue(
        _ bytes: UnsafeRawBufferPointer, depth: Int, count: inout Int
    ) throws(SparkplugError) -> (type: SparkplugDataType?, value: Value?) {
        var type: SparkplugDataType?
        var isNull = false
        var value: Value?
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1: type = field.uint32.map { SparkplugDataType(rawValue: $0) ?? .unknown } ?? type
            case 2: isNull = field.bool ?? isNull
            case 3: value = field.uint32.map { .int($0) } ?? value
            case 4: value = field.uint64.map { .long($0) } ?? value
            case 5: value = field.float.map { .float($0) } ?? value
            case 6: value = field.double.map { .double($0) } ?? value
            case 7: value = field.bool.map { .boolean($0) } ?? value
            case 8: value = try field.string().map { .string($0) } ?? value
            case 9:
                guard let bytes = field.bytes else { continue }
                value = .set(try readSet(bytes, depth: depth + 1, count: &count))
            case 10:
                guard let bytes = field.bytes else { continue }
                value = .sets(try readSets(bytes, depth: depth + 1, count: &count))
            default: continue
            }
        }
        return (type, isNull ? nil : value)
    }

    private static func readSets(
        _ bytes: UnsafeRawBufferPointer, depth: Int, count: inout Int
    ) throws(SparkplugError) -> [[SparkplugProperty]] {
        var sets: [[SparkplugProperty]] = []
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            guard field.number == 1, let bytes = field.bytes else { continue }
            guard sets.count < SparkplugPayload.maxProperties else { throw SparkplugError(.tooMany, at: field.offset) }
            sets.append(try readSet(bytes, depth: depth, count: &count))
        }
        return sets
    }

    static func write(_ set: [SparkplugProperty], to writer: inout ProtobufWriter) {
        for property in set { writer.string(1, property.key) }
        for property in set { writer.message(2) { property.writeValue(to: &$0) } }
    }

    private func writeValue(to writer: inout ProtobufWriter) {
        if let type { writer.varint(1, UInt64(type.rawValue)) }
        switch value {
        case nil: writer.bool(2, true)
        case .int(let value): writer.varint(3, UInt64(value))
        case .long(let value): writer.varint(4, value)
        case .float(let value): writer.float(5, value)
        case .double(let value): writer.double(6, value)
        case .boolean(let value): writer.bool(7, value)
        case .string(let value): writer.string(8, value)
        case .set(let set): writer.message(9) { Self.write(set, to: &$0) }
        case .sets(let sets):
            writer.message(10) { writer in for set in sets { writer.message(1) { Self.write(set, to: &$0) } } }
        }
    }
}

/// The codes of a metric's quality (Sparkplug 3.0 §6.4.8.1).
public enum SparkplugQuality: UInt32, Sendable, CaseIterable {
    case bad = 0
    case good = 192
    case stale = 500

    /// The property's name.
    public static let key = "Quality"
}
