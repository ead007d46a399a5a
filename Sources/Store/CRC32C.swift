/// CRC-32C (Castagnoli, RFC 3720 §B.4), eight bytes at a time.
enum CRC32C {
    /// Continues the check sum of earlier bytes; start with 0.
    static func update(_ checkSum: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard let start = bytes.baseAddress else { return checkSum }
        return tables.withUnsafeBufferPointer { table in
            var crc = ~checkSum
            var at = start
            let end = start + bytes.count
            while end - at >= 8 {
                let word = UInt64(littleEndian: at.loadUnaligned(as: UInt64.self)) ^ UInt64(crc)
                // Every index is a table number below 8 times 256 plus a byte.
                let low =
                    table[0x700 + Int(word & 0xFF)] ^ table[0x600 + Int(word >> 8 & 0xFF)]
                    ^ table[0x500 + Int(word >> 16 & 0xFF)] ^ table[0x400 + Int(word >> 24 & 0xFF)]
                let high =
                    table[0x300 + Int(word >> 32 & 0xFF)] ^ table[0x200 + Int(word >> 40 & 0xFF)]
                    ^ table[0x100 + Int(word >> 48 & 0xFF)] ^ table[Int(word >> 56)]
                crc = low ^ high
                at += 8
            }
            while at < end {
                crc = crc >> 8 ^ table[Int((crc ^ UInt32(at.load(as: UInt8.self))) & 0xFF)]
                at += 1
            }
            return ~crc
        }
    }

    /// Eight tables of 256: table n advances a byte by n more zero bytes.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) }
            tables[byte] = crc
        }
        for index in 256..<tables.count {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
        }
        return tables
    }()
}
