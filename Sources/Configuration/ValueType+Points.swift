extension ValueType where Value == BitRange {
    /// `"3"` or `"4..7"`.
    static var bitRange: Self {
        let example = "a bit such as \"3\" or a range such as \"4..7\""
        return Self(name: "bit range", allowed: "0…63") { value throws(Refusal) in
            guard case .string(let text) = value.content else { throw .kind(example, value) }
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            let isRange = parts.count == 3 && parts[1].isEmpty
            guard isRange || parts.count == 1, let lowest = Int(parts[0]), let highest = Int(parts[parts.count - 1]) else {
                throw Refusal("\(text.quotedForMessage) is not \(example)")
            }
            guard 0...63 ~= lowest, 0...63 ~= highest, lowest <= highest else {
                throw Refusal("\(text.quotedForMessage) is out of range (0…63, the least significant first)")
            }
            return BitRange(lowest: lowest, highest: highest)
        } write: {
            $0.lowest == $0.highest ? "\"\($0.lowest)\"" : "\"\($0.lowest)..\($0.highest)\""
        }
    }
}

extension ValueType where Value == [EnumerationLabel] {
    /// `{ 0 = "off", 1 = "on" }`
    static var enumeration: Self {
        let limit = 256
        return Self(name: "table", allowed: "number = text, at most \(limit)") { value throws(Refusal) in
            guard case .table(let entries) = value.content else { throw .kind("a table such as { 0 = \"off\", 1 = \"on\" }", value) }
            guard entries.count <= limit else { throw Refusal("has more than \(limit) values") }
            var labels: [EnumerationLabel] = []
            for entry in entries {
                guard let number = Int64(entry.key) else {
                    throw Refusal("has \(entry.key.quotedForMessage) in the place of a whole number")
                }
                let text = try ValueType<String>.label.read(entry.value)
                if labels.contains(where: { $0.text == text }) { throw Refusal("has \(text.quotedForMessage) twice") }
                if labels.contains(where: { $0.number == number }) { throw Refusal("has the number \(number) twice") }
                labels.append(EnumerationLabel(number: number, text: text))
            }
            return labels
        } write: { labels in
            labels.isEmpty ? "{}" : "{ \(labels.map { "\($0.number) = \($0.text.tomlLiteral)" }.joined(separator: ", ")) }"
        }
    }
}
