internal import NIOCore

/// The body of a packet that is not sent often, put together before its length is known.
struct BodyWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ value: UInt8) { bytes.append(value) }

    mutating func write(_ value: UInt16) {
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
        bytes.append(UInt8(truncatingIfNeeded: value))
    }

    mutating func write(_ value: UInt32) {
        write(UInt16(truncatingIfNeeded: value >> 16))
        write(UInt16(truncatingIfNeeded: value))
    }

    /// A Variable Byte Integer, at most 268,435,455 (§1.5.5).
    mutating func writeVariableByteInteger(_ value: Int) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    mutating func write(_ text: String) throws(EncodeError) { try write(field: text.utf8) }

    /// Content with a two-byte length in front.
    mutating func write(field: some Collection<UInt8>) throws(EncodeError) {
        guard let count = UInt16(exactly: field.count) else { throw .fieldTooLong(field.count) }
        write(count)
        bytes.append(contentsOf: field)
    }

    mutating func write(raw: [UInt8]) { bytes.append(contentsOf: raw) }

    /// Properties with their length in front, [MQTT-2.2.2-1] also if there are none.
    mutating func write(properties: BodyWriter) throws(EncodeError) {
        guard properties.bytes.count <= FrameReader.maximumRemainingLength else {
            throw .packetTooLarge(properties.bytes.count)
        }
        writeVariableByteInteger(properties.bytes.count)
        bytes.append(contentsOf: properties.bytes)
    }

    /// Appends the whole packet.
    func finish(_ type: PacketType, flags: UInt8 = 0, into buffer: inout ByteBuffer) throws(EncodeError) {
        guard bytes.count <= FrameReader.maximumRemainingLength else { throw .packetTooLarge(bytes.count) }
        buffer.append(1 + PublishLayout.variableByteLength(bytes.count) + bytes.count) { start in
            var at = start
            at.storeBytes(of: type.rawValue << 4 | flags, as: UInt8.self)
            at += 1
            PublishLayout.writeVariableByteInteger(bytes.count, to: &at)
            bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: at, count: $0.count).copyMemory(from: $0) }
        }
    }

    /// Appends the packet with a Reason String as its only property behind what is written so far, and reason codes behind
    /// that.
    ///
    /// - Returns: false, with nothing written, if the packet would be larger than its receiver takes.
    func finish(
        _ type: PacketType, flags: UInt8 = 0, reasonString: String, then reasonCodes: [ReasonCode] = [],
        maximumPacketSize: Int, into buffer: inout ByteBuffer
    ) -> Bool {
        var list = PropertyWriter(packet: PropertyContext(type))
        var body = self
        let start = buffer.writerIndex
        do throws(EncodeError) {
            try list.write(.reasonString, reasonString)
            try body.write(properties: list.body)
            for code in reasonCodes { body.write(code.rawValue) }
            try body.finish(type, flags: flags, into: &buffer)
        } catch {
            return false
        }
        guard buffer.writerIndex - start <= maximumPacketSize else {
            buffer.moveWriterIndex(to: start)
            return false
        }
        return true
    }
}
