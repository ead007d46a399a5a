/// A place in a configuration file.
public struct SourcePosition: Sendable, Hashable, CustomStringConvertible {
    /// The file's name as it was given.
    public var file: String
    /// From 1; 0 when the file as a whole is meant.
    public var line: Int
    /// In characters (Unicode code points), from 1.
    public var column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// `martlet.toml:14:8`
    public var description: String { line == 0 ? file : "\(file):\(line):\(column)" }
}

/// Where a table of the file and the values in it stand, so that what is checked later (the SQL of a rule, a topic
/// template) is reported at its place too.
public struct TableSource: Sendable, Hashable {
    private struct Mark: Sendable {
        var key: String
        var line: UInt32
        var column: UInt32
    }

    /// The table's header.
    public private(set) var position: SourcePosition
    private var marks: [Mark] = []
    private var faulty: [String] = []

    /// The source of a table that was not read from a file.
    package init() { position = SourcePosition(file: "", line: 0, column: 0) }

    package init(_ position: SourcePosition) { self.position = position }

    /// The position of a key's value, of the table's header when the key is not in the file.
    public subscript(key: String) -> SourcePosition {
        guard let mark = marks.first(where: { $0.key == key }) else { return position }
        return SourcePosition(file: position.file, line: Int(mark.line), column: Int(mark.column))
    }

    /// Whether the file gives the key a value.
    public func isSet(_ key: String) -> Bool { marks.contains { $0.key == key } }

    /// Whether none of the keys was refused: only then do their values say anything to a check that compares them.
    public func isSound(_ keys: [String]) -> Bool { !keys.contains(where: faulty.contains) }

    /// As ``isSound(_:)-([String])``.
    public func isSound(_ keys: String...) -> Bool { isSound(keys) }

    package mutating func set(_ key: String, at mark: TOMLMark) {
        marks.append(Mark(key: key, line: mark.line, column: mark.column))
    }

    package mutating func refuse(_ key: String) { faulty.append(key) }

    /// Two tables are equal when their values are, wherever they were written.
    public static func == (a: TableSource, b: TableSource) -> Bool { true }

    public func hash(into hasher: inout Hasher) {}
}
