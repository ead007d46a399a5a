/// The escapes of JSON strings (RFC 8259 §7).
public enum JSONText {
    /// Reads the text between the quotes of a string that a scanner accepted, scalar by scalar. Half a surrogate pair, which
    /// the grammar allows, reads as U+FFFD.
    public struct Unescaper {
        let bytes: UnsafeRawBufferPointer
        var at = 0

        public init(_ escaped: UnsafeRawBufferPointer) { bytes = escaped }

        public mutating func next() -> Unicode.Scalar? {
            guard at < bytes.count else { return nil }
            let byte = bytes[at]
            if byte == UInt8(ascii: "\\") { return escape() }
            if byte < 0x80 {
                at += 1
                return Unicode.Scalar(byte)
            }
            let length = UTF8Sequence.length(bytes, at: at)
            guard length > 0 else {
                at += 1
                return "\u{FFFD}"
            }
            var value = UInt32(byte) & (0x7F >> UInt32(length))
            for index in 1..<length { value = value << 6 | UInt32(bytes[at + index] & 0x3F) }
            at += length
            return Unicode.Scalar(value) ?? "\u{FFFD}"
        }

        private mutating func escape() -> Unicode.Scalar {
            guard at + 1 < bytes.count else {
                at = bytes.count
                return "\u{FFFD}"
            }
            let letter = bytes[at + 1]
            at += 2
            switch letter {
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{C}"
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "u"): break
            default: return Unicode.Scalar(letter)
            }
            guard let unit = codeUnit(at: at) else { return "\u{FFFD}" }
            at += 4
            if let scalar = Unicode.Scalar(unit) { return scalar }
            // A high surrogate and the escape of a low one make a scalar above U+FFFF.
            guard unit < 0xDC00, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u"),
                let low = codeUnit(at: at + 2), low >= 0xDC00, low <= 0xDFFF
            else { return "\u{FFFD}" }
            at += 6
            return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)) ?? "\u{FFFD}"
        }

        private func codeUnit(at: Int) -> UInt32? {
            guard at + 4 <= bytes.count else { return nil }
            var value: UInt32 = 0
            for index in at..<at + 4 {
                guard let digit = JSONLexer.hexadecimalDigit(bytes[index]) else { return nil }
                value = value << 4 | digit
            }
            return value
        }
    }

    /// Writes what an escaped text means. The result is never longer than the escaped text.
    ///
    /// - Parameter output: at least `escaped.count` bytes.
    /// - Returns: the bytes written.
    public static func unescape(_ escaped: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int {
        var unescaper = Unescaper(escaped)
        var count = 0
        while let scalar = unescaper.next() {
            let width = UTF8.width(scalar)
            // Half a surrogate pair takes six bytes and gives three.
            guard count + width <= output.count else { return count }
            UTF8Sequence.write(scalar, to: output, at: count)
            count += width
        }
        return count
    }

    /// Whether an escaped text means `text`.
    static func isEqual(escaped: UnsafeRawBufferPointer, _ text: UnsafeRawBufferPointer) -> Bool {
        var escaped = Unescaper(escaped)
        var plain = Unescaper(text)
        var at = 0
        while let scalar = escaped.next() {
            guard at < text.count else { return false }
            if text[at] < 0x80 {
                guard scalar.value == UInt32(text[at]) else { return false }
                at += 1
            } else {
                plain.at = at
                guard plain.next() == scalar else { return false }
                at = plain.at
            }
        }
        return at == text.count
    }
}

extension UTF8Sequence {
    /// Writes a scalar's UTF-8; there is room for it.
    static func write(_ scalar: Unicode.Scalar, to output: UnsafeMutableRawBufferPointer, at: Int) {
        let value = scalar.value
        func tail(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(truncatingIfNeeded: value >> shift & 0x3F) }
        switch value {
        case ..<0x80:
            output[at] = UInt8(truncatingIfNeeded: value)
        case ..<0x800:
            output[at] = 0xC0 | UInt8(truncatingIfNeeded: value >> 6)
            output[at + 1] = tail(0)
        case ..<0x10000:
            output[at] = 0xE0 | UInt8(truncatingIfNeeded: value >> 12)
            output[at + 1] = tail(6)
            output[at + 2] = tail(0)
        default:
            output[at] = 0xF0 | UInt8(truncatingIfNeeded: value >> 18)
            output[at + 1] = tail(12)
            output[at + 2] = tail(6)
            output[at + 3] = tail(0)
        }
    }
}
