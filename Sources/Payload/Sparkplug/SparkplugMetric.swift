/// One metric of a payload (Sparkplug 3.0 §6.4.6).
public struct SparkplugMetric: Sendable, Equatable {
    /// Folders in it are set apart by `/`. Left out in data messages that have an alias.
    public var name: String?
    /// Stands for the name after a birth.
    public var alias: UInt64?
    /// When the value was true: milliseconds since 1970, UTC.
    public var timestamp: UInt64?
    /// Told in births; left out in data.
    public var dataType: SparkplugDataType?
    /// Not the present value: one that was kept.
    public var isHistorical = false
    /// Not to be kept by a historian.
    public var isTransient = false
    /// There is no value.
    public var isNull = false
    /// Not taken apart.
    public var metadata: [UInt8]?
    public var properties: [SparkplugProperty] = []
    public var value: SparkplugWireValue?

    public init(
        name: String? = nil, alias: UInt64? = nil, timestamp: UInt64? = nil, dataType: SparkplugDataType? = nil,
        value: SparkplugWireValue? = nil
    ) {
        self.name = name
        self.alias = alias
        self.timestamp = timestamp
        self.dataType = dataType
        self.value = value
    }

    init(reading bytes: UnsafeRawBufferPointer) throws(SparkplugError) {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1: name = try field.string() ?? name
            case 2: alias = field.uint64 ?? alias
            case 3: timestamp = field.uint64 ?? timestamp
            case 4: dataType = field.uint32.map { SparkplugDataType(rawValue: $0) ?? .unknown } ?? dataType
            case 5: isHistorical = field.bool ?? isHistorical
            case 6: isTransient = field.bool ?? isTransient
            case 7: isNull = field.bool ?? isNull
            case 8: metadata = field.bytes.map(Array.init) ?? metadata
            case 9: properties = try field.bytes.map { bytes throws(SparkplugError) in try SparkplugProperty.readSet(bytes) } ?? properties
            case 10...19: value = try SparkplugWireValue(field) ?? value
            default: continue
            }
        }
    }

    func write(to writer: inout ProtobufWriter) {
        if let name { writer.string(1, name) }
        if let alias { writer.varint(2, alias) }
        if let timestamp { writer.varint(3, timestamp) }
        if let dataType { writer.varint(4, UInt64(dataType.rawValue)) }
        if isHistorical { writer.bool(5, true) }
        if isTransient { writer.bool(6, true) }
        if isNull { writer.bool(7, true) }
        if let metadata { writer.bytes(8, metadata) }
        if !properties.isEmpty { writer.message(9) { SparkplugProperty.write(properties, to: &$0) } }
        value?.write(to: &writer)
    }
}

extension SparkplugWireValue {
    /// A metric's field 10…19; nil if its wire type is another.
    init?(_ field: ProtobufReader.Field) throws(SparkplugError) {
        let value: SparkplugWireValue? =
            switch field.number {
            case 10: field.uint32.map { .int($0) }
            case 11: field.uint64.map { .long($0) }
            case 12: field.float.map { .float($0) }
            case 13: field.double.map { .double($0) }
            case 14: field.bool.map { .boolean($0) }
            case 15: try field.string().map { .string($0) }
            case 16: field.bytes.map { .bytes(Array($0)) }
            case 17: field.bytes.map { .dataSet(Array($0)) }
            case 18: field.bytes.map { .template(Array($0)) }
            case 19: field.bytes.map { .extension(Array($0)) }
            default: nil
            }
        guard let value else { return nil }
        self = value
    }

    func write(to writer: inout ProtobufWriter) {
        switch self {
        case .int(let value): writer.varint(10, UInt64(value))
        case .long(let value): writer.varint(11, value)
        case .float(let value): writer.float(12, value)
        case .double(let value): writer.double(13, value)
        case .boolean(let value): writer.bool(14, value)
        case .string(let value): writer.string(15, value)
        case .bytes(let value): writer.bytes(16, value)
        case .dataSet(let value): writer.bytes(17, value)
        case .template(let value): writer.bytes(18, value)
        case .extension(let value): writer.bytes(19, value)
        }
    }
}
