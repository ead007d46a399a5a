/// What a driver adds to the tables of the file, declared once: decoding, checks, printed files, reference page and form
/// are made from it.
package protocol DriverKeys: SendableMetatype {
    /// Its keys of a `[[bus]]`.
    associatedtype BusTable: ConfigurationTable
    /// Its keys of a `[[device]]` on such a bus.
    associatedtype DeviceTable: ConfigurationTable
    /// Its keys of a `[[product.point]]` that such a device has. Drivers that read the same products share one.
    associatedtype PointTable: ConfigurationTable

    /// The value of `protocol` in `[[bus]]`.
    static var protocolName: String { get }
    /// One sentence for the reference page.
    static var help: String { get }

    /// What no table can say of itself: keys of a device that depend on its bus.
    static func check(_ device: DeviceTable, on bus: BusTable, _ findings: inout Findings)
    /// Keys of a point that have no meaning beside those that all points have. Those that came from a profile give way; others
    /// are mistakes.
    static func misplaced(_ point: MartletConfiguration.Product.Point, _ keys: PointTable) -> [MisplacedKey]
    /// Keys of a point that depend on those that all points have.
    static func check(_ point: MartletConfiguration.Product.Point, _ keys: PointTable, _ findings: inout Findings)
    /// What other buses hardly share with this one, with the key that names it.
    static func connection(_ bus: BusTable) -> (key: String, connection: BusConnection)?
    /// What tells a device from the others of its bus, with the key that names it and in words: `unit-identifier 7`.
    static func place(_ device: DeviceTable) -> (key: String, text: String)?
    /// Whether points are read at the interval of their group.
    static var readsByInterval: Bool { get }

    /// For the printed file.
    static var examples: DriverExamples { get }
}

extension DriverKeys {
    package static func check(_ device: DeviceTable, on bus: BusTable, _ findings: inout Findings) {}
    package static func misplaced(_ point: MartletConfiguration.Product.Point, _ keys: PointTable) -> [MisplacedKey] { [] }
    package static func check(_ point: MartletConfiguration.Product.Point, _ keys: PointTable, _ findings: inout Findings) {}
    package static func connection(_ bus: BusTable) -> (key: String, connection: BusConnection)? { nil }
    package static func place(_ device: DeviceTable) -> (key: String, text: String)? { nil }
    package static var readsByInterval: Bool { true }
}

/// What a bus is reached by.
package enum BusConnection: Sendable, Hashable {
    /// By any of its names.
    case serialPort(String)
    /// A host that answers several clients.
    ///
    /// - Parameter asks: whether the bus sends requests, or only hears what comes.
    case server(host: String, port: Int, asks: Bool = true)
    /// A host that passes on the bytes of one line.
    case remoteLine(host: String, port: Int)
}

/// Tables that show a driver's keys.
package struct DriverExamples: Sendable {
    package var buses: [MartletConfiguration.Bus]
    package var products: [MartletConfiguration.Product]
    package var devices: [MartletConfiguration.Device]

    package init(
        buses: [MartletConfiguration.Bus], products: [MartletConfiguration.Product] = [],
        devices: [MartletConfiguration.Device] = []
    ) {
        self.buses = buses
        self.products = products
        self.devices = devices
    }
}

/// A table of a driver that needs no keys.
package struct NoKeys: ConfigurationTable {
    package var source = TableSource()
    package init() {}
    package static let schema = Schema<Self>("Nothing.") {}
}

/// The drivers that a file may name.
public struct DriverCatalogue: Sendable {
    package let drivers: [any DriverKeys.Type]

    package init(_ drivers: [any DriverKeys.Type]) { self.drivers = drivers }

    /// The values of `protocol`.
    public var protocolNames: [String] { drivers.map { $0.protocolName } }

    /// Completes "x has a meaning only …"; nil if no driver has the key.
    func advice(_ hasKey: (any DriverKeys.Type) -> Bool) -> String? {
        let names = drivers.filter(hasKey).map { "\"\($0.protocolName)\"" }
        return names.isEmpty ? nil : "when protocol is \(names.joined(separator: " or "))"
    }

    package func driver(_ protocolName: String) -> (any DriverKeys.Type)? {
        drivers.first { $0.protocolName == protocolName }
    }
}

// MARK: Decoding

extension DriverKeys {
    static func decode(
        _ bus: inout MartletConfiguration.Bus, _ catalogue: DriverCatalogue, _ findings: inout Findings
    ) {
        bus.driver.decode(
            BusTable.self, at: bus.source.position, header: "[[bus]] with protocol \"\(protocolName)\"",
            known: MartletConfiguration.Bus.schema.names, advice: { key in catalogue.advice { $0.busKeys.contains(key) } }, &findings)
    }

    static func decode(
        _ device: inout MartletConfiguration.Device, on bus: MartletConfiguration.Bus, _ catalogue: DriverCatalogue,
        _ findings: inout Findings
    ) {
        device.driver.decode(
            DeviceTable.self, at: device.source.position, header: "[[device]] on \(article) \(protocolName) bus",
            known: MartletConfiguration.Device.schema.names, advice: { key in catalogue.advice { $0.deviceKeys.contains(key) } },
            &findings)
        guard let keys: DeviceTable = device.driver.keys(), let bus: BusTable = bus.driver.keys() else { return }
        check(keys, on: bus, &findings)
    }

    static func decode(
        _ point: inout MartletConfiguration.Product.Point, _ catalogue: DriverCatalogue, _ findings: inout Findings
    ) {
        let common = point
        point.driver.decode(
            PointTable.self, at: point.source.position, header: "[[point]] of \(article) \(protocolName) device",
            known: MartletConfiguration.Product.Point.schema.names,
            advice: { key in catalogue.advice { $0.pointKeys.contains(key) } }, misplaced: { misplaced(common, $0) }, &findings)
        if let keys: PointTable = point.driver.keys(), point.source.isSound("type") { check(point, keys, &findings) }
    }

    package static func connection(of bus: MartletConfiguration.Bus) -> (position: SourcePosition, connection: BusConnection)? {
        guard let keys: BusTable = bus.driver.keys(), let (key, connection) = connection(keys), keys.source.isSound(key) else {
            return nil
        }
        return (keys.source[key], connection)
    }

    static func place(of device: MartletConfiguration.Device) -> (position: SourcePosition, text: String)? {
        guard let keys: DeviceTable = device.driver.keys(), let (key, text) = place(keys), keys.source.isSound(key) else { return nil }
        return (keys.source[key], text)
    }

    /// Whether both read the same products.
    static func sharesPoints(with other: any DriverKeys.Type) -> Bool {
        func points<Other: DriverKeys>(_: Other.Type) -> Bool { Other.PointTable.self == PointTable.self }
        return points(other)
    }

    /// Before the protocol's name.
    static var article: String { protocolName.first.map { "aeiou".contains($0) } == true ? "an" : "a" }

    static var pointKeys: [String] { PointTable.schema.names }
    static var deviceKeys: [String] { DeviceTable.schema.names }
    static var busKeys: [String] { BusTable.schema.names }

    /// The tables for the reference page, with what to say behind their headers.
    package static var references: [(table: TableReference, title: String)] {
        [
            (BusTable.schema.reference(path: "bus", isRepeated: true, limit: 1), "with protocol `\(protocolName)`"),
            (DeviceTable.schema.reference(path: "device", isRepeated: true, limit: 1), "on \(article) `\(protocolName)` bus"),
            (PointTable.schema.reference(path: "product.point", isRepeated: true, limit: 1), "of \(article) `\(protocolName)` device"),
        ]
    }
}
