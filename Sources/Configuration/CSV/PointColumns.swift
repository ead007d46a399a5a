// The columns of a list of points: the keys of a point, those that a driver adds, and those of the point's group.
//
// A cell holds the value as a TOML file has it, text without its quotation marks. An empty one is a key that is not set.

/// One key as a column.
struct PointColumn {
    let name: String
    /// Whether the key takes text, right or wrong.
    let isText: @Sendable (String) -> Bool

    init<Root: ConfigurationTable>(_ key: Key<Root>) {
        name = key.name
        isText = { text in
            var scratch = Root()
            do throws(Refusal) {
                try key.read(TOMLValue(content: .string(text), mark: TOMLMark(line: 0, column: 0)), &scratch)
                return true
            } catch {
                return !error.isKind
            }
        }
    }

    /// The value of a cell: text where the key has text, else what TOML makes of it.
    ///
    /// - Parameter decimalComma: the file's numbers may have one, as there are semicolons between its fields.
    func value(_ cell: String, at mark: TOMLMark, decimalComma: Bool) -> TOMLValue {
        let text = TOMLValue(content: .string(cell), mark: mark)
        if isText(cell) { return text }
        var plain = cell
        switch cell.lowercased() {
        // As a spreadsheet shows them.
        case "true": plain = "true"
        case "false": plain = "false"
        default:
            let isNumber = cell.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || ",+-eE".utf8.contains($0) }
            if decimalComma, isNumber { plain = cell.replacing(",", with: ".") }
        }
        let bytes = Array("v = \(plain)".utf8)
        let parsed = bytes.withUnsafeBufferPointer { bytes in
            Result { () throws(TOMLSyntaxError) in try TOMLValue.parse(bytes) }
        }
        guard case .success(let document) = parsed, case .table(let entries) = document.content, entries.count == 1, entries[0].key == "v"
        else { return text }
        // A table's own entries keep their marks, which nobody shows.
        return TOMLValue(content: entries[0].value.content, mark: mark)
    }
}

/// All columns for points of a driver.
struct PointColumns {
    typealias Point = MartletConfiguration.Product.Point
    typealias Group = MartletConfiguration.Product.Group

    let point: [PointColumn]
    let group: [PointColumn]
    /// The key that a group is named by; in a list that is the point's key `group`.
    private static let groupName = "name"

    init(_ driver: any DriverKeys.Type) {
        point = Point.schema.keys.map { PointColumn($0) } + driver.pointColumns
        group = Group.schema.keys.filter { $0.name != PointColumns.groupName }.map { PointColumn($0) }
    }

    var names: [String] { point.map(\.name) + group.map(\.name) }

    /// The values of a point and its group by column, as they are in cells.
    static func cells(_ point: Point, _ group: Group?) -> [String: String] {
        var cells: [String: String] = [:]
        func add(_ lines: [TableBlock.Line]) {
            for line in lines where !line.isDefault { cells[line.key.name] = line.value.map(cell) }
        }
        add(Point.schema.block(point, path: "", isRepeated: true).lines)
        if let group {
            cells["group"] = group.name
            add(Group.schema.block(group, path: "", isRepeated: true).lines.filter { $0.key.name != groupName })
        }
        return cells
    }

    /// TOML text without its quotation marks.
    private static func cell(_ literal: String) -> String {
        let bytes = Array("v = \(literal)".utf8)
        let text = bytes.withUnsafeBufferPointer { bytes in
            Result { () throws(TOMLSyntaxError) in try TOMLValue.parse(bytes) }
        }
        guard case .success(let document) = text, case .table(let entries) = document.content,
            case .string(let text)? = entries.first?.value.content
        else { return literal }
        return text
    }
}

extension DriverKeys {
    fileprivate static var pointColumns: [PointColumn] { PointTable.schema.keys.map { PointColumn($0) } }
}
