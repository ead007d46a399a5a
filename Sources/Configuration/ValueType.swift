/// Why a value is refused: completes "port …".
package struct Refusal: Error {
    package let reason: String
    /// Whether the value is of a kind that the key never takes, such as text for a number.
    package private(set) var isKind = false

    package init(_ reason: String) { self.reason = reason }

    /// "port must be an integer, not a string"
    package static func kind(_ wanted: String, _ value: TOMLValue) -> Refusal {
        var refusal = Refusal("must be \(wanted), not \(value.kind)")
        refusal.isKind = true
        return refusal
    }
}

/// How a kind of value is read, checked, written and described.
package struct ValueType<Value: Sendable>: Sendable {
    /// In the reference page.
    package let name: String
    /// The range or the list of values; empty when the name says it all.
    package let allowed: String
    package let read: @Sendable (TOMLValue) throws(Refusal) -> Value
    /// As TOML that reads back as the same value.
    package let write: @Sendable (Value) -> String

    package init(
        name: String, allowed: String, read: @escaping @Sendable (TOMLValue) throws(Refusal) -> Value,
        write: @escaping @Sendable (Value) -> String
    ) {
        self.name = name
        self.allowed = allowed
        self.read = read
        self.write = write
    }
}

package extension ValueType where Value: FixedWidthInteger & SignedInteger {
    static func integer(_ range: ClosedRange<Value>) -> Self {
        let allowed = "\(range.lowerBound)…\(range.upperBound)"
        return Self(name: "integer", allowed: allowed) { value throws(Refusal) in
            guard case .integer(let wide) = value.content else { throw .kind("an integer", value) }
            guard let result = Value(exactly: wide), range.contains(result) else {
                throw Refusal("\(wide) is out of range (\(allowed))")
            }
            return result
        } write: {
            "\($0)"
        }
    }

    static func integer(oneOf values: [Value]) -> Self {
        let allowed = values.map { "\($0)" }.joined(separator: ", ")
        return Self(name: "integer", allowed: allowed) { value throws(Refusal) in
            guard case .integer(let wide) = value.content else { throw .kind("an integer", value) }
            guard let result = Value(exactly: wide), values.contains(result) else {
                throw Refusal("\(wide) is not supported (\(allowed))")
            }
            return result
        } write: {
            "\($0)"
        }
    }
}

package extension ValueType where Value == Double {
    /// A finite number.
    static var number: Self { number(notZero: false) }

    static func number(notZero: Bool) -> Self {
        Self(name: "number", allowed: notZero ? "not 0" : "") { value throws(Refusal) in
            let result = try finite(value)
            guard result != 0 || !notZero else { throw Refusal("must not be 0") }
            return result
        } write: {
            "\($0)"
        }
    }

    static func number(_ range: ClosedRange<Double>) -> Self {
        let allowed = "\(range.lowerBound)…\(range.upperBound)"
        return Self(name: "number", allowed: allowed) { value throws(Refusal) in
            let result = try finite(value)
            guard range.contains(result) else { throw Refusal("\(result) is out of range (\(allowed))") }
            return result
        } write: {
            "\($0)"
        }
    }

    private static func finite(_ value: TOMLValue) throws(Refusal) -> Double {
        let result: Double
        switch value.content {
        case .integer(let integer): result = Double(integer)
        case .float(let float): result = float
        default: throw .kind("a number", value)
        }
        guard result.isFinite else { throw Refusal("must be a finite number") }
        return result
    }
}

package extension ValueType where Value == Bool {
    static var boolean: Self {
        Self(name: "boolean", allowed: "true, false") { value throws(Refusal) in
            guard case .boolean(let result) = value.content else { throw .kind("true or false", value) }
            return result
        } write: {
            "\($0)"
        }
    }
}

package extension ValueType where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the enumeration's raw values.
    static func choice(_: Value.Type) -> Self {
        let names = Value.allCases.map(\.rawValue)
        let allowed = names.map { "\"\($0)\"" }.joined(separator: ", ")
        return Self(name: "string", allowed: allowed) { value throws(Refusal) in
            guard case .string(let text) = value.content else { throw .kind("one of \(allowed)", value) }
            guard let result = Value(rawValue: text) else {
                let guess = nearest(to: text, among: names).map { "; did you mean \"\($0)\"?" } ?? " (\(allowed))"
                throw Refusal("\(text.quotedForMessage) is not supported\(guess)")
            }
            return result
        } write: {
            $0.rawValue.tomlLiteral
        }
    }
}
