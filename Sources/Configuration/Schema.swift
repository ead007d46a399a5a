// One declaration of every key, and all that is made of it.
//
//     static let schema = Schema<Listener>("A door for MQTT clients.") {
//         Key("port", \.port, .integer(1...65_535), help: "TCP port.")
//         …
//     } check: { listener, findings in … }
//
// The decoder, the checks, the printer of a file and the reference page all walk this list. The default of a key is the
// value that the struct starts with, so it is written once as well.

/// A struct that a table of the file decodes into.
protocol ConfigurationTable: Sendable, Equatable {
    /// Everything at its default; required values empty.
    init()

    /// Where the table was read from.
    var source: TableSource { get set }

    static var schema: Schema<Self> { get }
}

/// The declaration of one kind of table.
struct Schema<Root: ConfigurationTable>: Sendable {
    enum Entry: Sendable {
        case key(Key<Root>)
        case subtable(Subtable<Root>)
        /// A key that people try, with what to do instead.
        case refused(String, String)
    }

    let help: String
    let entries: [Entry]
    let keys: [Key<Root>]
    let subtables: [Subtable<Root>]
    /// Compares values of one table with each other.
    let check: @Sendable (Root, inout Findings) -> Void

    init(
        _ help: String,
        @SchemaBuilder<Root> entries: () -> [Entry],
        check: @escaping @Sendable (Root, inout Findings) -> Void = { _, _ in }
    ) {
        self.help = help
        self.entries = entries()
        keys = self.entries.compactMap { if case .key(let key) = $0 { key } else { nil } }
        subtables = self.entries.compactMap { if case .subtable(let table) = $0 { table } else { nil } }
        self.check = check
    }
}

/// A key that is refused with advice, whatever its value.
struct RefusedKey {
    let name: String
    let advice: String

    init(_ name: String, _ advice: String) {
        self.name = name
        self.advice = advice
    }
}

@resultBuilder
enum SchemaBuilder<Root: ConfigurationTable> {
    static func buildExpression(_ key: Key<Root>) -> [Schema<Root>.Entry] { [.key(key)] }
    static func buildExpression(_ table: Subtable<Root>) -> [Schema<Root>.Entry] { [.subtable(table)] }
    static func buildExpression(_ key: RefusedKey) -> [Schema<Root>.Entry] { [.refused(key.name, key.advice)] }
    /// Keys that several kinds of table have.
    static func buildExpression(_ keys: [Key<Root>]) -> [Schema<Root>.Entry] { keys.map { .key($0) } }
    static func buildBlock(_ entries: [Schema<Root>.Entry]...) -> [Schema<Root>.Entry] { entries.flatMap { $0 } }
}
