package extension ValueType {
    /// Several values, each at most once, in an array; one alone may stand without the brackets.
    static func list<Element: Hashable & Sendable>(
        of element: ValueType<Element>, limit: Int
    ) -> ValueType<[Element]> where Value == [Element] {
        ValueType<[Element]>(name: "list of \(element.name)", allowed: element.allowed) { value throws(Refusal) in
            guard case .array(let parts) = value.content else { return [try element.read(value)] }
            guard !parts.isEmpty else { throw Refusal("must not be empty") }
            guard parts.count <= limit else { throw Refusal("has more than \(limit) values") }
            var result: [Element] = []
            for part in parts {
                let one = try element.read(part)
                guard !result.contains(one) else { throw Refusal("has \(element.write(one)) twice") }
                result.append(one)
            }
            return result
        } write: {
            "[\($0.map(element.write).joined(separator: ", "))]"
        }
    }
}
