/// One table of a configuration with its values as TOML, for the printers.
struct TableBlock {
    struct Line {
        let key: KeyDescription
        /// nil when the value is absent.
        let value: String?
        let isDefault: Bool
    }

    /// `product.point`
    let path: String
    let isRepeated: Bool
    let help: String
    /// The keys that have a meaning in this table.
    let lines: [Line]
    let children: [TableBlock]

    var header: String { isRepeated ? "[[\(path)]]" : "[\(path)]" }
}

extension Schema {
    func block(_ root: Root, path: String, isRepeated: Bool) -> TableBlock {
        TableBlock(
            path: path,
            isRepeated: isRepeated,
            help: help,
            lines: keys.filter { $0.condition?.holds(root) ?? true }.map { key in
                let value = key.write(root)
                return TableBlock.Line(key: key.description, value: value, isDefault: value == key.description.defaultText)
            },
            children: subtables.flatMap { $0.blocks(root, path) }
        )
    }
}

/// The declarations of a table, for the reference page.
struct TableReference {
    let path: String
    let isRepeated: Bool
    let limit: Int
    let help: String
    let keys: [KeyDescription]
    let refused: [(name: String, advice: String)]
    let children: [TableReference]

    var header: String { isRepeated ? "[[\(path)]]" : "[\(path)]" }
}

extension Schema {
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
