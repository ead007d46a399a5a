/// Steps over the tokens of a JSON text and checks them. Never reads outside of the text.
struct JSONLexer {
    let bytes: UnsafeRawBufferPointer
    let count: Int

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        count = bytes.count
    }

    /// The byte at an offset below ``count``.
    @inline(__always) subscript(at: Int) -> UInt8 { bytes[at] }

    @inline(__always)
    func skipWhiteSpace(_ at: inout Int) {
        while at < count {
            switch bytes[at] {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return
            }
        }
    }

    func skipLiteral(_ literal: StaticString, _ at: inout Int) throws(JSONError) {
        for index in 0..<literal.utf8CodeUnitCount {
            guard at < count else { throw JSONError(.unexpectedEnd, at: at) }
            guard bytes[at] == literal.utf8Start[index] else { throw JSONError(.unexpectedCharacter, at: at) }
            at += 1
        }
    }

    /// From the opening quote to behind the closing one. Returns whether there are escapes.
    @inline(__always)
    func skipString(_ at: inout Int) throws(JSONError) -> Bool {
        at += 1
        var isEscaped = false
        while at < count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                at += 1
                return isEscaped
            }
            if byte == UInt8(ascii: "\\") {
                isEscaped = true
                try skipEscape(&at)
            } else if byte < 0x20 {
                throw JSONError(.controlCharacter, at: at)
            } else if byte < 0x80 {
                at += 1
            } else {
                let length = UTF8Sequence.length(bytes, at: at)
                if length == 0 { throw JSONError(.invalidUTF8, at: at) }
                at += length
            }
        }
        throw JSONError(.unexpectedEnd, at: at)
    }

    private func skipEscape(_ at: inout Int) throws(JSONError) {
        at += 1
        guard at < count else { throw JSONError(.unexpectedEnd, at: at) }
        switch bytes[at] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            at += 1
        case UInt8(ascii: "u"):
            at += 1
            for _ in 0..<4 {
                guard at < count else { throw JSONError(.unexpectedEnd, at: at) }
                guard JSONLexer.hexadecimalDigit(bytes[at]) != nil else { throw JSONError(.invalidEscape, at: at) }
                at += 1
            }
        default:
            throw JSONError(.invalidEscape, at: at)
        }
    }

    /// From the sign or first digit to behind the number. Returns whether it has a fraction or an exponent.
    @inline(__always)
    func skipNumber(_ at: inout Int) throws(JSONError) -> Bool {
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        // RFC 8259 §6: no leading zeros.
        if at < count, bytes[at] == UInt8(ascii: "0") {
            at += 1
        } else {
            try skipDigits(&at)
        }
        guard at < count else { return false }
        var isFractional = false
        if bytes[at] == UInt8(ascii: ".") {
            isFractional = true
            at += 1
            try skipDigits(&at)
        }
        if at < count, bytes[at] == UInt8(ascii: "e") || bytes[at] == UInt8(ascii: "E") {
            isFractional = true
            at += 1
            if at < count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            try skipDigits(&at)
        }
        return isFractional
    }

    /// At least one digit.
    @inline(__always)
    private func skipDigits(_ at: inout Int) throws(JSONError) {
        let start = at
        while at < count, bytes[at] &- UInt8(ascii: "0") < 10 { at += 1 }
        if at == start { throw JSONError(at < count ? .unexpectedCharacter : .unexpectedEnd, at: at) }
    }

    static func hexadecimalDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}
