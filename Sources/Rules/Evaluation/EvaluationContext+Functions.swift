import Core
import Payload

extension EvaluationContext {
    /// Calls a function with the arguments that lie on the stack.
    mutating func call(_ function: SQLFunction, first: Int, count: Int) -> SQLValue {
        let a = count > 0 ? stack[first] : .null
        let b = count > 1 ? stack[first + 1] : .null
        switch function {
        case .abs, .sign, .floor, .ceil, .sqrt, .exp, .ln, .log10:
            return self.function(function, a)
        case .round: return round(a, decimals: count > 1 ? b : nil)
        case .power: return power(a, b)
        case .mod: return remainder(a, b)
        case .div: return div(a, b)
        case .bit: return bits(a, b, b, isFlag: true)
        case .bits: return bits(a, b, stack[first + 2], isFlag: false)
        case .least, .greatest: return extreme(first: first, count: count, sign: function == .least ? -1 : 1)
        case .nullif: return order(a, b) == 0 ? .null : a
        case .lower, .upper: return changedCase(a, toUpper: function == .upper)
        case .length: return length(a)
        case .substr: return substring(a, b, count > 2 ? stack[first + 2] : nil)
        case .trim: return trim(a, start: true, end: true)
        case .ltrim: return trim(a, start: true, end: false)
        case .rtrim: return trim(a, start: false, end: true)
        case .replace: return replace(a, b, stack[first + 2])
        case .concat: return concat(first: first, count: count)
        case .startsWith: return has(a, b, at: .start)
        case .endsWith: return has(a, b, at: .end)
        case .contains: return has(a, b, at: .anywhere)
        case .topic: return count == 0 ? .text(TextReference(.topic, offset: 0, count: topic.count)) : level(a)
        case .payload:
            guard UTF8Sequence.isValid(payload) else { return .null }
            return .text(TextReference(.payload, offset: 0, count: payload.count))
        case .now: return .integer(publishedAt.milliseconds)
        case .timestamp: return timestamp(count == 0 ? .integer(publishedAt.milliseconds) : a)
        case .typeOf: return literal(typeName(a))
        case .coalesce, .iif, .exists, .quality, .reason, .json:
            // Compiled to instructions of their own.
            return .null
        }
    }

    /// The least or greatest argument; NULL if one is NULL or two cannot be compared.
    private func extreme(first: Int, count: Int, sign: Int) -> SQLValue {
        var result = stack[first]
        for index in first..<first + count {
            guard let order = order(stack[index], result) else { return .null }
            if order * sign > 0 { result = stack[index] }
        }
        return result
    }

    private func level(_ number: SQLValue) -> SQLValue {
        guard case .integer(let number) = whole(number), let range = TopicLevels.range(of: number, in: topic) else {
            return .null
        }
        return .text(TextReference(.topic, offset: range.lowerBound, count: range.count))
    }

    private func typeName(_ value: SQLValue) -> StaticString {
        switch value {
        case .null: "null"
        case .boolean: "boolean"
        case .integer: "integer"
        case .real: "real"
        case .text: "text"
        case .json(let node): scanner[node].kind == .array ? "array" : "object"
        }
    }

    /// A value as a whole number, rounded towards zero; NULL if it is no number or does not fit 64 bits.
    func whole(_ value: SQLValue) -> SQLValue {
        switch numeric(value) {
        case .integer(let value): return .integer(value)
        case .real(let value): return Int64(exactly: value.rounded(.towardZero)).map { .integer($0) } ?? .null
        case nil: return .null
        }
    }

    mutating func cast(_ value: SQLValue, to type: CastType) -> SQLValue {
        switch type {
        case .integer: return whole(value)
        case .real: return numeric(value).map { .real($0.double) } ?? .null
        case .text: return text(value).map { .text($0) } ?? .null
        case .boolean: return truth(value).value
        }
    }

    /// ISO 8601 with milliseconds in UTC; NULL outside of the years 0 to 9999.
    private mutating func timestamp(_ value: SQLValue) -> SQLValue {
        guard case .integer(let time) = whole(value), let date = CalendarDate(milliseconds: time) else { return .null }
        return make(atMost: CalendarDate.textLength) { _, room in date.write(to: room) }
    }
}
