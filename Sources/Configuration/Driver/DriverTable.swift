/// The keys of a `[[bus]]`, a `[[device]]` or a `[[product.point]]` that belong to a driver.
///
/// Which driver that is, other tables say: a device's bus, the devices of a point's product. So the keys stay as they were
/// read until the whole file is there.
public struct DriverTable: Sendable, Equatable {
    /// As they were read; empty once they have been decoded.
    package private(set) var entries: [TOMLEntry] = []
    /// Decoded.
    package private(set) var keys: (any ConfigurationTable)?

    public init() {}

    package init(_ keys: some ConfigurationTable) { self.keys = keys }

    /// Whether the table has no such keys.
    public var isEmpty: Bool { entries.isEmpty && keys == nil }

    /// The keys as a driver's struct; nil if they are another driver's, or none.
    package func keys<Table: ConfigurationTable>(as _: Table.Type = Table.self) -> Table? { keys as? Table }

    package mutating func append(_ entry: TOMLEntry) { entries.append(entry) }

    /// Decodes what was read.
    ///
    /// - Parameters:
    ///   - header: how messages name the table.
    ///   - known: keys of the table that are not the driver's, for the advice on one that nobody knows.
    ///   - advice: completes "x has a meaning only …" for a key that another driver has.
    ///   - misplaced: keys that have no meaning beside those of the table that are not the driver's.
    mutating func decode<Table: ConfigurationTable>(
        _: Table.Type, at position: SourcePosition, header: String, known: [String],
        advice: (String) -> String?, misplaced: (Table) -> [MisplacedKey] = { _ in [] }, _ findings: inout Findings
    ) {
        let mark = TOMLMark(line: UInt32(clamping: position.line), column: UInt32(clamping: position.column))
        keys = Table.schema.decode(entries, at: mark, header: header, alsoKnown: known, advice: advice, misplaced: misplaced, &findings)
        entries = []
    }

    public static func == (a: DriverTable, b: DriverTable) -> Bool {
        guard let first = a.keys else { return b.keys == nil }
        return first.isEqual(to: b.keys)
    }
}

extension ConfigurationTable {
    fileprivate func isEqual(to other: (any ConfigurationTable)?) -> Bool { other as? Self == self }

    /// The keys as the printers show them.
    var driverLines: [TableBlock.Line] { Self.schema.block(self, path: "", isRepeated: false).lines }
}
