/// The profile of a device that many have: a TOML file with its points and with where they are read.
///
/// ``MartletConfiguration/Product/profile`` names one. Its groups and points are declared as those of a product are.
public struct DeviceProfile: Sendable, Equatable {
    /// For people.
    public var name = ""
    public var manufacturer: String?
    public var model: String?
    /// One of the ``DriverCatalogue``'s: whose keys the points have. Drivers that share them share the profile.
    public var `protocol` = ""
    /// The document that the register map is from.
    public var document: String?
    public var groups: [MartletConfiguration.Product.Group] = []
    public var points: [MartletConfiguration.Product.Point] = []
    public package(set) var source = TableSource()

    public init() {}
}

extension DeviceProfile: PointTables {
    package static let schema = Schema<Self>("The profile of a device: its points, and where they are read.") {
        Key("name", \.name, .label, .required, help: "The device, for people.")
        Key("manufacturer", \.manufacturer, .label, example: "Eastron", help: "Who makes it.")
        Key("model", \.model, .label, example: "SDM630", help: "Which of the manufacturer's devices it is for.")
        Key(
            "protocol", \.protocol, .protocolName, .required,
            help: "Whose keys the points have. Protocols that share them share the profile: all of Modbus do.")
        Key("source", \.document, .label, help: "The document that the register map is from.")
        pointTables
    } check: { profile, findings in
        profile.checkNames(&findings)
        profile.checkGroups(&findings)
    }

    package static let groupHeader = "[[group]]"
}
