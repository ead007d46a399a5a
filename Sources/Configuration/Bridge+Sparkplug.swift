internal import Core

extension MartletConfiguration.Bridge {
    /// `[bridge.sparkplug]`: the box as an edge node of Sparkplug B.
    public struct Sparkplug: Sendable, Equatable {
        public var group = ""
        public var edgeNode = ""
        /// nil for none.
        public var primaryHost: String?
        /// With `${product}` and `${device}` in it.
        public var deviceName = "${product}:${device}"
        public var qos = 0
        public var batchSize = 100
        public var batchAge = Duration.zero
        public var commandTimeout = Duration.seconds(30)
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Bridge.Sparkplug: ConfigurationTable {
    package static let schema = Schema<Self>("The upstream is an MQTT broker where hosts speak Sparkplug B, and the box an edge node.") {
        Key("group", \.group, .topicLevel, .required, help: "The group that the edge node belongs to.")
        Key("edge-node", \.edgeNode, .topicLevel, .required, help: "What the edge node is called; unique within its group.")
        Key(
            "primary-host", \.primaryHost, .topicLevel, example: "scada",
            help: "The host application that has to be online before anything is sent. Not set for none."
        )
        Key(
            "device-name", \.deviceName, .deviceName(isTopicLevel: true),
            help: "What devices are called: ${product} and ${device} are their keys."
        )
        Key("qos", \.qos, .integer(0...1), help: "How births and data are sent. The specification says 0.")
        Key("batch-size", \.batchSize, .integer(1...1000), unit: "messages", help: "Messages that may be joined into one for each device.")
        Key("batch-age", \.batchAge, .duration(.zero...(.minutes(1))), help: "How long a message may wait for others to join.")
        Key("command-timeout", \.commandTimeout, .duration(.seconds(1)...(.minutes(5))), help: "How long a device may take to answer a command.")
    }

    /// What the keys of the bridge around it must be.
    func check(_ bridge: MartletConfiguration.Bridge, _ findings: inout Findings) {
        guard bridge.source.isSet("session-expiry") else { return }
        findings.report(bridge.source["session-expiry"], "an edge node of Sparkplug keeps no session: leave out session-expiry with [bridge.sparkplug]")
    }

    static var example: MartletConfiguration.Bridge {
        .example {
            $0.name = "scada"
            $0.host = "broker.example.com"
            $0.clientIdentifier = "box-1"
            $0.sparkplug = .example {
                $0.group = "site-7"
                $0.edgeNode = "box-1"
                $0.primaryHost = "scada"
            }
            $0.forward = [.example { $0.filter = "/sys/#" }]
        }
    }
}
