extension MartletConfiguration.Bridge {
    /// `[bridge.azure]`: the box as a device of an Azure IoT Hub.
    public struct Azure: Sendable, Equatable {
        public enum Authentication: String, Sendable, CaseIterable {
            /// A token, signed with the device's key.
            case sas
            /// The bridge's client certificate.
            case x509
        }

        /// nil for the bridge's host.
        public var hub: String?
        public var authentication = Authentication.sas
        /// As written; see ``MartletConfiguration/resolve(path:)``. Not nil with ``Authentication/sas``.
        public var keyFile: String?
        public var tokenLifetime = Duration.hours(1)
        public var batchSize = 1
        public var batchAge = Duration.zero
        public var messagesTopic = "azure/messages"
        public var commandTimeout = Duration.seconds(30)
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Bridge.Azure: ConfigurationTable {
    private static let isSAS = Key<Self>.Condition("authentication", text: "authentication is \"sas\"") { $0.authentication == .sas }

    package static let schema = Schema<Self>("The upstream is an Azure IoT Hub, and the box a device of it: client-identifier is its name.") {
        Key("hub", \.hub, .host, example: "hub-1.azure-devices.net", help: "The hub's host name, if it is not the bridge's host.")
        Key("authentication", \.authentication, .choice(Authentication.self), help: "A token, or the bridge's client certificate.")
        Key("key-file", \.keyFile, .path, .required, when: isSAS, example: "azure.key", help: "File with the device's key, as the hub shows it.")
        Key(
            "token-lifetime", \.tokenLifetime, .duration(.minutes(5)...(.days(365))), when: isSAS,
            help: "How long a token is good for; the connection is made anew before it ends."
        )
        Key(
            "batch-size", \.batchSize, .integer(1...1000), unit: "messages",
            help: "Messages of a device joined into a JSON array; 1 sends each as an object."
        )
        Key("batch-age", \.batchAge, .duration(.zero...(.minutes(1))), help: "How long a message may wait for others to join.")
        Key("messages-topic", \.messagesTopic, .topicLevels, help: "The local topic of messages from the cloud.")
        Key("command-timeout", \.commandTimeout, .duration(.seconds(1)...(.minutes(5))), help: "How long a device may take to answer a command.")
    }

    /// What the keys of the bridge around it must be.
    func check(_ bridge: MartletConfiguration.Bridge, _ findings: inout Findings) {
        bridge.checkSpeaks311("azure", &findings)
        if bridge.source.isSound("keep-alive"), bridge.keepAlive > .seconds(1177) {
            findings.report(bridge.source["keep-alive"], "keep-alive is at most \"1177s\" with [bridge.azure]")
        }
        if bridge.source.isSound("client-identifier"), bridge.clientIdentifier.contains(where: { "/+#?".contains($0) }) {
            findings.report(
                bridge.source["client-identifier"],
                "client-identifier is the device's name with [bridge.azure], which has no \"/\", \"+\", \"#\" and \"?\"")
        }
    }

    static var example: MartletConfiguration.Bridge {
        .example {
            $0.name = "azure"
            $0.host = "hub-1.azure-devices.net"
            $0.transport = .tls
            $0.clientIdentifier = "box-1"
            $0.azure = .example {
                $0.hub = "hub-1.azure-devices.net"
                $0.keyFile = "azure.key"
            }
            $0.forward = [.example { $0.filter = "/sys/+/+/thing/measurepoint/post" }]
        }
    }
}
