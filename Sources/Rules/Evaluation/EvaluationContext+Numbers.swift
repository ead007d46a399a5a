import Glibc
import Payload

// Arithmetic. NULL makes NULL. A result that does not fit an INTEGER becomes a REAL, and one that is not a number NULL.

/// An operand of arithmetic.
enum Numeric {
    case integer(Int64)
    case real(Double)

    var double: Double {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        }
    }
}

extension EvaluationContext {
    /// A value as a number: FALSE and TRUE are 0 and 1, a text counts if the whole of it is a number.
    func numeric(_ value: SQLValue) -> Numeric? {
        switch value {
        case .integer(let value): .integer(value)
        case .real(let value): .real(value)
        case .boolean(let value): .integer(value ? 1 : 0)
        case .text(let text): numeric(bytes(text))
        case .null, .json: nil
        }
    }

    /// A JSON number, spaces around it allowed.
    private func numeric(_ text: UnsafeRawBufferPointer) -> Numeric? {
        switch JSONNumber(trimmed(text, start: true, end: true)) {
        case .int(let value): .integer(value)
        case .uint(let value): .real(Double(value))
        case .double(let value): .real(value)
        case nil: nil
        }
    }

    @inline(__always)
    private func arithmetic(
        _ a: SQLValue, _ b: SQLValue, _ whole: (Int64, Int64) -> (partialValue: Int64, overflow: Bool),
        _ real: (Double, Double) -> Double
    ) -> SQLValue {
        guard let a = numeric(a), let b = numeric(b) else { return .null }
        if case .integer(let x) = a, case .integer(let y) = b {
            let (result, overflow) = whole(x, y)
            if !overflow { return .integer(result) }
        }
        return .finite(real(a.double, b.double))
    }

    func add(_ a: SQLValue, _ b: SQLValue) -> SQLValue {
        arithmetic(a, b, { $0.addingReportingOverflow($1) }, { $0 + $1 })
    }

    func subtract(_ a: SQLValue, _ b: SQLValue) -> SQLValue {
        arithmetic(a, b, { $0.subtractingReportingOverflow($1) }, { $0 - $1 })
    }

    func multiply(_ a: SQLValue, _ b: SQLValue) -> SQLValue {
        arithmetic(a, b, { $0.multipliedReportingOverflow(by: $1) }, { $0 * $1 })
    }

    /// Always a REAL; NULL for a division by zero.
    func divide(_ a: SQLValue, _ b: SQLValue) -> SQLValue {
        guard let a = numeric(a), let b = numeric(b), b.double != 0 else { return .null }
        return .finite(a.double / b.double)
    }

    /// The whole quotient, rounded towards zero.
    func div(_ a: SQLValue, _ b: SQLValue) -> SQLValue {
        guard let a = numeric(a), let b = numeric(b), b.double != 0 else { return .null }
        if case .integer(let x) = a, case .integer(let y) = b {
            let (result, overflow) = x.dividedReportingOverflow(by: y)
            if !overflow { return .integer(result) }
        }
        return .whole((a.double / b.double).rounded(.towardZero))
    }

    /// The remainder has the sign of the dividend.
    func remainder(_ a: SQLValue, _ b: SQLValue) -> SQLValue {
        guard let a = numeric(a), let b = numeric(b), b.double != 0 else { return .null }
        if case .integer(let x) = a, case .integer(let y) = b { return .integer(y == -1 ? 0 : x % y) }
        return .finite(fmod(a.double, b.double))
    }

    func negate(_ value: SQLValue) -> SQLValue {
        switch numeric(value) {
        case .integer(let value): value == .min ? .real(-Double(value)) : .integer(-value)
        case .real(let value): .real(-value)
        case nil: .null
        }
    }

    /// Functions of one number.
    func function(_ function: SQLFunction, _ value: SQLValue) -> SQLValue {
        guard let number = numeric(value) else { return .null }
        switch function {
        case .abs:
            if case .integer(let value) = number {
                return value == .min ? .real(-Double(value)) : .integer(Swift.abs(value))
            }
            return .real(number.double.magnitude)
        case .sign: return .integer(number.double > 0 ? 1 : number.double < 0 ? -1 : 0)
        case .floor: return rounded(number, .down)
        case .ceil: return rounded(number, .up)
        case .sqrt: return .finite(number.double.squareRoot())
        case .exp: return .finite(Glibc.exp(number.double))
        case .ln: return .finite(Glibc.log(number.double))
        case .log10: return .finite(Glibc.log10(number.double))
        default: return .null
        }
    }

    func power(_ base: SQLValue, _ exponent: SQLValue) -> SQLValue {
        guard let base = numeric(base), let exponent = numeric(exponent) else { return .null }
        return .finite(pow(base.double, exponent.double))
    }

    /// Neighbouring bits of a whole number, 0 being the least significant, as a number or as a condition.
    func bits(_ value: SQLValue, _ lowest: SQLValue, _ highest: SQLValue, isFlag: Bool) -> SQLValue {
        guard case .integer(let number) = whole(value), case .integer(let low) = whole(lowest),
            case .integer(let high) = whole(highest), 0...63 ~= low, low...63 ~= high
        else { return .null }
        let width = high - low + 1
        let mask = width == 64 ? UInt64.max : (1 << UInt64(width)) - 1
        let result = UInt64(bitPattern: number) >> UInt64(low) & mask
        return isFlag ? .boolean(result != 0) : .integer(Int64(bitPattern: result))
    }

    private func rounded(_ number: Numeric, _ rule: FloatingPointRoundingRule) -> SQLValue {
        switch number {
        case .integer(let value): .integer(value)
        case .real(let value): .whole(value.rounded(rule))
        }
    }

    /// Half is rounded away from zero. Without `decimals` the result is whole.
    func round(_ value: SQLValue, decimals: SQLValue?) -> SQLValue {
        guard let number = numeric(value) else { return .null }
        guard let decimals else {
            return rounded(number, .toNearestOrAwayFromZero)
        }
        guard case .integer(let wanted) = numeric(decimals) else { return .null }
        let places = min(max(wanted, -15), 15)
        if case .integer(let whole) = number, places >= 0 { return .integer(whole) }
        var scale = 1.0
        var power = places.magnitude
        while power > 0 {
            scale *= 10
            power -= 1
        }
        if places < 0 {
            let result = (number.double / scale).rounded() * scale
            if case .integer = number { return .whole(result) }
            return .finite(result)
        }
        let scaled = number.double * scale
        return scaled.magnitude < 0x1p53 ? .real(scaled.rounded() / scale) : .real(number.double)
    }
}
