// The check of UTF-8 Encoded Strings (MQTT 5.0 §1.5.4), in place. Nearly all of them are ASCII, so eight bytes are looked
// at together; anything else is left to the exact check.
//
// In a word of ASCII, `byte + 0x7F` sets the high bit of exactly the bytes that are not zero, without a carry into the
// next byte. `+` (0x2B) and `#` (0x23) differ in bit 3 only, so one comparison finds both. The lowest byte that is not
// ASCII gets no carry either, and of those sums the first has the high bit only for 0x80, the second only for 0xA3 and
// 0xAB: they are never both set, and the word is found not plain.

/// The check of text.
public enum UTF8EncodedString {
    /// Whether a payload is the UTF-8 that its Payload Format Indicator says (MQTT 5.0 §3.3.2.3.2). It is no UTF-8 Encoded
    /// String: U+0000 may be in it.
    public static func isValidPayload(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes
        while let null = rest.firstIndex(of: 0) {
            guard isValid(UnsafeRawBufferPointer(rebasing: rest[..<null])) else { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest[(null + 1)...])
        }
        return isValid(rest)
    }

    /// Whether the bytes are well-formed UTF-8 ([MQTT-1.5.4-1]) without U+0000 ([MQTT-1.5.4-2]). Empty is valid.
    ///
    /// Control characters and non-characters are accepted: to refuse them is the receiver's choice (§1.5.4), and one
    /// that forwards for others has no reason to.
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        var offset = 0
        while offset &+ 8 <= bytes.count {
            let word = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            if word & highBits != 0 || (word &+ lowBits) & highBits != highBits { break }
            offset &+= 8
        }
        return isWellFormed(bytes, from: offset, allowsWildcards: true)
    }

    /// Whether the bytes are valid as above and have no wildcard ([MQTT-3.3.2-2]). Empty is valid.
    @inlinable @inline(__always)
    static func isValidTopicName(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        return isPlain(base, count: bytes.count) || isWellFormed(bytes, from: 0, allowsWildcards: false)
    }

    /// Whether the bytes are ASCII without wildcard and null.
    @inlinable @inline(__always)
    static func isPlain(_ base: UnsafeRawPointer, count: Int) -> Bool {
        if count >= 8 {
            let last = count &- 8
            var offset = 0
            while offset < last {
                guard isPlain(base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) else { return false }
                offset &+= 8
            }
            // The last eight bytes, some of them for the second time.
            return isPlain(base.loadUnaligned(fromByteOffset: last, as: UInt64.self))
        }
        if count >= 4 {
            let head = base.loadUnaligned(as: UInt32.self)
            let tail = base.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
            return isPlain(UInt64(head) | UInt64(tail) << 32)
        }
        var word: UInt64 = 0x2F2F_2F2F_2F2F_2F2F
        for offset in 0..<count {
            word = word << 8 | UInt64(base.load(fromByteOffset: offset, as: UInt8.self))
        }
        return isPlain(word)
    }

    /// Whether eight bytes are ASCII without wildcard and null.
    @inlinable @inline(__always)
    static func isPlain(_ word: UInt64) -> Bool {
        let notNull = word &+ lowBits
        let notWildcard = ((word & ~0x0808_0808_0808_0808) ^ 0x2323_2323_2323_2323) &+ lowBits
        return notNull & notWildcard & highBits == highBits
    }

    @inlinable @inline(__always)
    static var highBits: UInt64 { 0x8080_8080_8080_8080 }
    @inlinable @inline(__always)
    static var lowBits: UInt64 { 0x7F7F_7F7F_7F7F_7F7F }

    /// The exact check, byte by byte, from an offset where a scalar starts (Unicode 15 table 3-7).
    @usableFromInline
    static func isWellFormed(_ bytes: UnsafeRawBufferPointer, from start: Int, allowsWildcards: Bool) -> Bool {
        var offset = start
        let count = bytes.count
        while offset < count {
            let lead = bytes[offset]
            if lead < 0x80 {
                if lead == 0 { return false }
                if !allowsWildcards, lead == UInt8(ascii: "+") || lead == UInt8(ascii: "#") { return false }
                offset += 1
                continue
            }
            // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF.
            let length: Int
            var second: ClosedRange<UInt8> = 0x80...0xBF
            switch lead {
            case 0xC2...0xDF: length = 2
            case 0xE0: (length, second) = (3, 0xA0...0xBF)
            case 0xED: (length, second) = (3, 0x80...0x9F)
            case 0xE1...0xEF: length = 3
            case 0xF0: (length, second) = (4, 0x90...0xBF)
            case 0xF1...0xF3: length = 4
            case 0xF4: (length, second) = (4, 0x80...0x8F)
            default: return false
            }
            guard length <= count - offset, second ~= bytes[offset + 1] else { return false }
            for index in 2..<4 where index < length {
                guard 0x80...0xBF ~= bytes[offset + index] else { return false }
            }
            offset += length
        }
        return true
    }
}
