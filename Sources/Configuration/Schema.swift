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
package protocol ConfigurationTable: Sendable, Equatable {
    /// Everything at its default; required values empty.
    init()

    /// Where the table was read from.
    var source: TableSource { get set }

    static var schema: Schema<Self> { get }
}

/// The declaration of one kind of table.
package struct Schema<Root: ConfigurationTable>: Sendable {
    package enum Entry: Sendable {
        case key(Key<Root>)
        case subtable(Subtable<Root>)
        /// A key that people try, with what to do instead.
        case refused(String, String)
    }

    package let help: String
    package let entries: [Entry]
    package let keys: [Key<Root>]
    package let subtables: [Subtable<Root>]
    /// Takes what no key here declares, for a driver; nil when that is a mistake.
    package let driverKeys: (any WritableKeyPath<Root, DriverTable> & Sendable)?
    /// Compares values of one table with each other.
    package let check: @Sendable (Root, inout Findings) -> Void

    package init(
        _ help: String,
        driverKeys: (any WritableKeyPath<Root, DriverTable> & Sendable)? = nil,
        @SchemaBuilder<Root> entries: () -> [Entry],
        check: @escaping @Sendable (Root, inout Findings) -> Void = { _, _ in }
    ) {
        self.help = help
        self.entries = entries()
        keys = self.entries.compactMap { if case .key(let key) = $0 { key } else { nil } }
        subtables = self.entries.compactMap { if case .subtable(let table) = $0 { table } else { nil } }
        self.driverKeys = driverKeys
        self.check = check
    }
}

/// A key that is refused with advice, whatever its value.
package struct RefusedKey {
    package let name: String
    package let advice: String

    package init(_ name: String, _ advice: String) {
        self.name = name
        self.advice = advice
    }
}

@resultBuilder
package enum SchemaBuilder<Root: ConfigurationTable> {
    package static func buildExpression(_ key: Key<Root>) -> [Schema<Root>.Entry] { [.key(key)] }
    package static func buildExpression(_ table: Subtable<Root>) -> [Schema<Root>.Entry] { [.subtable(table)] }
    package static func buildExpression(_ key: RefusedKey) -> [Schema<Root>.Entry] { [.refused(key.name, key.advice)] }
    package static func buildExpression(_ tables: [Subtable<Root>]) -> [Schema<Root>.Entry] { tables.map { .subtable($0) } }
    /// Keys that several kinds of table have.
    package static func buildExpression(_ keys: [Key<Root>]) -> [Schema<Root>.Entry] { keys.map { .key($0) } }
    package static func buildBlock(_ entries: [Schema<Root>.Entry]...) -> [Schema<Root>.Entry] { entries.flatMap { $0 } }
}
