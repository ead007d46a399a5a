/// Walks the fields of one protobuf message (Protocol Buffers encoding). Copies nothing.
///
/// As other readers do, it leaves what to make of a field to the caller: unknown ones are passed over, the last of a field
/// that is there twice counts, and a field with another wire type than its own is an unknown one.
struct ProtobufReader {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes(UnsafeRawBufferPointer)
        case fixed32(UInt32)
        /// A group of fields, which nothing here uses; passed over.
        case group
    }

    struct Field {
        /// From 1.
        let number: UInt32
        let value: Value
        /// Where the field begins.
        let offset: Int
    }

    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    /// The next field; nil at the end.
    mutating func next() throws(SparkplugError) -> Field? {
        guard !isAtEnd else { return nil }
        let start = offset
        let (number, wireType) = try readTag()
        return Field(number: number, value: try readValue(wireType, of: number), offset: start)
    }

    private mutating func readTag() throws(SparkplugError) -> (number: UInt32, wireType: UInt8) {
        let start = offset
        let tag = try readVarint()
        // A field number has 29 bits and is not 0.
        guard tag >> 3 > 0, tag <= UInt64(UInt32.max) else { throw SparkplugError(.invalidTag, at: start) }
        return (UInt32(truncatingIfNeeded: tag >> 3), UInt8(truncatingIfNeeded: tag & 7))
    }

    private mutating func readValue(_ wireType: UInt8, of number: UInt32) throws(SparkplugError) -> Value {
        switch wireType {
        case 0: return .varint(try readVarint())
        case 1: return .fixed64(try readFixed(8))
        case 2: return .bytes(try readBytes())
        case 3:
            try skipGroup(number)
            return .group
        case 5: return .fixed32(UInt32(truncatingIfNeeded: try readFixed(4)))
        default: throw SparkplugError(.invalidTag, at: offset)
        }
    }

    /// The least significant seven bits first, one byte each; bits above the 64th are dropped.
    mutating func readVarint() throws(SparkplugError) -> UInt64 {
        let start = offset
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard offset < bytes.count else { throw SparkplugError(.unexpectedEnd, at: offset) }
            guard shift < 70 else { throw SparkplugError(.varintTooLong, at: start) }
            let byte = bytes[offset]
            offset += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    private mutating func readFixed(_ count: Int) throws(SparkplugError) -> UInt64 {
        guard bytes.count - offset >= count else { throw SparkplugError(.unexpectedEnd, at: bytes.count) }
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(bytes[offset + index]) << UInt64(8 * index) }
        offset += count
        return value
    }

    private mutating func readBytes() throws(SparkplugError) -> UnsafeRawBufferPointer {
        let length = try readVarint()
        guard length <= UInt64(bytes.count - offset) else { throw SparkplugError(.unexpectedEnd, at: bytes.count) }
        let end = offset + Int(truncatingIfNeeded: length)
        defer { offset = end }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<end])
    }

    /// Everything up to the end of the group, groups in it included.
    private mutating func skipGroup(_ number: UInt32) throws(SparkplugError) {
        var open = [number]
        while let innermost = open.last {
            let start = offset
            let (number, wireType) = try readTag()
            switch wireType {
            case 3:
                guard open.count < SparkplugPayload.maxDepth else { throw SparkplugError(.tooDeep, at: start) }
                open.append(number)
            case 4:
                guard number == innermost else { throw SparkplugError(.invalidTag, at: start) }
                open.removeLast()
            default: _ = try readValue(wireType, of: number)
            }
        }
    }
}

extension ProtobufReader.Field {
    var uint64: UInt64? {
        if case .varint(let value) = value { return value }
        return nil
    }

    /// The low 32 bits.
    var uint32: UInt32? { uint64.map(UInt32.init(truncatingIfNeeded:)) }

    var bool: Bool? { uint64.map { $0 != 0 } }

    var float: Float? {
        if case .fixed32(let bits) = value { return Float(bitPattern: bits) }
        return nil
    }

    var double: Double? {
        if case .fixed64(let bits) = value { return Double(bitPattern: bits) }
        return nil
    }

    var bytes: UnsafeRawBufferPointer? {
        if case .bytes(let bytes) = value { return bytes }
        return nil
    }

    func string() throws(SparkplugError) -> String? {
        guard let bytes else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw SparkplugError(.invalidUTF8, at: offset) }
        return text
    }
}
