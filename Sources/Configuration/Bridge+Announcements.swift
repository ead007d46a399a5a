public import Core

extension MartletConfiguration.Bridge {
    /// `[bridge.birth]`: what the bridge says upstream when it has come.
    public struct Birth: Sendable, Equatable {
        public var topic = ""
        /// nil for an empty one.
        public var payload: String?
        public var qos = QoS.atLeastOnce
        public var retain = false
        public package(set) var source = TableSource()

        public init() {}
    }

    /// `[bridge.will]`: what the upstream says when the bridge has gone.
    public struct Will: Sendable, Equatable {
        public var topic = ""
        /// nil for an empty one.
        public var payload: String?
        public var qos = QoS.atLeastOnce
        public var retain = false
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Bridge.Birth: ConfigurationTable {
    package static let schema = Schema<Self>("What the bridge publishes upstream each time that it has come.") {
        Key("topic", \.topic, .topicName, .required, help: "The topic, as the upstream has it.")
        Key("payload", \.payload, .program(bytes: 65_535), example: "online", help: "The payload; empty when not set.")
        Key("qos", \.qos, .qos(below: .exactlyOnce), help: "The QoS.")
        Key("retain", \.retain, .boolean, help: "Whether the upstream keeps it for those that subscribe later.")
    }
}

extension MartletConfiguration.Bridge.Will: ConfigurationTable {
    package static let schema = Schema<Self>(
        "What the upstream publishes when the bridge is lost, and the bridge itself before it leaves."
    ) {
        Key("topic", \.topic, .topicName, .required, help: "The topic, as the upstream has it.")
        Key("payload", \.payload, .program(bytes: 65_535), example: "offline", help: "The payload; empty when not set.")
        Key("qos", \.qos, .qos, help: "The QoS; the bridge's own goodbye is sent with 1 at most.")
        Key("retain", \.retain, .boolean, help: "Whether the upstream keeps it for those that subscribe later.")
    }
}
