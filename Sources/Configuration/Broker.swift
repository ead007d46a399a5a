extension MartletConfiguration {
    /// `[broker]`: the limits of the local MQTT broker. Sizes are in bytes.
    public struct Broker: Sendable, Equatable {
        public var maxPacketSize = Int.mebibytes(1)
        public var maxConnections = 10_000
        public var maxInflight = 256
        public var maxQueuedMessages = 10_000
        public var maxQueuedBytes = Int.mebibytes(16)
        public var maxSessionExpiry = Duration.days(7)
        /// nil: any.
        public var maxKeepAlive: Duration?
        public var maxRetainedMessages = 100_000
        public var maxSubscriptions = 1000
        public var maxTopicAlias = 32
        public var connectTimeout = Duration.seconds(10)
        public internal(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Broker: ConfigurationTable {
    static let schema = Schema<Self>("The limits of the local MQTT broker.") {
        Key(
            "max-packet-size", \.maxPacketSize, .size(.kibibytes(1)...(.mebibytes(256))),
            help: "A client that sends a larger packet is disconnected."
        )
        Key("max-connections", \.maxConnections, .integer(1...1_000_000), help: "Clients connected at one time.")
        Key(
            "max-inflight", \.maxInflight, .integer(1...65_535), unit: "messages",
            help: "Unacknowledged messages per client and direction with QoS 1 and 2 (Receive Maximum)."
        )
        Key(
            "max-queued-messages", \.maxQueuedMessages, .integer(1...10_000_000),
            help: "Messages that wait for one client, connected or not."
        )
        Key(
            "max-queued-bytes", \.maxQueuedBytes, .size(.kibibytes(1)...(.gibibytes(16))),
            help: "Bytes that wait for one client."
        )
        Key(
            "max-session-expiry", \.maxSessionExpiry, .duration(.zero...(.days(3650))),
            help: "How long a session outlives its connection at most."
        )
        Key(
            "max-keep-alive", \.maxKeepAlive, .duration(.seconds(5)...(.seconds(65_535))), example: .minutes(10),
            help: "The longest keep-alive; a client that asks for more is told this one. Any when not set."
        )
        Key(
            "max-retained-messages", \.maxRetainedMessages, .integer(0...10_000_000),
            help: "Retained messages of all topics together."
        )
        Key(
            "max-subscriptions", \.maxSubscriptions, .integer(1...1_000_000), help: "Subscriptions of one client."
        )
        Key(
            "max-topic-alias", \.maxTopicAlias, .integer(0...65_535),
            help: "Topic aliases that one client may use (MQTT 5.0)."
        )
        Key(
            "connect-timeout", \.connectTimeout, .duration(.seconds(1)...(.minutes(5))),
            help: "How long a new connection may take until its CONNECT packet is complete."
        )
    } check: { broker, findings in
        if broker.source.isSound("max-packet-size", "max-queued-bytes"), broker.maxQueuedBytes < broker.maxPacketSize {
            findings.report(
                broker.source["max-queued-bytes"], "max-queued-bytes must hold at least one packet of max-packet-size"
            )
        }
    }
}
