// LIKE: `%` stands for any text, `_` for one character. Case counts. After a mismatch only the last `%` is tried again one
// character further, which is enough and takes at most length of text × length of pattern steps.

extension EvaluationContext {
    mutating func like(_ value: SQLValue, _ pattern: SQLValue, escape: UInt32, negated: Bool) -> SQLValue {
        guard let text = text(value), let pattern = self.text(pattern) else { return .null }
        let matches = isLike(bytes(text), bytes(pattern), escape: escape)
        return .boolean(matches != negated)
    }

    private mutating func isLike(
        _ text: UnsafeRawBufferPointer, _ pattern: UnsafeRawBufferPointer, escape: UInt32
    ) -> Bool {
        var t = 0
        var p = 0
        /// Behind the last `%`, and the text's place when that was tried.
        var retry: (pattern: Int, text: Int)?
        while true {
            guard spend(1) else { return false }
            if p < pattern.count {
                var (character, width) = Self.scalar(pattern, p)
                if character == UInt32(UInt8(ascii: "%")), escape != character {
                    p += 1
                    if p == pattern.count { return true }
                    retry = (p, t)
                    continue
                }
                let isEscape = escape != 0 && character == escape && p + width < pattern.count
                if isEscape {
                    p += width
                    (character, width) = Self.scalar(pattern, p)
                }
                if t < text.count {
                    let (other, otherWidth) = Self.scalar(text, t)
                    if character == other || character == UInt32(UInt8(ascii: "_")) && !isEscape {
                        p += width
                        t += otherWidth
                        continue
                    }
                }
            } else if t == text.count {
                return true
            }
            guard let last = retry, last.text < text.count else { return false }
            let next = last.text + Self.scalar(text, last.text).width
            retry = (last.pattern, next)
            (p, t) = (last.pattern, next)
        }
    }

    /// The Unicode scalar that starts at `at` in UTF-8, which is known to be well-formed; a byte that is not counts alone.
    private static func scalar(_ text: UnsafeRawBufferPointer, _ at: Int) -> (value: UInt32, width: Int) {
        let first = text[at]
        let width = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        guard width > 1, at + width <= text.count else { return (UInt32(first), 1) }
        var value = UInt32(first) & (0x7F >> UInt32(width))
        for index in 1..<width { value = value << 6 | UInt32(text[at + index] & 0x3F) }
        return (value, width)
    }
}
