extension MartletConfiguration {
    /// `[[product]]`: the model of a kind of device.
    public struct Product: Sendable, Equatable {
        public var key = ""
        public var name: String?
        public var groups: [Group] = []
        public var points: [Point] = []
        public package(set) var source = TableSource()

        public init() {}

        /// `[[product.group]]`: points that are polled together.
        public struct Group: Sendable, Equatable {
            public var name = ""
            public var interval = Duration.seconds(1)
            public package(set) var source = TableSource()

            public init() {}
        }

        /// The polling group of a point: the one it names, else the product's only one. nil for a point that is not on
        /// a bus.
        public func group(of point: Point) -> Group? {
            guard point.isOnBus else { return nil }
            guard let name = point.group else { return groups.first }
            return groups.first { $0.name == name }
        }
    }
}

extension MartletConfiguration.Product: ConfigurationTable {
    package static let schema = Schema<Self>(
        "The model of a kind of device: its measurement points and, on a bus, where they are read."
    ) {
        Key("key", \.key, .topicLevel, .required, help: "Product key: the second level of the devices' topics.")
        Key("name", \.name, .label, example: "Energy meter", help: "For people.")
        Subtable("group", \.groups, limit: 64)
        Subtable("point", \.points, limit: 10_000)
    } check: { product, findings in
        findings.reportDuplicates(product.groups, "name", what: "group") { $0.name }
        findings.reportDuplicates(product.points, "identifier", what: "point") { $0.identifier }
        for point in product.points where point.isOnBus {
            product.checkGroup(of: point, &findings)
        }
    }

    private func checkGroup(of point: Point, _ findings: inout Findings) {
        let isSound = groups.allSatisfy { $0.source.isSound("name") } && point.source.isSound("group")
        guard isSound else { return }
        if let name = point.group {
            if !groups.contains(where: { $0.name == name }) {
                findings.reportDangling(point.source["group"], "group", name, known: groups.map(\.name))
            }
        } else if groups.count != 1 {
            findings.report(
                point.source.position,
                groups.isEmpty
                    ? "point \"\(point.identifier)\" is on a bus and needs a [[product.group]] that says how often it is "
                        + "read"
                    : "point \"\(point.identifier)\" needs the key \"group\" as its product has \(groups.count) groups"
            )
        }
    }

    static var examples: [Self] {
        [
            .example {
                $0.key = "sensor"
                $0.name = "Sensor that connects by MQTT"
                $0.points = Point.examples
            }
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
