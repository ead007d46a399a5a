extension MartletConfiguration {
    /// `[[bus]]`: a line with devices on it.
    public struct Bus: Sendable, Equatable {
        public var name = ""
        /// One of the ``DriverCatalogue``'s.
        public var `protocol` = ""
        public var driver = DriverTable()
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Bus: ConfigurationTable {
    package static let schema = Schema<Self>(
        "A line with devices on it. The other keys depend on the protocol.", driverKeys: \Self.driver
    ) {
        Key("name", \.name, .name, .required, help: "What devices refer to; also in logs.")
        Key("protocol", \.protocol, .protocolName, .required, help: "What is spoken on the line.")
    }
}
