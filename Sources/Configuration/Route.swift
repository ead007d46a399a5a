public import Core

extension MartletConfiguration.Bridge {
    /// `[[bridge.forward]]` and `[[bridge.receive]]`: topics that cross the bridge, and how their names change.
    public struct Route: Sendable, Equatable {
        public var filter = ""
        /// Levels taken away first; the topic `a/b/c` without `a/b` is `c`.
        public var removePrefix: String?
        /// Levels put before what is left; the topic `/sys/x` with `a/b` is `a/b/sys/x`.
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
            help: "Levels that are taken from the front of the topic."
        )
        Key(
            "prefix", \.prefix, .topicPrefix, example: "site/7",
            help: "Levels that are then put before the topic; a / comes between."
        )
        Key(
            "topic", \.topic, .topicTemplate, example: "up/${topic[2]}",
            help: "The whole new topic, in place of the prefixes; ${…} is filled in."
        )
        Key("qos", \.qos, .qos, help: "The highest QoS with which messages cross.")
    } check: { route, findings in
        if route.topic != nil, route.prefix != nil || route.removePrefix != nil {
            findings.report(route.source["topic"], "topic replaces the whole topic: leave out prefix and remove-prefix")
        }
        if route.source.isSound("filter", "remove-prefix"), let prefix = route.removePrefix,
            !route.filter.begins(withLevelsOf: prefix)
        {
            findings.report(
                route.source["remove-prefix"],
                "remove-prefix \(prefix.quotedForMessage) is not how topics of filter "
                    + "\(route.filter.quotedForMessage) begin"
            )
        }
    }
}

extension String {
    /// Whether every topic that this filter matches can begin with the levels of `prefix`.
    fileprivate func begins(withLevelsOf prefix: String) -> Bool {
        let levels = split(separator: "/", omittingEmptySubsequences: false)
        let wanted = prefix.split(separator: "/", omittingEmptySubsequences: false)
        for (index, level) in wanted.enumerated() {
            guard index < levels.count else { return false }
            if levels[index] == "#" { return true }
            if levels[index] != "+", levels[index] != level { return false }
        }
        // A topic that ends with the prefix would have nothing left.
        return levels.count > wanted.count
    }
}
