public import Core

extension MartletConfiguration.Bridge {
    /// What `[[bridge.forward]]` and `[[bridge.receive]]` have in common: topics that cross the bridge, and how their names
    /// change.
    public protocol Route: Sendable, Equatable {
        var filter: String { get set }
        /// Taken away first, byte for byte; the topic `a/b/c` without `a/b/` is `c`.
        var removePrefix: String? { get set }
        /// Put before what is left, byte for byte; the topic `/sys/x` with `a/b` is `a/b/sys/x`.
        var prefix: String? { get set }
        /// A template for the whole topic, in place of the two prefixes.
        var topic: String? { get set }
        var qos: QoS { get set }
        /// Whether the retain flag crosses the bridge; without it the message is one like any other on the other side.
        var retain: Bool { get set }
        var source: TableSource { get }
    }

    /// `[[bridge.receive]]`: upstream topics that come down.
    public struct Receive: Route {
        public var filter = ""
        public var removePrefix: String?
        public var prefix: String?
        public var topic: String?
        public var qos = QoS.atLeastOnce
        public var retain = true
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Bridge.Receive: ConfigurationTable {
    package static let schema = Schema<Self>("Topics of the upstream broker that are published here.") {
        topicKeys(
            qos: "The highest QoS asked for.",
            retain: "Whether the retain flag comes down with a message. With false nothing of this route is retained here."
        )
    } check: { route, findings in
        route.checkTopics(route.source, &findings)
    }
}

extension MartletConfiguration.Bridge.Route where Self: ConfigurationTable {
    static func topicKeys(qos: String, retain: String) -> [Key<Self>] {
        [
            Key("filter", \.filter, .topicFilter, .required, help: "The topics, where the messages come from."),
            Key(
                "remove-prefix", \.removePrefix, .topicPrefix, example: "site/7",
                help: "What is taken from the front of the topic, byte for byte, up to the end of a level."
            ),
            Key(
                "prefix", \.prefix, .topicPrefix, example: "site/7",
                help: "What is then put before the topic, byte for byte; it ends with / unless the topic begins with one."
            ),
            Key(
                "topic", \.topic, .topicTemplate, example: "up/${topic[2]}",
                help: "The whole new topic, in place of the prefixes; ${…} is filled in."
            ),
            Key("qos", \.qos, .qos, help: qos),
            Key("retain", \.retain, .boolean, help: retain),
        ]
    }

    func checkTopics(_ source: TableSource, _ findings: inout Findings) {
        if topic != nil, prefix != nil || removePrefix != nil {
            findings.report(source["topic"], "topic replaces the whole topic: leave out prefix and remove-prefix")
        }
        checkLevels(source, &findings)
    }
}
