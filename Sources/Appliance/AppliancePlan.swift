public import Bridge
public import Configuration
import Core
public import FieldBus
import MQTTServer
import Security

/// A configuration whose every part has been checked by the part that will use it.
public struct AppliancePlan: Sendable {
    /// What the plan was made from.
    public private(set) var configuration: MartletConfiguration
    /// What the box is.
    public let board: BoardProfile
    let listeners: [MQTTServer.Listener]
    let rules: [CompiledRule]
    let bridges: [BridgeConfiguration]
    let buses: [any BusPlan]
    /// The calculated points of products that have some, by key.
    let formulas: [String: [CalculatedPoints.Formula]]
    let passwordUsers: PasswordUsers
    /// What is odd in the configuration and no mistake, in the order of the file.
    public let warnings: [ConfigurationWarning]

    /// - Throws: every mistake, at its place in the file.
    public init(_ configuration: MartletConfiguration) throws(ConfigurationErrors) {
        var errors: [ConfigurationError] = []
        self.init(configuration, &errors)
        if !errors.isEmpty { throw ConfigurationErrors(errors) }
    }

    /// Reads a configuration file and makes the plan.
    ///
    /// - Throws: every mistake in the file, also when some of it could not be decoded.
    public static func load(path: String) throws(ConfigurationErrors) -> AppliancePlan {
        var plan: AppliancePlan?
        let configuration = try MartletConfiguration.load(path: path, drivers: Drivers.catalogue) { plan = AppliancePlan($0, &$1) }
        guard let plan else { return try AppliancePlan(configuration) }
        return plan
    }

    /// - Parameter errors: the mistakes found so far, and then these.
    private init(_ configuration: MartletConfiguration, _ errors: inout [ConfigurationError]) {
        self.configuration = configuration
        board = configuration.boardProfile(&errors)
        var found: [ConfigurationWarning] = []
        listeners = configuration.serverListeners(&errors, &found)
        configuration.checkCacheFits(&found)
        configuration.checkBridgePasswords(&found)
        configuration.checkConnections(board: board, &errors, &found)
        let described = configuration.busDescriptions(board: board)
        described.checkLines(&errors)
        buses = described.map { driver, description in driver.plan(description, &errors) }
        formulas = configuration.compileExpressions(&errors, &found)
        rules = configuration.compileRules(&errors)
        bridges = configuration.bridgeConfigurations(&errors)
        passwordUsers = configuration.readPasswordFiles(&errors, &found)
        var all = configuration.warnings
        all.append(found)
        warnings = all.list
    }

    /// The routes of the cache.
    public var routeNames: [RouteName] {
        bridges.flatMap { bridge in Set(bridge.forwards.map(\.priority)).map { RouteName(bridge: bridge.name, priority: $0) } }
    }

    /// The Modbus lines, as their drivers get them.
    public var modbusBuses: [ModbusBus] { buses.compactMap { $0 as? ModbusBus } }

    /// Where the databases are, relative to the working directory or absolute.
    public var dataDirectory: String { configuration.dataDirectory }

    /// Puts the databases into another directory than the configured one.
    public mutating func use(dataDirectory: String) { configuration.appliance.dataDirectory = dataDirectory }

    /// The products whose devices post by themselves and have points that are calculated or become stale.
    var postingProducts: [DevicePostClient.Product] {
        configuration.products.compactMap { product in
            // Where all devices are on buses, nobody looks at their posts.
            let devices = configuration.devices.filter { $0.product == product.key }
            if !devices.isEmpty, devices.allSatisfy({ $0.bus != nil }) { return nil }
            let formulas = formulas[product.key] ?? []
            let reporting = PointReporting(product.points.filter { !$0.isOnBus })
            guard !formulas.isEmpty || reporting?.hasStaleness == true else { return nil }
            // Values that only a bus knows how to make of a device's numbers are not posted by a device.
            let points = product.points.filter { $0.expression == nil }.map { ($0.identifier, (type: $0.type, conversion: PointConversion(posted: $0))) }
            return DevicePostClient.Product(
                key: product.key, points: Dictionary(points) { first, _ in first }, formulas: formulas, reporting: reporting)
        }
    }

    /// The devices on buses, with what is to be done with their values.
    var publishedDevices: [PointPublisher.Device] {
        // The devices of a product share what is the same for all of them.
        let products = configuration.products.map { ($0.key, (PointPlaces($0.points.map(\.identifier)), PointReporting($0.points))) }
        let rules = Dictionary(products) { first, _ in first }
        return buses.flatMap(\.deviceIdentifiers).map { identifier in
            let (places, reporting) = rules[identifier.productKey] ?? (PointPlaces([]), nil)
            return PointPublisher.Device(
                identifier: identifier, points: places, formulas: formulas[identifier.productKey] ?? [], reporting: reporting)
        }
    }
}
