public import Core

/// What is sent: text with escapes, and with a value in it.
///
/// `\r \n \t \\ \{` and `\xHH` are characters; `{value}` is the value, `{value:8}` right-justified in 8 columns, and
/// `{value:8.2}` with 2 decimals too. `SP {value:.1}\r\n` sends `SP 21.5`, CR, LF.
public struct TextTemplate: Sendable, Hashable {
    private enum Part: Sendable, Hashable {
        case bytes([UInt8])
        case value(width: Int, decimals: Int?)
    }

    /// Bytes of a template.
    public static let maxLength = 4096
    static let maxWidth = 255
    static let maxDecimals = 15

    private var parts: [Part] = []

    /// Whether a value stands in it.
    public var hasValue: Bool { parts.contains { if case .value = $0 { true } else { false } } }

    /// - Throws: what is wrong with the template.
    public init(_ text: String) throws(FieldBusError) {
        func invalid(_ problem: String) -> FieldBusError { .invalid(place: "template \"\(text)\"", problem: problem) }
        guard text.utf8.count <= Self.maxLength else { throw invalid("more than \(Self.maxLength) bytes") }
        var rest = Array(text.utf8)[...]
        var literal: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\\"):
                guard let escaped = Self.escape(&rest) else { throw invalid("after \"\\\" stands r, n, t, \\, {, or x and two hexadecimal digits") }
                literal.append(escaped)
            case UInt8(ascii: "{"):
                guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else { throw invalid("a \"}\" is missing") }
                guard let value = Self.value(String(decoding: rest[..<end], as: UTF8.self)) else {
                    throw invalid("between \"{\" and \"}\" stands value, value:WIDTH or value:WIDTH.DECIMALS")
                }
                rest = rest[(end + 1)...]
                if !literal.isEmpty { parts.append(.bytes(literal)) }
                literal = []
                parts.append(value)
            default:
                literal.append(byte)
            }
        }
        if !literal.isEmpty { parts.append(.bytes(literal)) }
    }

    /// The bytes to send.
    public func render(_ value: Value) -> [UInt8] {
        parts.flatMap { part in
            switch part {
            case .bytes(let bytes): bytes
            case .value(let width, let decimals):
                Self.justified(Self.text(value, decimals: decimals), width)
            }
        }
    }

    private static func justified(_ text: String, _ width: Int) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8](repeating: 32, count: max(0, width - text.count)) + bytes
    }

    private static func text(_ value: Value, decimals: Int?) -> String {
        switch value {
        case .bool(let value): value ? "1" : "0"
        case .int(let value): decimals.map { fixed(Double(value), $0) } ?? "\(value)"
        case .uint(let value): decimals.map { fixed(Double(value), $0) } ?? "\(value)"
        case .real(let value): decimals.map { fixed(Double(value), $0) } ?? "\(value)"
        case .lreal(let value): decimals.map { fixed(value, $0) } ?? "\(value)"
        case .string(let value): value
        }
    }

    /// With so many decimals, rounded half to even; as the language writes it where that is too large.
    private static func fixed(_ value: Double, _ decimals: Int) -> String {
        var factor = 1.0
        for _ in 0..<decimals { factor *= 10 }
        let scaled = (value.magnitude * factor).rounded(.toNearestOrEven)
        guard scaled < 9e15 else { return "\(value)" }
        let number = UInt64(scaled)
        let whole = number / UInt64(factor)
        let sign = value < 0 && number > 0 ? "-" : ""
        guard decimals > 0 else { return sign + "\(whole)" }
        let fraction = "\(number % UInt64(factor))"
        return sign + "\(whole)." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }

    private static func escape(_ rest: inout ArraySlice<UInt8>) -> UInt8? {
        switch rest.popFirst() {
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "\\"): return UInt8(ascii: "\\")
        case UInt8(ascii: "{"): return UInt8(ascii: "{")
        case UInt8(ascii: "x"):
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy({ ByteSet.hexadecimal.contains($0) }) else { return nil }
            rest = rest.dropFirst(2)
            return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
        default: return nil
        }
    }

    private static func value(_ text: String) -> Part? {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts[0] == "value" else { return nil }
        guard parts.count == 2 else { return .value(width: 0, decimals: nil) }
        let numbers = parts[1].split(separator: ".", omittingEmptySubsequences: false)
        guard numbers.count <= 2, let width = numbers[0].isEmpty ? 0 : Int(numbers[0]), (0...maxWidth).contains(width) else { return nil }
        guard numbers.count == 2 else { return .value(width: width, decimals: nil) }
        guard let decimals = Int(numbers[1]), (0...maxDecimals).contains(decimals) else { return nil }
        return .value(width: width, decimals: decimals)
    }
}

extension ByteSet {
    fileprivate static let hexadecimal = ByteSet("0123456789abcdefABCDEF")
}
