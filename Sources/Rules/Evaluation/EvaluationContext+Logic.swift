import Glibc
import Payload

// Truth and order. Both know NULL: what cannot be said is unknown.

extension EvaluationContext {
    /// A value as a condition: a number is TRUE unless it is 0; a text is TRUE or FALSE if it says so or is a number.
    @inline(__always)
    func truth(_ value: SQLValue) -> Truth {
        switch value {
        case .boolean(let value): Truth(value)
        case .integer(let value): Truth(value != 0)
        case .real(let value): Truth(value != 0)
        case .text(let text): truth(of: text)
        case .null, .json: .unknown
        }
    }

    private func truth(of text: TextReference) -> Truth {
        let word = bytes(text)
        if isWord(word, "true") { return .true }
        if isWord(word, "false") { return .false }
        return numeric(.text(text)).map { Truth($0.double != 0) } ?? .unknown
    }

    /// Whether the letters are those of `word`, which is in lower case.
    private func isWord(_ text: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        guard text.count == word.utf8CodeUnitCount else { return false }
        for index in 0..<text.count where text[index] | 0x20 != word.utf8Start[index] { return false }
        return true
    }

    func not(_ value: SQLValue) -> SQLValue {
        switch truth(value) {
        case .true: .boolean(false)
        case .false: .boolean(true)
        case .unknown: .null
        }
    }

    func and(_ a: SQLValue, _ b: SQLValue) -> SQLValue {
        let (a, b) = (truth(a), truth(b))
        if a == .false || b == .false { return .boolean(false) }
        return a == .true && b == .true ? .boolean(true) : .null
    }

    func or(_ a: SQLValue, _ b: SQLValue) -> SQLValue {
        let (a, b) = (truth(a), truth(b))
        if a == .true || b == .true { return .boolean(true) }
        return a == .false && b == .false ? .boolean(false) : .null
    }

    /// Below 0, 0 or above 0 as `a` is less than, equal to or greater than `b`; nil if they cannot be compared.
    ///
    /// Numbers compare by value, exactly; texts by their bytes, which is by Unicode scalars. A text beside a number or a
    /// boolean is converted to it. Arrays and objects compare with nothing.
    @inline(__always)
    func order(_ a: SQLValue, _ b: SQLValue) -> Int? {
        switch (a, b) {
        case (.integer(let a), .integer(let b)): a < b ? -1 : a == b ? 0 : 1
        case (.real(let a), .real(let b)): a < b ? -1 : a == b ? 0 : 1
        case (.real(let a), .integer(let b)): -Self.order(b, a)
        case (.integer(let a), .real(let b)): Self.order(a, b)
        default: otherOrder(a, b)
        }
    }

    private func otherOrder(_ a: SQLValue, _ b: SQLValue) -> Int? {
        switch (a, b) {
        case (.null, _), (_, .null), (.json, _), (_, .json):
            return nil
        case (.text(let a), .text(let b)):
            let (x, y) = (bytes(a), bytes(b))
            guard let p = x.baseAddress, let q = y.baseAddress else { return x.count - y.count }
            let order = Int(memcmp(p, q, min(x.count, y.count)))
            return order != 0 ? order : x.count - y.count
        case (.boolean, .text(let text)):
            let other = truth(of: text)
            return other == .unknown ? nil : order(number(of: a), .integer(other == .true ? 1 : 0))
        case (.text(let text), .boolean):
            let other = truth(of: text)
            return other == .unknown ? nil : order(.integer(other == .true ? 1 : 0), number(of: b))
        default:
            let (x, y) = (number(of: a), number(of: b))
            return x.isNull || y.isNull ? nil : order(x, y)
        }
    }

    private func number(of value: SQLValue) -> SQLValue {
        switch numeric(value) {
        case .integer(let value): .integer(value)
        case .real(let value): .real(value)
        case nil: .null
        }
    }

    /// The exact order of a whole number and a finite real, which a conversion of the first would lose above 2⁵³.
    private static func order(_ a: Int64, _ b: Double) -> Int {
        if b >= 0x1p63 { return -1 }
        if b < -0x1p63 { return 1 }
        let whole = b.rounded(.towardZero)
        let integer = Int64(whole)
        if a != integer { return a < integer ? -1 : 1 }
        return b > whole ? -1 : b < whole ? 1 : 0
    }
}
