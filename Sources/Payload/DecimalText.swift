/// Numbers as decimal text that reads back as exactly the same number.
///
/// Allocates nothing for a number of at most nine decimals; one that needs more than 15 characters beyond that goes through
/// a `String`.
///
/// A real number always shows a point or an exponent (`50.0`, `1e+300`), so that a reader can tell it from a whole number.
public enum DecimalText {
    /// No number takes more bytes.
    public static let maxLength = 32

    /// - Parameter output: at least ``maxLength`` bytes.
    /// - Returns: the bytes written.
    public static func write(_ value: Int64, to output: UnsafeMutableRawBufferPointer) -> Int {
        if value < 0 {
            output[0] = UInt8(ascii: "-")
            return 1 + write(value.magnitude, to: UnsafeMutableRawBufferPointer(rebasing: output[1...]))
        }
        return write(value.magnitude, to: output)
    }

    /// - Parameter output: at least ``maxLength`` bytes.
    public static func write(_ value: UInt64, to output: UnsafeMutableRawBufferPointer) -> Int {
        var count = 1
        var rest = value / 10
        while rest > 0 {
            count += 1
            rest /= 10
        }
        rest = value
        for index in stride(from: count - 1, through: 0, by: -1) {
            output[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        return count
    }

    /// The shortest text that reads back as `value`; nothing is written for NaN and infinity.
    ///
    /// - Parameter output: at least ``maxLength`` bytes.
    public static func write(_ value: Double, to output: UnsafeMutableRawBufferPointer) -> Int {
        guard value.isFinite else { return 0 }
        if let count = writeFixed(value, to: output, isExact: { $0 == value }) { return count }
        return writeDescription(value.description, to: output)
    }

    /// The shortest text that reads back as `value` when read as a `Float`.
    ///
    /// - Parameter output: at least ``maxLength`` bytes.
    public static func write(_ value: Float, to output: UnsafeMutableRawBufferPointer) -> Int {
        guard value.isFinite else { return 0 }
        if let count = writeFixed(Double(value), to: output, isExact: { Float($0) == value }) { return count }
        return writeDescription(value.description, to: output)
    }

    /// What sensors deliver: a number with at most nine decimals. Both the digits and the power of ten are exact, so the
    /// division rounds as a reader does.
    @inline(__always)
    private static func writeFixed(
        _ value: Double, to output: UnsafeMutableRawBufferPointer, isExact: (Double) -> Bool
    ) -> Int? {
        let magnitude = value.magnitude
        guard magnitude < 1e15, magnitude >= 1e-4 || magnitude == 0 else { return nil }
        var power = 1.0
        for decimals in 0...9 {
            let scaled = (magnitude * power).rounded()
            guard scaled <= 0x1p53 else { return nil }
            let read = scaled / power
            if isExact(value.sign == .minus ? -read : read) {
                return writeFixed(
                    UInt64(scaled), decimals: decimals, isNegative: value.sign == .minus, to: output)
            }
            power *= 10
        }
        return nil
    }

    private static func writeFixed(
        _ digits: UInt64, decimals: Int, isNegative: Bool, to output: UnsafeMutableRawBufferPointer
    ) -> Int {
        var count = 0
        if isNegative {
            output[0] = UInt8(ascii: "-")
            count = 1
        }
        var unit: UInt64 = 1
        for _ in 0..<decimals { unit *= 10 }
        count += write(digits / unit, to: UnsafeMutableRawBufferPointer(rebasing: output[count...]))
        output[count] = UInt8(ascii: ".")
        count += 1
        if decimals == 0 {
            output[count] = UInt8(ascii: "0")
            return count + 1
        }
        var rest = digits % unit
        for index in stride(from: decimals - 1, through: 0, by: -1) {
            output[count + index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        return count + decimals
    }

    private static func writeDescription(_ text: String, to output: UnsafeMutableRawBufferPointer) -> Int {
        var count = 0
        for byte in text.utf8 where count < output.count {
            output[count] = byte
            count += 1
        }
        return count
    }

    /// 10 to the power of 0…22, all exact; out of that range the nearest end.
    static func powerOfTen(_ exponent: Int) -> Double {
        var power = 1.0
        for _ in 0..<min(max(exponent, 0), 22) { power *= 10 }
        return power
    }
}
