extension MartletConfiguration {
    /// `[[product]]`: the model of a kind of device.
    public struct Product: Sendable, Equatable {
        public var key = ""
        public var name: String?
        /// The name of a built-in ``DeviceProfile``, or the path of one's file.
        public var profile: String?
        /// Those of the profile, with those of the file in their place or behind them; so are the points.
        public var groups: [Group] = []
        public var points: [Point] = []
        /// The ``DeviceProfile/protocol`` of the profile.
        package var profileProtocol: String?
        public package(set) var source = TableSource()

        public init() {}

        /// `[[product.group]]`: points that are polled together.
        public struct Group: Sendable, Equatable {
            public var name = ""
            public var interval = Duration.seconds(1)
            public package(set) var source = TableSource()

            public init() {}
        }
    }
}

extension MartletConfiguration.Product: PointTables {
    package static let schema = Schema<Self>(
        "The model of a kind of device: its measurement points and, on a bus, where they are read."
    ) {
        Key("key", \.key, .topicLevel, .required, help: "Product key: the second level of the devices' topics.")
        Key("name", \.name, .label, example: "Energy meter", help: "For people.")
        Key(
            "profile", \.profile, .nameOrPath, example: "eastron-sdm630",
            help: "A profile whose groups and points the product has: a built-in one, or the path of a TOML file. A point of the same "
                + "identifier changes the keys that it names, a group of the same name comes in the place of the profile's. martlet "
                + "profile list shows those that are built in."
        )
        pointTables
    } check: { product, findings in
        product.checkNames(&findings)
        // With a profile it is looked at when its groups are there.
        if product.profile == nil { product.checkGroups(&findings) }
    }

    package static let groupHeader = "[[product.group]]"

    static var examples: [Self] {
        [
            .example {
                $0.key = "sensor"
                $0.name = "Sensor that connects by MQTT"
                $0.points = Point.examples
            },
            .example {
                $0.key = "mains-meter"
                $0.name = "Meter of a known make"
                $0.profile = "eastron-sdm630"
            },
        ]
    }
}

extension MartletConfiguration.Product.Group: ConfigurationTable {
    package static let schema = Schema<Self>("Points that are read together.") {
        Key("name", \.name, .name, .required, help: "What the points of the group refer to.")
        Key(
            "interval", \.interval, .duration(.milliseconds(10)...(.days(1))),
            help: "How often the points are read."
        )
    }
}
