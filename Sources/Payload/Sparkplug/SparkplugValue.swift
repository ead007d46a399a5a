/// The value of a metric as it stands on the wire: one of the fields 10…19. What it means the data type says, which a data
/// message does not repeat.
public enum SparkplugWireValue: Sendable, Equatable {
    case int(UInt32)
    case long(UInt64)
    case float(Float)
    case double(Double)
    case boolean(Bool)
    case string(String)
    /// Bytes, a file or an array.
    case bytes([UInt8])
    /// A data set, not taken apart.
    case dataSet([UInt8])
    /// A template, not taken apart.
    case template([UInt8])
    /// An extension, not taken apart.
    case `extension`([UInt8])
}

/// What a metric's value means.
public enum SparkplugValue: Sendable, Equatable {
    case int(Int64)
    /// Unsigned whole numbers, and a DateTime's milliseconds.
    case uint(UInt64)
    case float(Float)
    case double(Double)
    case boolean(Bool)
    /// String, Text, UUID.
    case string(String)
    /// Bytes, File.
    case bytes([UInt8])
    case array([SparkplugValue])
}

extension SparkplugDataType {
    /// What `wire` means as this type. Whole numbers may stand in the wider or the narrower field, and so may the two kinds of
    /// real ones: both are met.
    ///
    /// - Returns: nil if the field is not one of this type, a whole number has more bits than the type, or the type is a set or
    ///   a template.
    public func value(of wire: SparkplugWireValue) -> SparkplugValue? {
        switch (self, wire) {
        case (.int8, .int), (.int16, .int), (.int32, .int), (.int8, .long), (.int16, .long), (.int32, .long), (.int64, .int), (.int64, .long):
            return signed(wire)
        case (_, .int(let value)) where integerBits != nil: return unsigned(UInt64(value))
        case (_, .long(let value)) where integerBits != nil: return unsigned(value)
        case (.float, .float(let value)): return .float(value)
        case (.float, .double(let value)): return .float(Float(value))
        case (.double, .double(let value)): return .double(value)
        case (.double, .float(let value)): return .double(Double(value))
        case (.boolean, .boolean(let value)): return .boolean(value)
        case (.string, .string(let value)), (.text, .string(let value)), (.uuid, .string(let value)): return .string(value)
        case (.bytes, .bytes(let value)), (.file, .bytes(let value)): return .bytes(value)
        case (_, .bytes(let value)): return elements(of: value).map { .array($0) }
        default: return nil
        }
    }

    /// How `value` stands on the wire as this type: negative numbers in two's complement of the type's own width.
    ///
    /// - Returns: nil if the value is not one of this type, or out of its range.
    public func wire(of value: SparkplugValue) -> SparkplugWireValue? {
        switch (self, value) {
        case (.int8, .int(let value)): return Int8(exactly: value).map { .int(UInt32(UInt8(bitPattern: $0))) }
        case (.int16, .int(let value)): return Int16(exactly: value).map { .int(UInt32(UInt16(bitPattern: $0))) }
        case (.int32, .int(let value)): return Int32(exactly: value).map { .int(UInt32(bitPattern: $0)) }
        case (.int64, .int(let value)): return .long(UInt64(bitPattern: value))
        case (.uint8, .uint(let value)): return UInt8(exactly: value).map { .int(UInt32($0)) }
        case (.uint16, .uint(let value)): return UInt16(exactly: value).map { .int(UInt32($0)) }
        case (.uint32, .uint(let value)): return UInt32(exactly: value).map { .int($0) }
        case (.uint64, .uint(let value)), (.dateTime, .uint(let value)): return .long(value)
        case (.float, .float(let value)): return .float(value)
        case (.double, .double(let value)): return .double(value)
        case (.boolean, .boolean(let value)): return .boolean(value)
        case (.string, .string(let value)), (.text, .string(let value)), (.uuid, .string(let value)): return .string(value)
        case (.bytes, .bytes(let value)), (.file, .bytes(let value)): return .bytes(value)
        case (_, .array(let values)): return bytes(of: values).map { .bytes($0) }
        default: return nil
        }
    }

    /// Two's complement of the type's width, or sign-extended to the field's: both are met.
    private func signed(_ wire: SparkplugWireValue) -> SparkplugValue? {
        let bits: Int64
        switch wire {
        case .int(let value): bits = Int64(Int32(bitPattern: value))
        case .long(let value): bits = Int64(bitPattern: value)
        default: return nil
        }
        switch self {
        case .int8: return narrowed(bits, to: Int8.self)
        case .int16: return narrowed(bits, to: Int16.self)
        case .int32: return narrowed(bits, to: Int32.self)
        default: return .int(bits)
        }
    }

    private func narrowed<Narrow: FixedWidthInteger & SignedInteger>(_ bits: Int64, to _: Narrow.Type) -> SparkplugValue? {
        let value = Narrow(truncatingIfNeeded: bits)
        // Above the type's bits there are none, or copies of its sign.
        guard Int64(value) == bits || bits >> Int64(Narrow.bitWidth) == 0 else { return nil }
        return .int(Int64(value))
    }

    private func unsigned(_ value: UInt64) -> SparkplugValue? {
        guard let bits = integerBits else { return nil }
        return bits == 64 || value >> UInt64(bits) == 0 ? .uint(value) : nil
    }
}
