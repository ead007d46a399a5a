public import Core

extension MartletConfiguration.Bridge {
    /// `[[bridge.forward]]` and `[[bridge.receive]]`: topics that cross the bridge, and how their names change.
    public struct Route: Sendable, Equatable {
        public var filter = ""
        /// Taken away first, byte for byte; the topic `a/b/c` without `a/b/` is `c`.
        public var removePrefix: String?
        /// Put before what is left, byte for byte; the topic `/sys/x` with `a/b` is `a/b/sys/x`.
        public var prefix: String?
        /// A template for the whole topic, in place of the two prefixes.
        public var topic: String?
        public var qos = QoS.atLeastOnce
        public internal(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Bridge.Route: ConfigurationTable {
    static let schema = Schema<Self>("Topics that cross the bridge, and how their names change.") {
        Key("filter", \.filter, .topicFilter, .required, help: "The topics, where the messages come from.")
        Key(
            "remove-prefix", \.removePrefix, .topicPrefix, example: "site/7",
            help: "What is taken from the front of the topic, byte for byte, up to the end of a level."
        )
        Key(
            "prefix", \.prefix, .topicPrefix, example: "site/7",
            help: "What is then put before the topic, byte for byte; it ends with / unless the topic begins with one."
        )
        Key(
            "topic", \.topic, .topicTemplate, example: "up/${topic[2]}",
            help: "The whole new topic, in place of the prefixes; ${…} is filled in."
        )
        Key("qos", \.qos, .qos, help: "forward: the QoS to send with, 2 counts as 1; receive: the highest QoS asked for.")
    } check: { route, findings in
        if route.topic != nil, route.prefix != nil || route.removePrefix != nil {
            findings.report(route.source["topic"], "topic replaces the whole topic: leave out prefix and remove-prefix")
        }
    }
}
