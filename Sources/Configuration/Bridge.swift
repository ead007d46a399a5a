extension MartletConfiguration {
    /// `[[bridge]]`: an upstream MQTT broker.
    public struct Bridge: Sendable, Equatable {
        public enum BridgeProtocol: String, Sendable, CaseIterable {
            case v311 = "3.1.1"
            case v5 = "5.0"
        }

        public var name = ""
        public var host = ""
        public var port = 1883
        public var clientIdentifier = ""
        public var userName: String?
        /// As written; see ``MartletConfiguration/resolve(path:)``.
        public var passwordFile: String?
        public var `protocol` = BridgeProtocol.v5
        public var sessionExpiry = Duration.days(7)
        /// `.zero`: none.
        public var keepAlive = Duration.seconds(60)
        public var maxInflight = 100
        public var connectTimeout = Duration.seconds(30)
        public var reconnectInterval = Duration.seconds(1)
        public var maxBackOff = Duration.minutes(2)
        /// Local to upstream.
        public var forward: [Route] = []
        /// Upstream to local.
        public var receive: [Route] = []
        public internal(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Bridge: ConfigurationTable {
    private static let isV5 = Key<Self>.Condition("protocol", text: "protocol is \"5.0\"") { $0.protocol == .v5 }
    private static let hasUser = Key<Self>.Condition("user-name", text: "there is a user-name") { $0.userName != nil }

    static let schema = Schema<Self>("An upstream MQTT broker.") {
        Key("name", \.name, .name, .required, help: "The bridge's name in logs, metrics and the cache.")
        Key("host", \.host, .host, .required, help: "Name or address of the upstream broker.")
        Key("port", \.port, .integer(1...65_535), help: "TCP port.")
        Key(
            "client-identifier", \.clientIdentifier, .mqttString(bytes: 1...65_535), .required,
            help: "MQTT client identifier; the upstream broker keeps the session by it."
        )
        Key("user-name", \.userName, .mqttString(bytes: 1...65_535), example: "box", help: "MQTT user name.")
        Key(
            "password-file", \.passwordFile, .path, when: hasUser, example: "cloud.password",
            help: "File that holds nothing but the password. Relative to this file's folder."
        )
        RefusedKey(
            "password",
            "password must not be in this file: put it into a file of its own and name that with password-file"
        )
        Key("protocol", \.protocol, .choice(BridgeProtocol.self), help: "MQTT version.")
        Key(
            "session-expiry", \.sessionExpiry, .duration(.zero...(.days(3650))), when: isV5,
            help: "How long the upstream broker keeps the session after the connection."
        )
        Key(
            "keep-alive", \.keepAlive, .duration(.zero...(.seconds(65_535))),
            help: "How long the connection may be silent before it is checked; whole seconds, \"0s\" for never."
        )
        Key(
            "max-inflight", \.maxInflight, .integer(1...65_535), unit: "messages",
            help: "Messages that may wait for the upstream broker's acknowledgement at one time."
        )
        Key(
            "connect-timeout", \.connectTimeout, .duration(.seconds(1)...(.minutes(5))),
            help: "How long a connection may take until its CONNACK."
        )
        Key(
            "reconnect-interval", \.reconnectInterval, .duration(.seconds(1)...(.hours(1))),
            help: "The wait after a lost connection; it doubles with each failure up to max-back-off."
        )
        Key("max-back-off", \.maxBackOff, .duration(.seconds(1)...(.days(1))), help: "The longest such wait.")
        Subtable("forward", \.forward, limit: 256)
        Subtable("receive", \.receive, limit: 256)
    } check: { bridge, findings in
        bridge.check(&findings)
    }

    private func check(_ findings: inout Findings) {
        if source.isSound("keep-alive"), keepAlive.components.attoseconds != 0 {
            findings.report(source["keep-alive"], "keep-alive must be whole seconds")
        }
        if source.isSound("reconnect-interval", "max-back-off"), maxBackOff < reconnectInterval {
            findings.report(
                source[source.isSet("max-back-off") ? "max-back-off" : "reconnect-interval"],
                "max-back-off must not be shorter than reconnect-interval"
            )
        }
        if forward.isEmpty, receive.isEmpty {
            findings.report(source.position, "[[bridge]] needs at least one [[bridge.forward]] or [[bridge.receive]]")
        }
    }

    static var examples: [Self] {
        [
            .example {
                $0.name = "cloud"
                $0.host = "broker.example.com"
                $0.clientIdentifier = "box-1"
                $0.userName = "box"
                $0.passwordFile = "cloud.password"
                $0.forward = [
                    .example {
                        $0.filter = "/sys/#"
                        $0.prefix = "site/7"
                    },
                    .example {
                        $0.filter = "alarms/#"
                        $0.topic = "up/${topic[2]}"
                    },
                ]
                $0.receive = [
                    .example {
                        $0.filter = "site/7/sys/+/+/thing/service/#"
                        $0.removePrefix = "site/7"
                    }
                ]
            }
        ]
    }
}
