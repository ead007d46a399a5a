import Glibc

/// A number read from JSON text, exact: a whole number that fits stays whole, everything else is the nearest `Double`.
public enum JSONNumber: Sendable, Hashable {
    case int(Int64)
    /// A whole number above `Int64.max`.
    case uint(UInt64)
    case double(Double)

    /// Reads a number in the grammar of RFC 8259 §6; nil if `text` is something else or beyond the range of a `Double`.
    ///
    /// Allocates nothing for a text below 1,000 bytes.
    public init?(_ text: UnsafeRawBufferPointer) {
        var at = 0
        guard text.count > 0 else { return nil }
        guard let isFractional = try? JSONLexer(text).skipNumber(&at), at == text.count else { return nil }
        if !isFractional, let whole = JSONNumber.whole(text) {
            self = whole
            return
        }
        let value = JSONNumber.decimal(text) ?? JSONNumber.anyDecimal(text)
        guard value.isFinite else { return nil }
        self = .double(value)
    }

    public var double: Double {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .double(let value): value
        }
    }

    /// `-?[0-9]+`, unless it is too large.
    private static func whole(_ text: UnsafeRawBufferPointer) -> JSONNumber? {
        let isNegative = text[0] == UInt8(ascii: "-")
        var magnitude: UInt64 = 0
        for index in (isNegative ? 1 : 0)..<text.count {
            let digit = UInt64(text[index] &- UInt8(ascii: "0"))
            let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(digit)
            if overflow || carry { return nil }
            magnitude = sum
        }
        if isNegative {
            if magnitude == 0 { return text.count == 2 ? .double(-0.0) : .int(0) }
            if magnitude == UInt64(Int64.max) + 1 { return .int(.min) }
            return Int64(exactly: magnitude).map { .int(-$0) }
        }
        if let value = Int64(exactly: magnitude) { return .int(value) }
        return .uint(magnitude)
    }

    /// The common case: digits below 2⁵³ and a power of ten that a `Double` holds exactly, so that one multiplication or
    /// division rounds correctly (Clinger 1990).
    private static func decimal(_ text: UnsafeRawBufferPointer) -> Double? {
        var mantissa: UInt64 = 0
        var digits = 0
        var exponent = 0
        var at = 0
        var isFraction = false
        let isNegative = text[0] == UInt8(ascii: "-")
        if isNegative { at = 1 }
        while at < text.count {
            let byte = text[at]
            if byte == UInt8(ascii: ".") {
                isFraction = true
            } else if byte &- UInt8(ascii: "0") < 10 {
                mantissa = mantissa &* 10 &+ UInt64(byte &- UInt8(ascii: "0"))
                if mantissa > 0 { digits += 1 }
                if digits > 17 { return nil }
                if isFraction { exponent -= 1 }
            } else {
                break
            }
            at += 1
        }
        if at < text.count {
            // e or E, and at most three digits.
            at += 1
            let sign = text[at] == UInt8(ascii: "-") ? -1 : 1
            if text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: "+") { at += 1 }
            guard text.count - at <= 3 else { return nil }
            var power = 0
            while at < text.count {
                power = power * 10 + Int(text[at] &- UInt8(ascii: "0"))
                at += 1
            }
            exponent += sign * power
        }
        guard mantissa <= 1 << 53, exponent >= -22, exponent <= 22 else { return nil }
        let magnitude =
            exponent < 0
            ? Double(mantissa) / DecimalText.powerOfTen(-exponent) : Double(mantissa) * DecimalText.powerOfTen(exponent)
        return isNegative ? -magnitude : magnitude
    }

    /// Everything else. The C library's conversion is exact for any length; the process stays in the C locale.
    private static func anyDecimal(_ text: UnsafeRawBufferPointer) -> Double {
        withUnsafeTemporaryAllocation(byteCount: text.count + 1, alignment: 1) { copy in
            copy.copyMemory(from: text)
            copy[text.count] = 0
            guard let start = copy.baseAddress else { return 0 }
            return strtod(start.assumingMemoryBound(to: CChar.self), nil)
        }
    }
}
