import Rules
import TestSupport
import Testing

// A second evaluator, written in the plainest way over a tree, and random expressions for both. It shares nothing with the
// compiler or the stack machine: a wrong precedence, jump, stack slot, coercion or overflow shows as a difference.

/// A value of the second evaluator.
private enum Plain {
    case null
    case bool(Bool)
    case int(Int64)
    case real(Double)

    var number: (whole: Int64?, real: Double)? {
        switch self {
        case .null: nil
        case .bool(let value): (value ? 1 : 0, value ? 1 : 0)
        case .int(let value): (value, Double(value))
        case .real(let value): (nil, value)
        }
    }

    var truth: Bool? { number.map { $0.real != 0 } }

    static func of(_ value: Bool?) -> Plain { value.map { .bool($0) } ?? .null }
    static func of(_ value: Double) -> Plain { value.isNaN || value.isInfinite ? .null : .real(value) }
}

private indirect enum Tree {
    case literal(String, Plain)
    case binary(String, Tree, Tree)
    case not(Tree)
    case negate(Tree)
    case isNull(Tree)
    case between(Tree, Tree, Tree)
    case inList(Tree, [Tree])
    case choose([(Tree, Tree)], Tree)
    case coalesce([Tree])

    private static let strength = [
        "OR": 1, "AND": 2, "=": 4, "<>": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 6, "-": 6, "*": 7, "/": 7, "%": 7,
    ]

    /// SQL with only the parentheses that the precedences ask for, if `spare` is false.
    func sql(_ spare: Bool, above outer: Int = 0) -> String {
        func wrap(_ text: String, _ strength: Int) -> String { spare || strength <= outer ? "(\(text))" : text }
        switch self {
        case .literal(let text, _): return text
        case .binary(let operation, let a, let b):
            let strength = Self.strength[operation] ?? 0
            // The left operand may be as strong, except of a comparison, which cannot be chained.
            let left = a.sql(spare, above: strength == 4 ? 4 : strength - 1)
            return wrap("\(left) \(operation) \(b.sql(spare, above: strength))", strength)
        case .not(let a): return wrap("NOT \(a.sql(spare, above: 2))", 3)
        case .negate(let a): return "(- \(a.sql(spare, above: 7)))"
        case .isNull(let a): return wrap("\(a.sql(spare, above: 4)) IS NULL", 4)
        case .between(let a, let b, let c):
            return wrap("\(a.sql(spare, above: 4)) BETWEEN \(b.sql(spare, above: 4)) AND \(c.sql(spare, above: 4))", 4)
        case .inList(let a, let list):
            return wrap("\(a.sql(spare, above: 4)) IN (\(list.map { $0.sql(spare) }.joined(separator: ", ")))", 4)
        case .choose(let branches, let last):
            let text = branches.map { "WHEN \($0.0.sql(spare)) THEN \($0.1.sql(spare))" }.joined(separator: " ")
            return "CASE \(text) ELSE \(last.sql(spare)) END"
        case .coalesce(let list): return "coalesce(\(list.map { $0.sql(spare) }.joined(separator: ", ")))"
        }
    }

    var value: Plain {
        switch self {
        case .literal(_, let value): return value
        case .binary("AND", let a, let b):
            let (x, y) = (a.value.truth, b.value.truth)
            return x == false || y == false ? .bool(false) : x == true && y == true ? .bool(true) : .null
        case .binary("OR", let a, let b):
            let (x, y) = (a.value.truth, b.value.truth)
            return x == true || y == true ? .bool(true) : x == false && y == false ? .bool(false) : .null
        case .binary(let operation, let a, let b):
            guard let x = a.value.number, let y = b.value.number else { return .null }
            return Self.strength[operation] == 4 ? Self.compare(operation, x, y) : Self.calculate(operation, x, y)
        case .not(let a): return .of(a.value.truth.map { !$0 })
        case .negate(let a):
            guard let x = a.value.number else { return .null }
            if let whole = x.whole, whole != .min { return .int(-whole) }
            return .real(-x.real)
        case .isNull(let a):
            if case .null = a.value { return .bool(true) }
            return .bool(false)
        case .between(let a, let b, let c):
            return Tree.binary("AND", .binary(">=", a, b), .binary("<=", a, c)).value
        case .inList(let a, let list):
            return list.map { Tree.binary("=", a, $0) }.reduce(Tree.literal("", .bool(false))) { .binary("OR", $0, $1) }.value
        case .choose(let branches, let last):
            return branches.first { $0.0.value.truth == true }.map { $0.1.value } ?? last.value
        case .coalesce(let list):
            for tree in list {
                if case .null = tree.value { continue }
                return tree.value
            }
            return .null
        }
    }

    /// Whole numbers compare with reals in 128 bits, so nothing is rounded.
    private static func compare(
        _ operation: String, _ x: (whole: Int64?, real: Double), _ y: (whole: Int64?, real: Double)
    ) -> Plain {
        let isLess: Bool
        let isEqual: Bool
        switch (x.whole, y.whole) {
        case (let a?, let b?): (isLess, isEqual) = (a < b, a == b)
        case (nil, nil): (isLess, isEqual) = (x.real < y.real, x.real == y.real)
        case (let a?, nil):
            let b = min(max(y.real, -1e30), 1e30)
            (isLess, isEqual) = (Int128(a) < Int128(b.rounded(.up)), Int128(exactly: b) == Int128(a))
        case (nil, let b?):
            let a = min(max(x.real, -1e30), 1e30)
            (isLess, isEqual) = (Int128(a.rounded(.down)) < Int128(b), Int128(exactly: a) == Int128(b))
        }
        switch operation {
        case "=": return .bool(isEqual)
        case "<>": return .bool(!isEqual)
        case "<": return .bool(isLess)
        case "<=": return .bool(isLess || isEqual)
        case ">": return .bool(!isLess && !isEqual)
        default: return .bool(!isLess)
        }
    }

    private static func calculate(
        _ operation: String, _ x: (whole: Int64?, real: Double), _ y: (whole: Int64?, real: Double)
    ) -> Plain {
        switch operation {
        case "/": return y.real == 0 ? .null : .of(x.real / y.real)
        case "%":
            if y.real == 0 { return .null }
            if let a = x.whole, let b = y.whole { return .int(b == -1 ? 0 : a % b) }
            return .of(x.real.truncatingRemainder(dividingBy: y.real))
        default:
            if let a = x.whole, let b = y.whole {
                let (wide, real) =
                    operation == "+" ? (Int128(a) + Int128(b), x.real + y.real)
                    : operation == "-" ? (Int128(a) - Int128(b), x.real - y.real) : (Int128(a) * Int128(b), x.real * y.real)
                return Int64(exactly: wide).map { .int($0) } ?? .of(real)
            }
            return .of(operation == "+" ? x.real + y.real : operation == "-" ? x.real - y.real : x.real * y.real)
        }
    }

    static func random(_ depth: Int, _ generator: inout SeededRandom) -> Tree {
        func next() -> Tree { random(depth - 1, &generator) }
        switch Int.random(in: depth > 0 ? 0...11 : 12...12, using: &generator) {
        case 0...5:
            return .binary(strength.keys.sorted().randomElement(using: &generator) ?? "+", next(), next())
        case 6: return .not(next())
        case 7: return .negate(next())
        case 8: return .isNull(next())
        case 9: return .between(next(), next(), next())
        case 10: return .inList(next(), (0..<Int.random(in: 1...3, using: &generator)).map { _ in next() })
        case 11:
            if Bool.random(using: &generator) { return .coalesce((0..<Int.random(in: 1...3, using: &generator)).map { _ in next() }) }
            return .choose((0..<Int.random(in: 1...3, using: &generator)).map { _ in (next(), next()) }, next())
        default: return leaf(&generator)
        }
    }

    private static func leaf(_ generator: inout SeededRandom) -> Tree {
        switch Int.random(in: 0...9, using: &generator) {
        case 0: return .literal("NULL", .null)
        case 1: return .literal("missing.path", .null)
        case 2: return .literal("TRUE", .bool(true))
        case 3: return .literal("f", .bool(false))
        case 4: return .literal("9223372036854775807", .int(.max))
        case 5: return .literal("least", .int(.min))
        case 6:
            let value = Double(Int.random(in: -400...400, using: &generator)) / 8
            return value < 0 ? .negate(.literal("\(-value)", .real(-value))) : .literal("\(value)", .real(value))
        default:
            let value = Int64.random(in: 0...5, using: &generator)
            return .literal("\(value)", .int(value))
        }
    }
}

@Suite("Rules beside a plain evaluator")
struct ReferenceTests {
    @Test("random expressions have the value that a plain evaluator gives them")
    func agrees() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededRandom(seed: seed)
        for _ in 0..<2000 {
            let tree = Tree.random(Int.random(in: 1...4, using: &generator), &generator)
            let expected: String =
                switch tree.value {
                case .null: "null"
                case .bool(let value): "\(value)"
                case .int(let value): "\(value)"
                case .real(let value): "\(value)"
                }
            for spare in [true, false] {
                let sql = tree.sql(spare)
                let found = try value(of: sql, #"{"f":false,"least":-9223372036854775808}"#)
                let same = found == expected || Double(found) != nil && Double(found) == Double(expected) && found.contains(where: { ".e".contains($0) })
                #expect(same, "\(sql) is \(found), expected \(expected), seed \(seed)")
            }
        }
    }
}
