/// Well-formed UTF-8 (Unicode 15, table 3-7).
public enum UTF8Sequence {
    /// Length of the well-formed multi-byte sequence that starts at `at`: 2, 3 or 4, or 0 if it is ill-formed, ends early or
    /// is a single byte.
    public static func length(_ bytes: UnsafeRawBufferPointer, at: Int) -> Int {
        guard at >= 0, at < bytes.count else { return 0 }
        let first = bytes[at]
        let left = bytes.count - at
        func continues(_ distance: Int, from low: UInt8 = 0x80, to high: UInt8 = 0xBF) -> Bool {
            bytes[at + distance] >= low && bytes[at + distance] <= high
        }
        switch first {
        case 0xC2...0xDF:
            return left >= 2 && continues(1) ? 2 : 0
        case 0xE0...0xEF:
            guard left >= 3 else { return 0 }
            let low: UInt8 = first == 0xE0 ? 0xA0 : 0x80
            let high: UInt8 = first == 0xED ? 0x9F : 0xBF
            return continues(1, from: low, to: high) && continues(2) ? 3 : 0
        case 0xF0...0xF4:
            guard left >= 4 else { return 0 }
            let low: UInt8 = first == 0xF0 ? 0x90 : 0x80
            let high: UInt8 = first == 0xF4 ? 0x8F : 0xBF
            return continues(1, from: low, to: high) && continues(2) && continues(3) ? 4 : 0
        default:
            return 0
        }
    }

    /// Whether all bytes are well-formed UTF-8.
    public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        while at < bytes.count {
            if bytes[at] < 0x80 {
                at += 1
            } else {
                let length = length(bytes, at: at)
                if length == 0 { return false }
                at += length
            }
        }
        return true
    }
}
