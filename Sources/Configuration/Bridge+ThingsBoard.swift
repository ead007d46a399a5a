extension MartletConfiguration.Bridge {
    /// `[bridge.thingsboard]`: the box as a gateway of ThingsBoard.
    public struct ThingsBoard: Sendable, Equatable {
        /// As written; see ``MartletConfiguration/resolve(path:)``. nil if the bridge has a user name.
        public var tokenFile: String?
        /// With `${product}` and `${device}` in it.
        public var deviceName = "${product}/${device}"
        public var devicesPerMessage = 1
        public var sendsQuality = false
        public var syncsAttributes = false
        public var batchSize = 100
        public var batchAge = Duration.zero
        public var commandTimeout = Duration.seconds(10)
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Bridge.ThingsBoard: ConfigurationTable {
    package static let schema = Schema<Self>("The upstream is ThingsBoard, and the box a gateway of it.") {
        Key(
            "token-file", \.tokenFile, .path, example: "thingsboard.token",
            help: "File with the gateway's access token. Not set if the bridge has a user-name and a password-file."
        )
        Key(
            "device-name", \.deviceName, .deviceName(isTopicLevel: false),
            help: "What devices are called: ${product} and ${device} are their keys."
        )
        Key(
            "devices-per-message", \.devicesPerMessage, .integer(1...1000), unit: "devices",
            help: "Devices whose values one message may hold. ThingsBoard acknowledges such a message before all of them are stored."
        )
        Key(
            "send-quality", \.sendsQuality, .boolean,
            help: "Whether each point has its quality digit and reason beside it, as POINT.quality and POINT.reason."
        )
        Key(
            "sync-attributes", \.syncsAttributes, .boolean,
            help: "Whether shared attributes called as writable points are asked for at each connection, and written where they differ."
        )
        Key("batch-size", \.batchSize, .integer(1...1000), unit: "messages", help: "Messages that may be joined into one.")
        Key("batch-age", \.batchAge, .duration(.zero...(.minutes(1))), help: "How long a message may wait for others to join.")
        Key("command-timeout", \.commandTimeout, .duration(.seconds(1)...(.minutes(5))), help: "How long a device may take to answer a command.")
    }

    /// What the keys of the bridge around it must be.
    func check(_ bridge: MartletConfiguration.Bridge, _ findings: inout Findings) {
        guard source.isSound("token-file"), bridge.source.isSound("user-name") else { return }
        if tokenFile == nil, bridge.userName == nil {
            findings.report(source.position, "[bridge.thingsboard] needs the key \"token-file\", or the bridge a user-name and a password-file")
        } else if tokenFile != nil, bridge.userName != nil {
            findings.report(source["token-file"], "the access token is the user's name: leave out token-file or user-name")
        }
    }

    static var example: MartletConfiguration.Bridge {
        .example {
            $0.name = "thingsboard"
            $0.host = "thingsboard.example.com"
            $0.clientIdentifier = "box-1"
            $0.thingsBoard = .example { $0.tokenFile = "thingsboard.token" }
            $0.forward = [.example { $0.filter = "/sys/#" }]
        }
    }
}
