/// The data types of Sparkplug B (Sparkplug 3.0 §6.4.16), with their numbers on the wire.
public enum SparkplugDataType: UInt32, Sendable, CaseIterable {
    /// None, or one that this list does not have.
    case unknown = 0
    case int8 = 1
    case int16, int32, int64
    case uint8, uint16, uint32, uint64
    case float, double
    case boolean
    case string
    /// Milliseconds since 1970, UTC.
    case dateTime
    case text
    case uuid
    case dataSet
    case bytes
    case file
    case template
    case propertySet
    case propertySetList
    case int8Array = 22
    case int16Array, int32Array, int64Array
    case uint8Array, uint16Array, uint32Array, uint64Array
    case floatArray, doubleArray
    case booleanArray
    case stringArray
    case dateTimeArray

    /// The bits of a whole number, 8…64; nil for other types.
    public var integerBits: Int? {
        switch self {
        case .int8, .uint8: 8
        case .int16, .uint16: 16
        case .int32, .uint32: 32
        case .int64, .uint64, .dateTime: 64
        default: nil
        }
    }

    /// What an array of numbers has as its elements; nil for other types.
    public var numericElement: SparkplugDataType? {
        switch self {
        case .int8Array, .int16Array, .int32Array, .int64Array, .uint8Array, .uint16Array, .uint32Array, .uint64Array, .floatArray,
            .doubleArray:
            SparkplugDataType(rawValue: rawValue - 21)
        case .dateTimeArray: .dateTime
        default: nil
        }
    }
}
