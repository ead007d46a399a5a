/// Writes protobuf fields at the end of an array that it owns for the time being.
struct ProtobufWriter {
    private(set) var bytes: [UInt8]

    init(taking bytes: inout [UInt8]) {
        self.bytes = []
        swap(&self.bytes, &bytes)
    }

    mutating func varint(_ number: UInt32, _ value: UInt64) {
        tag(number, wireType: 0)
        append(varint: value)
    }

    mutating func bool(_ number: UInt32, _ value: Bool) { varint(number, value ? 1 : 0) }

    mutating func float(_ number: UInt32, _ value: Float) {
        tag(number, wireType: 5)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func double(_ number: UInt32, _ value: Double) {
        tag(number, wireType: 1)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func string(_ number: UInt32, _ value: String) {
        tag(number, wireType: 2)
        append(varint: UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    mutating func bytes(_ number: UInt32, _ value: [UInt8]) {
        tag(number, wireType: 2)
        append(varint: UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    /// A message within the message. Its length goes before it: one byte is kept for it, and more are put in if it has more.
    mutating func message(_ number: UInt32, _ body: (inout ProtobufWriter) -> Void) {
        tag(number, wireType: 2)
        let at = bytes.count
        bytes.append(0)
        body(&self)
        var length = UInt64(bytes.count - at - 1)
        if length < 0x80 {
            bytes[at] = UInt8(truncatingIfNeeded: length)
            return
        }
        var prefix: [UInt8] = []
        while length >= 0x80 {
            prefix.append(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        prefix.append(UInt8(truncatingIfNeeded: length))
        bytes.replaceSubrange(at...at, with: prefix)
    }

    private mutating func tag(_ number: UInt32, wireType: UInt64) { append(varint: UInt64(number) << 3 | wireType) }

    private mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }
}
