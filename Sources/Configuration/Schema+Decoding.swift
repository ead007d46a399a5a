package extension Schema {
    /// Decodes one table. Every mistake becomes a finding; what is wrong or missing keeps its default in the result.
    ///
    /// - Parameters:
    ///   - mark: the table's header.
    ///   - header: how messages name the table; empty for the file itself.
    ///   - known: keys that the table has beside these.
    ///   - advice: completes "x has a meaning only …" for a key that other tables of the kind have.
    ///   - misplaced: keys that have no meaning beside those of another table.
    func decode(
        _ entries: [TOMLEntry], at mark: TOMLMark, header: String, alsoKnown known: [String] = [],
        advice: (String) -> String? = { _ in nil }, misplaced: (Root) -> [MisplacedKey] = { _ in [] }, _ findings: inout Findings
    ) -> Root {
        var root = Root()
        var source = TableSource(findings.position(mark))
        let inherited = Set(entries.lazy.filter(\.isInherited).map(\.key))
        let before = inherited.isEmpty ? nil : findings
        for entry in entries {
            if let key = keys.first(where: { $0.name == entry.key }) {
                source.set(key.name, at: entry.value.mark)
                do throws(Refusal) {
                    try key.read(entry.value, &root)
                } catch {
                    findings.report(entry.value.mark, "\(key.name) \(error.reason)")
                    source.refuse(key.name)
                }
            } else if let table = subtables.first(where: { $0.name == entry.key }) {
                table.decode(entry, &root, &findings)
            } else if let driverKeys {
                root[keyPath: driverKeys].append(entry)
            } else if let advice = advice(entry.key) {
                findings.report(entry.value.mark, "\(entry.key) has a meaning only \(advice)")
            } else {
                findings.report(entry.mark, unknown(entry.key, header: header, alsoKnown: known))
            }
        }
        let subject = header.isEmpty ? "the file" : header
        for key in keys where !source.isSet(key.name) && key.isRequired {
            if let condition = key.condition {
                guard source.isSound(condition.keys), condition.holds(root) else { continue }
                findings.report(mark, "\(subject) needs the key \"\(key.name)\" when \(condition.text)")
            } else {
                findings.report(mark, "\(subject) needs the key \"\(key.name)\"")
            }
            source.refuse(key.name)
        }
        root.source = source
        let unmet = keys.compactMap { key -> MisplacedKey? in
            guard let condition = key.condition, source.isSound(condition.keys), !condition.holds(root) else { return nil }
            return MisplacedKey(key.name, condition: condition.text)
        }
        var given: Set<String> = []
        for key in unmet + misplaced(root) where source.isSet(key.name) {
            if inherited.contains(key.name) {
                given.insert(key.name)
                continue
            }
            findings.report(source[key.name], "\(key.name) has a meaning only when \(key.condition)")
            source.refuse(key.name)
        }
        if let before, !given.isEmpty {
            findings = before
            return decode(
                entries.filter { !given.contains($0.key) }, at: mark, header: header, alsoKnown: known, advice: advice,
                misplaced: misplaced, &findings)
        }
        root.source = source
        check(root, &findings)
        return root
    }

    /// The names of keys and tables.
    var names: [String] { keys.map(\.name) + subtables.map(\.name) }

    /// What to say of a key that nobody knows.
    ///
    /// - Parameters:
    ///   - known: keys that the table has beside these.
    ///   - guesses: keys that it may have in another place, which may have been meant.
    func unknown(_ name: String, header: String, alsoKnown known: [String] = [], guesses: [String] = []) -> String {
        var names = known
        for entry in entries {
            switch entry {
            case .key(let key): names.append(key.name)
            case .subtable(let table): names.append(table.name)
            case .refused(let refused, let advice):
                if refused == name { return advice }
            }
        }
        let place = header.isEmpty ? "" : " in \(header)"
        let shown = name.quotedForMessage
        if let guess = nearest(to: name, among: names + guesses) { return "unknown key \(shown)\(place); did you mean \"\(guess)\"?" }
        return "unknown key \(shown)\(place); known are \(names.joined(separator: ", "))"
    }
}

extension String {
    /// In quotation marks, on one line and not longer than a line: text of the file inside a message.
    package var quotedForMessage: String {
        var result = "\""
        for scalar in unicodeScalars.prefix(60) {
            result.unicodeScalars.append(scalar.value < 32 || scalar.value == 127 ? "\u{FFFD}" : scalar)
        }
        return result + (unicodeScalars.count > 60 ? "…\"" : "\"")
    }
}
