public import Core

extension MartletConfiguration {
    /// `[[device]]`: one device of a product.
    public struct Device: Sendable, Equatable {
        /// The key of its product.
        public var product = ""
        public var key = ""
        public var name: String?
        /// The name of its bus; nil for a device that connects by MQTT.
        public var bus: String?
        public var driver = DriverTable()
        public package(set) var source = TableSource()

        public init() {}

        public var identifier: DeviceIdentifier { DeviceIdentifier(productKey: product, deviceKey: key) }
    }
}

extension MartletConfiguration.Device: ConfigurationTable {
    package static let schema = Schema<Self>(
        "A device of a product. On a bus it has other keys too, which depend on the protocol.", driverKeys: \Self.driver
    ) {
        Key("product", \.product, .topicLevel, .required, help: "The key of its product.")
        Key("key", \.key, .topicLevel, .required, help: "Device key: the third level of the device's topics.")
        Key("name", \.name, .label, example: "Meter in the hall", help: "For people.")
        Key(
            "bus", \.bus, .name, example: "line-1",
            help: "The name of the bus that it is on. Not set for a device that connects by MQTT."
        )
    }
}
