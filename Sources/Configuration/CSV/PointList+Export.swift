/// Points as comma-separated values: a header line with the names of keys, and a line for each point.
public enum PointList {
    /// The list of a product's points, those of its profile included. Keys that no point has are columns too, to be
    /// filled.
    ///
    /// - Parameter protocolName: whose keys the points have; nil for the product's own: that of its profile, or of the
    ///   bus of one of its devices.
    /// - Returns: nil if there is no such product, or no such protocol.
    public static func export(
        _ configuration: MartletConfiguration, product key: String, protocol protocolName: String? = nil, drivers: DriverCatalogue
    ) -> String? {
        guard let product = configuration.product(key: key) else { return nil }
        let bus = configuration.devices.first { $0.product == key && $0.bus != nil }?.bus
        let name = protocolName ?? product.profileProtocol ?? bus.flatMap { configuration.bus(name: $0)?.protocol }
        guard let driver = name.map(drivers.driver) ?? drivers.drivers.first else { return nil }
        return text(product, driver)
    }

    /// The list of a profile's points.
    ///
    /// - Returns: nil if there is no such protocol.
    public static func export(_ profile: DeviceProfile, drivers: DriverCatalogue) -> String? {
        drivers.driver(profile.protocol).map { text(profile, $0) }
    }

    private static func text(_ table: some PointTables, _ driver: any DriverKeys.Type) -> String {
        let names = PointColumns(driver).names
        var text = CSV.line(names)
        for point in table.points {
            let cells = PointColumns.cells(point, table.group(of: point))
            text += CSV.line(names.map { cells[$0] ?? "" })
        }
        return text
    }
}
