// Arrays stand in the field of bytes: numbers little-endian one behind the other; texts each with a zero byte behind it;
// booleans as their count in four bytes and then eight to a byte, the first one the most significant (Sparkplug 3.0 §6.4.16).

extension SparkplugDataType {
    /// nil if this is no array type or the bytes are none of it.
    func elements(of bytes: [UInt8]) -> [SparkplugValue]? {
        switch self {
        case .booleanArray: return Self.booleans(bytes)
        case .stringArray: return Self.strings(bytes)
        default: return numericElement.flatMap { Self.numbers($0, bytes) }
        }
    }

    /// nil if this is no array type or an element is none of it.
    func bytes(of elements: [SparkplugValue]) -> [UInt8]? {
        switch self {
        case .booleanArray: return Self.bytes(booleans: elements)
        case .stringArray: return Self.bytes(strings: elements)
        default: return numericElement.flatMap { Self.bytes($0, elements) }
        }
    }

    /// Bytes of one element.
    private var elementSize: Int { integerBits.map { $0 / 8 } ?? (self == .float ? 4 : 8) }

    private static func numbers(_ type: SparkplugDataType, _ bytes: [UInt8]) -> [SparkplugValue]? {
        let size = type.elementSize
        guard bytes.count % size == 0 else { return nil }
        var values: [SparkplugValue] = []
        values.reserveCapacity(bytes.count / size)
        for start in stride(from: 0, to: bytes.count, by: size) {
            var bits: UInt64 = 0
            for index in 0..<size { bits |= UInt64(bytes[start + index]) << UInt64(8 * index) }
            let wire: SparkplugWireValue =
                switch type {
                case .float: .float(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
                case .double: .double(Double(bitPattern: bits))
                default: .long(bits)
                }
            guard let value = type.value(of: wire) else { return nil }
            values.append(value)
        }
        return values
    }

    private static func bytes(_ type: SparkplugDataType, _ elements: [SparkplugValue]) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(elements.count * type.elementSize)
        for element in elements {
            let bits: UInt64
            switch type.wire(of: element) {
            case .int(let value): bits = UInt64(value)
            case .long(let value): bits = value
            case .float(let value): bits = UInt64(value.bitPattern)
            case .double(let value): bits = value.bitPattern
            default: return nil
            }
            for index in 0..<type.elementSize { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt64(8 * index))) }
        }
        return bytes
    }

    private static func booleans(_ bytes: [UInt8]) -> [SparkplugValue]? {
        guard bytes.count >= 4 else { return nil }
        var count = 0
        for index in 0..<4 { count |= Int(bytes[index]) << (8 * index) }
        guard count <= (bytes.count - 4) * 8 else { return nil }
        return (0..<count).map { .boolean(bytes[4 + $0 / 8] & (0x80 >> UInt8($0 % 8)) != 0) }
    }

    private static func bytes(booleans elements: [SparkplugValue]) -> [UInt8]? {
        guard let count = UInt32(exactly: elements.count) else { return nil }
        var bytes = withUnsafeBytes(of: count.littleEndian) { Array($0) }
        for (index, element) in elements.enumerated() {
            guard case .boolean(let value) = element else { return nil }
            if index % 8 == 0 { bytes.append(0) }
            if value { bytes[bytes.count - 1] |= 0x80 >> UInt8(index % 8) }
        }
        return bytes
    }

    private static func strings(_ bytes: [UInt8]) -> [SparkplugValue]? {
        guard bytes.isEmpty || bytes.last == 0 else { return nil }
        var values: [SparkplugValue] = []
        var start = 0
        for (index, byte) in bytes.enumerated() where byte == 0 {
            guard let text = String(validating: bytes[start..<index], as: UTF8.self) else { return nil }
            values.append(.string(text))
            start = index + 1
        }
        return values
    }

    private static func bytes(strings elements: [SparkplugValue]) -> [UInt8]? {
        var bytes: [UInt8] = []
        for element in elements {
            guard case .string(let text) = element, !text.utf8.contains(0) else { return nil }
            bytes.append(contentsOf: text.utf8)
            bytes.append(0)
        }
        return bytes
    }
}
