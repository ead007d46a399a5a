extension MartletConfiguration {
    /// `[protection]`: against clients that guess passwords, flap or flood.
    public struct Protection: Sendable, Equatable {
        public enum BanSubject: String, Sendable, CaseIterable {
            case address
            case clientIdentifier = "client-identifier"
            case userName = "user-name"
        }

        public enum PublishPolicy: String, Sendable, CaseIterable {
            case slowDown = "slow-down"
            case disconnect
        }

        /// 0 for never.
        public var banAfter = 10
        public var banWindow = Duration.minutes(5)
        public var banTime = Duration.minutes(10)
        public var banBy = [BanSubject.address]
        public var banLoopback = false
        /// nil for any number, as the others.
        public var flapAfter: Int?
        public var flapWindow = Duration.minutes(1)
        public var flapBanTime = Duration.minutes(5)
        public var connectRate: Int?
        public var connectRatePerAddress: Int?
        public var maxConnectionsPerAddress: Int?
        public var publishRate: Int?
        public var publishByteRate: Int?
        public var publishPolicy = PublishPolicy.slowDown
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Protection: ConfigurationTable {
    private static let bans = Key<Self>.Condition("ban-after", text: "ban-after is not 0") { $0.banAfter > 0 }

    package static let schema = Schema<Self>("Against clients that guess passwords, come and go without end, or flood.") {
        Key("ban-after", \.banAfter, .integer(0...1_000_000), help: "Failed logins within ban-window that lead to a ban; 0 for never.")
        Key("ban-window", \.banWindow, .duration(.seconds(1)...(.days(1))), when: bans, help: "The time in which they are counted.")
        Key("ban-time", \.banTime, .duration(.seconds(1)...(.days(7))), when: bans, help: "How long a ban lasts.")
        Key(
            "ban-by", \.banBy, .list(of: .choice(BanSubject.self), limit: 3), when: bans,
            help: "What failures are counted for and what is banned. With client-identifier or user-name whoever knows one can lock its client out."
        )
        Key("ban-loopback", \.banLoopback, .boolean, when: bans, help: "Whether addresses of this machine are banned too.")
        Key(
            "flap-after", \.flapAfter, .integer(1...1_000_000), example: 20,
            help: "CONNECTs of one client identifier within flap-window; one more bans it. Any number when not set."
        )
        Key("flap-window", \.flapWindow, .duration(.seconds(1)...(.days(1))), help: "The time in which they are counted.")
        Key("flap-ban-time", \.flapBanTime, .duration(.seconds(1)...(.days(7))), help: "How long such a ban lasts.")
        Key(
            "connect-rate", \.connectRate, .integer(1...1_000_000), unit: "a second", example: 500,
            help: "CONNECTs to one listener; more are refused. Any number when not set."
        )
        Key(
            "connect-rate-per-address", \.connectRatePerAddress, .integer(1...1_000_000), unit: "a second", example: 20,
            help: "CONNECTs from one address; more are refused. Any number when not set."
        )
        Key(
            "max-connections-per-address", \.maxConnectionsPerAddress, .integer(1...1_000_000), example: 100,
            help: "Connections from one address at one time; one more is closed at once. Any number when not set."
        )
        Key(
            "publish-rate", \.publishRate, .integer(1...10_000_000), unit: "a second", example: 1000,
            help: "Messages of one client, and as many in a burst. Any number when not set."
        )
        Key(
            "publish-byte-rate", \.publishByteRate, .size(.kibibytes(1)...(.gibibytes(4))), unit: "a second",
            example: .mebibytes(1), help: "Bytes of the messages of one client, and as many in a burst. Any number when not set."
        )
        Key(
            "publish-policy", \.publishPolicy, .choice(PublishPolicy.self),
            help: "What happens to a client that publishes faster: it is not read from for a while, or disconnected."
        )
    }
}
