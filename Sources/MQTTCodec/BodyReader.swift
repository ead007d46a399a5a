/// A position in a packet's body, and the data types of MQTT 5.0 §1.5 read from it. Every read is checked.
@usableFromInline
struct BodyReader {
    @usableFromInline let bytes: UnsafeRawBufferPointer
    /// The next byte to read; at most `end`.
    @usableFromInline var offset: Int
    /// One behind the last byte; at most `bytes.count`.
    @usableFromInline let end: Int

    @usableFromInline
    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        offset = 0
        end = bytes.count
    }

    /// `range` lies within the bytes.
    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { offset == end }
    var remaining: Int { end - offset }

    mutating func readUInt8(_ field: StaticString) throws(DecodeError) -> UInt8 {
        guard remaining >= 1 else { throw .truncated(field, at: offset) }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func readUInt16(_ field: StaticString) throws(DecodeError) -> UInt16 {
        guard remaining >= 2 else { throw .truncated(field, at: offset) }
        defer { offset += 2 }
        return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
    }

    mutating func readUInt32(_ field: StaticString) throws(DecodeError) -> UInt32 {
        guard remaining >= 4 else { throw .truncated(field, at: offset) }
        defer { offset += 4 }
        return UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// A Variable Byte Integer (§1.5.5), 0…268,435,455.
    mutating func readVariableByteInteger(_ field: StaticString) throws(DecodeError) -> UInt32 {
        var value: UInt32 = 0
        for index in 0..<4 {
            guard offset + index < end else { throw .truncated(field, at: offset) }
            let byte = bytes[offset + index]
            value |= UInt32(byte & 0x7F) << UInt32(7 * index)
            if byte & 0x80 == 0 {
                // [MQTT-1.5.5-1] the encoding has the fewest bytes.
                if byte == 0, index > 0 { throw .malformed("an integer is not encoded in the fewest bytes", at: offset) }
                offset += index + 1
                return value
            }
        }
        throw .malformed("a variable byte integer has more than four bytes", at: offset)
    }

    /// Where the content of a field with a two-byte length lies.
    mutating func readField(_ field: StaticString) throws(DecodeError) -> Range<Int> {
        let count = Int(try readUInt16(field))
        guard remaining >= count else { throw .truncated(field, at: offset) }
        defer { offset += count }
        return offset..<(offset + count)
    }

    /// Where the content of a UTF-8 Encoded String lies (§1.5.4).
    mutating func readText(_ field: StaticString) throws(DecodeError) -> Range<Int> {
        let range = try readField(field)
        guard UTF8EncodedString.isValid(UnsafeRawBufferPointer(rebasing: bytes[range])) else {
            throw .illFormed(field, at: range.lowerBound)
        }
        return range
    }

    /// [MQTT-1.5.4-3] as it stands there, U+FEFF too.
    mutating func readString(_ field: StaticString) throws(DecodeError) -> String {
        let range = try readText(field)
        return String(decoding: bytes[range], as: UTF8.self)
    }

    /// Binary Data (§1.5.6).
    mutating func readBytes(_ field: StaticString) throws(DecodeError) -> [UInt8] {
        Array(bytes[try readField(field)])
    }

    /// A byte that is 0 or 1; another value is a Protocol Error.
    mutating func readBool(_ field: StaticString) throws(DecodeError) -> Bool {
        let value = try readUInt8(field)
        guard value <= 1 else {
            throw DecodeError(reasonCode: .protocolError, reason: "\(field) is neither 0 nor 1", offset: offset - 1)
        }
        return value == 1
    }

    /// A packet identifier, which is not zero ([MQTT-2.2.1-3]).
    mutating func readPacketIdentifier() throws(DecodeError) -> UInt16 {
        let value = try readUInt16("packet identifier")
        guard value != 0 else { throw .protocolError("packet identifier is zero", at: offset - 2) }
        return value
    }

    /// Properties with their length in front; afterwards the position is behind them.
    mutating func readProperties(of packet: PropertyContext) throws(DecodeError) -> PropertyReader {
        let count = Int(try readVariableByteInteger("property length"))
        guard remaining >= count else { throw .truncated("properties", at: offset) }
        defer { offset += count }
        return PropertyReader(reader: BodyReader(bytes, offset..<(offset + count)), packet: packet)
    }

    /// A packet says no more than its fields.
    func expectEnd() throws(DecodeError) {
        guard isAtEnd else { throw .malformed("bytes follow the last field of the packet", at: offset) }
    }
}
