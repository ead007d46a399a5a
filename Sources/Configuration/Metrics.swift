extension MartletConfiguration {
    /// `[metrics]`: where monitoring systems scrape.
    public struct Metrics: Sendable, Equatable {
        public var address = "127.0.0.1"
        /// nil for no endpoint.
        public var port: Int?
        public var path = "/metrics"
        public var allowAnonymous = false
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Metrics: ConfigurationTable {
    package static let schema = Schema<Self>("Metrics over HTTP in the OpenMetrics format, for Prometheus and others like it.") {
        Key("port", \.port, .integer(1...65_535), example: 9464, help: "TCP port. Without it there are no metrics.")
        Key("address", \.address, .address, help: "The network interface by its address; 0.0.0.0 or :: for all of them.")
        Key("path", \.path, .httpPath, help: "The path of the page.")
        Key(
            "allow-anonymous", \.allowAnonymous, .boolean,
            help: "Whether anybody in reach may read them. Must be true for an address beyond loopback."
        )
    } check: { metrics, findings in
        guard metrics.port != nil, metrics.source.isSound("address", "allow-anonymous", "port"), !metrics.allowAnonymous,
            let address = IPAddress(metrics.address), !address.isLoopback
        else { return }
        findings.report(
            metrics.source["address"],
            "address \"\(metrics.address)\" can be reached from other machines: write allow-anonymous = true if anyone "
                + "there may read the metrics, or use 127.0.0.1"
        )
    }
}
