extension MartletConfiguration.Bridge {
    /// `[bridge.enos]`: the box as a gateway of the EnOS platform.
    public struct EnOS: Sendable, Equatable {
        public enum SignMethod: String, Sendable, CaseIterable {
            case sha256, sha1
        }

        public enum Compression: String, Sendable, CaseIterable {
            case none, gzip
        }

        public var productKey = ""
        public var deviceKey = ""
        /// As written; see ``MartletConfiguration/resolve(path:)``.
        public var secretFile = ""
        public var signMethod = SignMethod.sha256
        public var activates = false
        public var batchSize = 1
        public var batchAge = Duration.zero
        public var loginBatchSize = 50
        public var maxOnline = 200
        public var sendsQuality = true
        public var compression = Compression.none
        public var commandTimeout = Duration.seconds(30)
        public var rrpcTimeout = Duration.seconds(8)
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Bridge.EnOS: ConfigurationTable {
    package static let schema = Schema<Self>("The upstream is the EnOS platform, and the box a gateway of it.") {
        Key("product-key", \.productKey, .topicLevel, .required, help: "The gateway's product key.")
        Key("device-key", \.deviceKey, .topicLevel, .required, help: "The gateway's device key.")
        Key(
            "secret-file", \.secretFile, .path, .required,
            help: "File with the gateway's secret on a line, and a line \"PRODUCT/DEVICE SECRET\" for each device behind it."
        )
        Key("sign-method", \.signMethod, .choice(SignMethod.self), help: "How logins are signed.")
        Key(
            "activation", \.activates, .boolean,
            help: "Whether secret-file has the product's secret in place of the gateway's, which EnOS gives at the first connection."
        )
        Key(
            "batch-size", \.batchSize, .integer(1...1000), unit: "posts",
            help: "Posts joined into one message of the gateway's; 1 sends each under its own device's topic."
        )
        Key("batch-age", \.batchAge, .duration(.zero...(.minutes(1))), help: "How long a post may wait for others to join.")
        Key(
            "login-batch-size", \.loginBatchSize, .integer(1...200), unit: "devices",
            help: "Devices that one login request names; 1 uses the request for a single device."
        )
        Key("max-online", \.maxOnline, .integer(1...10_000), unit: "devices", help: "Devices that are logged in at one time.")
        Key(
            "send-quality", \.sendsQuality, .boolean,
            help: "Whether a number's quality digit goes up with it; false if the model's points have no quality."
        )
        Key("compression", \.compression, .choice(Compression.self), help: "How payloads are compressed, in both directions.")
        Key("command-timeout", \.commandTimeout, .duration(.seconds(1)...(.minutes(10))), help: "How long a device may take to answer a command.")
        Key("rrpc-timeout", \.rrpcTimeout, .duration(.seconds(1)...(.minutes(1))), help: "The same for RRPC.")
    }

    /// What the keys of the bridge around it must be.
    func check(_ bridge: MartletConfiguration.Bridge, _ findings: inout Findings) {
        bridge.checkSpeaks311("enos", &findings)
        guard bridge.source.isSound("client-identifier") else { return }
        if bridge.clientIdentifier.utf8.count > 64 || bridge.clientIdentifier.contains(where: { "|{}".contains($0) }) {
            findings.report(
                bridge.source["client-identifier"],
                "client-identifier has at most 64 bytes with [bridge.enos], and no \"|\", \"{\" and \"}\", which mark what the bridge adds")
        }
    }

    static var example: MartletConfiguration.Bridge {
        .example {
            $0.name = "enos"
            $0.host = "mqtt-cn5.envisioniot.com"
            $0.port = 11883
            $0.clientIdentifier = "box-1"
            $0.enos = .example {
                $0.productKey = "KV315idW"
                $0.deviceKey = "box-1"
                $0.secretFile = "enos.secrets"
            }
            $0.forward = [.example { $0.filter = "/sys/#" }]
        }
    }
}
