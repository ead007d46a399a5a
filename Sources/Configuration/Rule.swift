public import Core

extension MartletConfiguration {
    /// `[[rule]]`: a query on messages whose results are published. The SQL and the template are checked where they are
    /// compiled; `source["sql"]` and `source["topic"]` say where they stand.
    public struct Rule: Sendable, Equatable {
        public var name = ""
        public var sql = ""
        /// With `${…}`.
        public var topic = ""
        public var qos = QoS.atMostOnce
        public var retain = false
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Rule: ConfigurationTable {
    package static let schema = Schema<Self>("A query on messages; what it gives is published.") {
        Key("name", \.name, .name, .required, help: "The rule's name in logs and metrics.")
        Key(
            "sql", \.sql, .program(bytes: 65_536), .required,
            help: "SELECT … FROM \"topic filter\" WHERE …; single quotes of TOML spare the backslashes."
        )
        Key("topic", \.topic, .topicTemplate, .required, help: "Where the result is published; ${…} is filled in.")
        Key("qos", \.qos, .qos, help: "QoS of the result.")
        Key("retain", \.retain, .boolean, help: "Whether the result is retained.")
    }

    static var examples: [Self] {
        [
            .example {
                $0.name = "hot"
                $0.sql = "SELECT measurepoints.temp AS t FROM \"/sys/+/+/thing/measurepoint/post\" WHERE t > 50"
                $0.topic = "alarms/${topic[2]}/hot"
                $0.qos = .atLeastOnce
            }
        ]
    }
}
