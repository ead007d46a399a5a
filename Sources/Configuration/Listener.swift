extension MartletConfiguration {
    /// `[[listener]]`: an address where MQTT clients connect.
    public struct Listener: Sendable, Equatable {
        public var name = "local"
        public var address = "127.0.0.1"
        public var port = 1883
        public var allowAnonymous = false
        public internal(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Listener: ConfigurationTable {
    static let schema = Schema<Self>("An address where MQTT clients connect. Without any there is one on 127.0.0.1:1883.") {
        Key("name", \.name, .name, help: "The listener's name in logs.")
        Key(
            "address", \.address, .address,
            help: "The network interface by its address; 0.0.0.0 or :: for all of them."
        )
        Key("port", \.port, .integer(1...65_535), help: "TCP port.")
        Key(
            "allow-anonymous", \.allowAnonymous, .boolean,
            help: "Whether any client in reach may connect. Must be true for an address beyond loopback."
        )
    } check: { listener, findings in
        guard listener.source.isSound("address", "allow-anonymous"), !listener.allowAnonymous,
            let address = IPAddress(listener.address), !address.isLoopback
        else { return }
        findings.report(
            listener.source["address"],
            "address \"\(listener.address)\" can be reached from other machines, and clients cannot be authenticated "
                + "yet: write allow-anonymous = true if anyone there may publish and subscribe, or use 127.0.0.1"
        )
    }
}
