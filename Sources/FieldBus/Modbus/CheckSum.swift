/// CRC-16 of Modbus over Serial Line 1.02 §6.2.2. A frame carries its low byte first.
enum CheckSum {
    static func of(_ bytes: some Sequence<UInt8>) -> UInt16 {
        var sum: UInt16 = 0xFFFF
        for byte in bytes {
            sum ^= UInt16(byte)
            for _ in 0..<8 { sum = sum & 1 != 0 ? sum >> 1 ^ 0xA001 : sum >> 1 }
        }
        return sum
    }

    /// The frame that carries `bytes`.
    static func appended(to bytes: [UInt8]) -> [UInt8] {
        let sum = of(bytes)
        return bytes + [UInt8(truncatingIfNeeded: sum), UInt8(truncatingIfNeeded: sum >> 8)]
    }

    /// Whether the last two bytes are the check sum of those before.
    static func isRight(_ frame: ArraySlice<UInt8>) -> Bool {
        guard frame.count >= 4 else { return false }
        let sum = of(frame.dropLast(2))
        return frame[frame.endIndex - 2] == UInt8(truncatingIfNeeded: sum)
            && frame[frame.endIndex - 1] == UInt8(truncatingIfNeeded: sum >> 8)
    }
}
