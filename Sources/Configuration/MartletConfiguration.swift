/// Everything that `martlet.toml` says.
///
/// ``decode(text:file:)`` and ``load(path:)`` give a value only when nothing is wrong with the file; every value is then
/// within its range, every name is unique and every reference leads somewhere. A value made in code starts with the
/// defaults.
public struct MartletConfiguration: Sendable, Equatable {
    public var appliance = Appliance()
    public var broker = Broker()
    /// One on 127.0.0.1:1883 unless the file has listeners.
    public var listeners: [Listener] = [Listener()]
    public var authentication = Authentication()
    public var accessRules: [AccessRule] = []
    public var protection = Protection()
    public var products: [Product] = []
    public var buses: [Bus] = []
    public var devices: [Device] = []
    public var rules: [Rule] = []
    public var bridges: [Bridge] = []
    public var cache = Cache()
    public var metrics = Metrics()

    /// The file; its keys are the tables.
    public package(set) var source = TableSource()
    /// What is odd in the file and no mistake.
    public package(set) var warnings = ConfigurationWarnings()

    public init() {}

    /// A path of the file, made absolute or relative to the working directory: one that does not begin with `/` is
    /// relative to the folder of the configuration file.
    public func resolve(path: String) -> String { ConfigurationFile.resolve(path: path, beside: source.position.file) }

    /// Where the databases are, relative to the working directory or absolute.
    public var dataDirectory: String { resolve(path: appliance.dataDirectory) }

    public func product(key: String) -> Product? { products.first { $0.key == key } }

    public func bus(name: String) -> Bus? { buses.first { $0.name == name } }
}

extension MartletConfiguration: ConfigurationTable {
    package static let schema = Schema<Self>("The whole file.") {
        Subtable("appliance", \.appliance)
        Subtable("broker", \.broker)
        Subtable("listener", \.listeners, limit: 64, examples: Listener.examples)
        Subtable("authentication", \.authentication)
        Subtable("access-rule", \.accessRules, limit: 1000, examples: AccessRule.examples)
        Subtable("protection", \.protection)
        Subtable("product", \.products, limit: 1000, examples: Product.examples)
        Subtable("bus", \.buses, limit: 256)
        Subtable("device", \.devices, limit: 10_000)
        Subtable("rule", \.rules, limit: 1000, examples: Rule.examples)
        Subtable("bridge", \.bridges, limit: 32, examples: Bridge.examples)
        Subtable("cache", \.cache)
        Subtable("metrics", \.metrics)
    }
}

extension ConfigurationTable {
    /// A value for the printed file.
    package static func example(_ change: (inout Self) -> Void) -> Self {
        var table = Self()
        change(&table)
        return table
    }
}
