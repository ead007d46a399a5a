/// One table of a configuration with its values as TOML, for the printers.
package struct TableBlock {
    package struct Line {
        package let key: KeyDescription
        /// nil when the value is absent.
        package let value: String?
        package let isDefault: Bool
        /// Which declaration the key is of: the table's own, or that of a driver.
        package let owner: String
    }

    /// `product.point`
    package let path: String
    package let isRepeated: Bool
    package let help: String
    /// The keys that have a meaning in this table.
    package let lines: [Line]
    package let children: [TableBlock]

    package var header: String { isRepeated ? "[[\(path)]]" : "[\(path)]" }
}

package extension Schema {
    func block(_ root: Root, path: String, isRepeated: Bool) -> TableBlock {
        TableBlock(
            path: path,
            isRepeated: isRepeated,
            help: help,
            lines: keys.filter { $0.condition?.holds(root) ?? true }.map { key in
                let value = key.write(root)
                return TableBlock.Line(
                    key: key.description, value: value, isDefault: value == key.description.defaultText && !root.source.isSet(key.name),
                    owner: String(reflecting: Root.self))
            } + (driverKeys.flatMap { root[keyPath: $0].keys?.driverLines } ?? []),
            children: subtables.flatMap { $0.blocks(root, path) }
        )
    }
}

/// The declarations of a table, for the reference page.
package struct TableReference {
    package let path: String
    package let isRepeated: Bool
    package let limit: Int
    package let help: String
    package let keys: [KeyDescription]
    package let refused: [(name: String, advice: String)]
    package let children: [TableReference]

    package var header: String { isRepeated ? "[[\(path)]]" : "[\(path)]" }
}

package extension Schema {
    func reference(path: String, isRepeated: Bool, limit: Int) -> TableReference {
        TableReference(
            path: path,
            isRepeated: isRepeated,
            limit: limit,
            help: help,
            keys: keys.map(\.description),
            refused: entries.compactMap { if case .refused(let name, let advice) = $0 { (name, advice) } else { nil } },
            children: subtables.map { $0.reference(path) }
        )
    }
}
