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
        public var unitIdentifier = 1
        /// nil: as the bus has it.
        public var timeout: Duration?
        /// nil: as the bus has it.
        public var retries: Int?
        /// nil: as the bus has it.
        public var maxGap: Int?
        public package(set) var source = TableSource()

        public init() {}

        public var identifier: DeviceIdentifier { DeviceIdentifier(productKey: product, deviceKey: key) }
    }
}

extension MartletConfiguration.Device: ConfigurationTable {
    private static let onBus = Key<Self>.Condition("bus", text: "there is a bus") { $0.bus != nil }

    package static let schema = Schema<Self>("A device of a product.") {
        Key("product", \.product, .topicLevel, .required, help: "The key of its product.")
        Key("key", \.key, .topicLevel, .required, help: "Device key: the third level of the device's topics.")
        Key("name", \.name, .label, example: "Meter in the hall", help: "For people.")
        Key(
            "bus", \.bus, .name, example: "line-1",
            help: "The name of the bus that it is on. Not set for a device that connects by MQTT."
        )
        Key(
            "unit-identifier", \.unitIdentifier, .integer(0...255), when: onBus,
            help: "Its number on the line: 1…247; on modbus-tcp also 0 and 255."
        )
        Key(
            "timeout", \.timeout, .duration(.milliseconds(10)...(.seconds(60))), when: onBus, example: .seconds(1),
            help: "In place of the bus's timeout."
        )
        Key(
            "retries", \.retries, .integer(0...10), when: onBus, example: 1, help: "In place of the bus's retries."
        )
        Key(
            "max-gap", \.maxGap, .integer(0...124), unit: "registers", when: onBus, example: 0,
            help: "In place of the bus's max-gap."
        )
    }

    static var examples: [Self] {
        [
            .example {
                $0.product = "meter"
                $0.key = "m1"
                $0.name = "Meter in the hall"
                $0.bus = "line-1"
            },
            .example {
                $0.product = "meter"
                $0.key = "m2"
                $0.bus = "line-2"
                $0.unitIdentifier = 7
                $0.timeout = .seconds(1)
                $0.retries = 1
                $0.maxGap = 0
            },
        ]
    }
}
