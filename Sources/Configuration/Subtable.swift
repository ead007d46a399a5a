/// The declaration of a table within a table: `[broker]`, or any number of `[[product.point]]`.
package struct Subtable<Root: ConfigurationTable>: Sendable {
    package let name: String
    package let decode: @Sendable (TOMLEntry, inout Root, inout Findings) -> Void
    /// The tables of a value, as `[path.name]`.
    package let blocks: @Sendable (_ root: Root, _ path: String) -> [TableBlock]
    /// What a new file shows after the tables of the value.
    package let exampleBlocks: @Sendable (_ path: String) -> [TableBlock]
    /// The declarations, for the reference page.
    package let reference: @Sendable (_ path: String) -> TableReference

    /// One table, which is at its defaults when the file has none.
    package init<Table: ConfigurationTable>(_ name: String, _ path: any WritableKeyPath<Root, Table> & Sendable) {
        self.name = name
        decode = { entry, root, findings in
            if let table = Self.single(Table.self, name, entry, &findings) { root[keyPath: path] = table }
        }
        blocks = { root, parent in
            [Table.schema.block(root[keyPath: path], path: join(parent, name), isRepeated: false)]
        }
        exampleBlocks = { _ in [] }
        reference = { parent in Table.schema.reference(path: join(parent, name), isRepeated: false, limit: 1) }
    }

    /// One table, or none.
    package init<Table: ConfigurationTable>(_ name: String, _ path: any WritableKeyPath<Root, Table?> & Sendable) {
        self.name = name
        decode = { entry, root, findings in
            if let table = Self.single(Table.self, name, entry, &findings) { root[keyPath: path] = table }
        }
        blocks = { root, parent in
            guard let table = root[keyPath: path] else { return [] }
            return [Table.schema.block(table, path: join(parent, name), isRepeated: false)]
        }
        exampleBlocks = { _ in [] }
        reference = { parent in Table.schema.reference(path: join(parent, name), isRepeated: false, limit: 1) }
    }

    /// nil, with a finding, if the entry is no table.
    private static func single<Table: ConfigurationTable>(
        _: Table.Type, _ name: String, _ entry: TOMLEntry, _ findings: inout Findings
    ) -> Table? {
        guard case .table(let entries) = entry.value.content else {
            findings.report(entry.mark, "\(name) must be a table, [\(name)], not \(entry.value.kind)")
            return nil
        }
        return Table.schema.decode(entries, at: entry.value.mark, header: "[\(name)]", &findings)
    }

    /// Any number of tables up to `limit`. Those of the file come in the place of those that the struct starts with.
    package init<Table: ConfigurationTable>(
        _ name: String,
        _ path: any WritableKeyPath<Root, [Table]> & Sendable,
        limit: Int,
        examples: [Table] = []
    ) {
        self.name = name
        decode = { entry, root, findings in
            guard case .array(let elements) = entry.value.content else {
                findings.report(
                    entry.mark, "\(name) can be there several times: write [[\(name)]], not \(entry.value.kind)"
                )
                return
            }
            if elements.count > limit {
                findings.report(elements[limit].mark, "there are more than \(limit) [[\(name)]]")
            }
            var tables: [Table] = []
            for element in elements.prefix(limit) {
                guard case .table(let entries) = element.content else {
                    findings.report(element.mark, "\(name) must be tables, [[\(name)]], not \(element.kind)")
                    continue
                }
                tables.append(Table.schema.decode(entries, at: element.mark, header: "[[\(name)]]", &findings))
            }
            root[keyPath: path] = tables
        }
        blocks = { root, parent in
            root[keyPath: path].map { Table.schema.block($0, path: join(parent, name), isRepeated: true) }
        }
        exampleBlocks = { parent in
            examples.map { Table.schema.block($0, path: join(parent, name), isRepeated: true) }
        }
        reference = { parent in Table.schema.reference(path: join(parent, name), isRepeated: true, limit: limit) }
    }
}

private func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
