public import Core

extension MartletConfiguration {
    /// `[broker]`: the limits of the local MQTT broker. Sizes are in bytes.
    public struct Broker: Sendable, Equatable {
        public enum WhenDiskFull: String, Sendable, CaseIterable {
            case refuse
            case hold
        }

        /// When clients are sent to the server that ``serverReference`` names.
        public enum Redirect: String, Sendable, CaseIterable {
            case atShutdown = "at-shutdown"
            case useAnotherServer = "use-another-server"
            case serverMoved = "server-moved"
        }

        public var maxPacketSize = Int.mebibytes(1)
        public var maxConnections = 10_000
        public var maxSessions = 50_000
        public var maxInflight = 256
        public var receiveMaximum = 1000
        public var maxQueuedMessages = 10_000
        public var maxQueuedBytes = Int.mebibytes(16)
        public var maxOutboxBytes = Int.mebibytes(16)
        public var maxWaitingBytes = Int.mebibytes(256)
        public var maxTopicAliases = 16
        public var maxOutboundTopicAliases = 64
        /// Whole seconds.
        public var maxSessionExpiry = Duration.days(7)
        /// Whole seconds; nil for any.
        public var maxKeepAlive: Duration?
        public var maxSubscriptions = 1000
        public var maxRetainedMessages = 100_000
        public var maxRetainedBytes = Int.mebibytes(64)
        public var maxTopicLevels = 32
        public var whenDiskFull = WhenDiskFull.refuse
        public var maxQoS = QoS.exactlyOnce
        public var retainAvailable = true
        public var wildcardSubscriptionAvailable = true
        public var subscriptionIdentifierAvailable = true
        public var checkPayloadFormat = true
        public var responseTopicPrefix: String?
        public var serverReference: String?
        public var redirect = Redirect.atShutdown
        /// Zero for no marks; nil for marks of what may come back over a bridge.
        public var maxHops: Int?
        /// Zero for none.
        public var sysInterval = Duration.seconds(10)
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Broker: ConfigurationTable {
    package static let schema = Schema<Self>("The limits of the local MQTT broker.") {
        Key(
            "max-packet-size", \.maxPacketSize, .size(.kibibytes(1)...(.mebibytes(256))),
            help: "A client that sends a larger packet is disconnected."
        )
        Key("max-connections", \.maxConnections, .integer(1...1_000_000), help: "Clients connected at one time.")
        Key(
            "max-sessions", \.maxSessions, .integer(1...1_000_000),
            help: "Sessions kept, of connected clients and of others."
        )
        Key(
            "max-inflight", \.maxInflight, .integer(1...65_535), unit: "messages",
            help: "QoS 1 and 2 messages on their way to one client at one time; more wait in its queue."
        )
        Key(
            "receive-maximum", \.receiveMaximum, .integer(1...65_535), unit: "messages",
            help: "QoS 1 and 2 messages on their way from one client at one time (MQTT 5.0 tells the client)."
        )
        Key(
            "max-queued-messages", \.maxQueuedMessages, .integer(1...10_000_000),
            help: "QoS 1 and 2 messages that wait for one client, connected or not; the newest are dropped beyond."
        )
        Key(
            "max-queued-bytes", \.maxQueuedBytes, .size(.kibibytes(1)...(.gibibytes(16))),
            help: "Bytes of those messages."
        )
        Key(
            "max-outbox-bytes", \.maxOutboxBytes, .size(.kibibytes(1)...(.gibibytes(16))),
            help: "Bytes that wait to be written to one connection; QoS 0 messages are dropped beyond."
        )
        Key(
            "max-waiting-bytes", \.maxWaitingBytes, .size(.mebibytes(1)...(.gibibytes(64))),
            help: "Bytes of messages in all queues and outboxes together; beyond, messages and new sessions are refused."
        )
        Key(
            "max-topic-aliases", \.maxTopicAliases, .integer(0...65_535),
            help: "Topic aliases that an MQTT 5.0 client may set on its connection."
        )
        Key(
            "max-outbound-topic-aliases", \.maxOutboundTopicAliases, .integer(0...65_535),
            help: "Topic aliases that are set towards an MQTT 5.0 client that takes them."
        )
        Key(
            "max-session-expiry", \.maxSessionExpiry, .duration(.zero...(.days(3650))),
            help: "How long a session outlives its connection at most; whole seconds."
        )
        Key(
            "max-keep-alive", \.maxKeepAlive, .duration(.seconds(5)...(.seconds(65_535))), example: .minutes(10),
            help: "The longest keep-alive; an MQTT 5.0 client that asks for more is told this one. Any when not set."
        )
        Key("max-subscriptions", \.maxSubscriptions, .integer(1...1_000_000), help: "Subscriptions of one client.")
        Key(
            "max-retained-messages", \.maxRetainedMessages, .integer(0...10_000_000),
            help: "Retained messages of all topics together; more are refused (MQTT 5.0), or delivered but not kept."
        )
        Key(
            "max-retained-bytes", \.maxRetainedBytes, .size(0...(.gibibytes(16))), help: "Bytes of retained messages."
        )
        Key("max-topic-levels", \.maxTopicLevels, .integer(1...128), help: "Levels of a topic or topic filter.")
        Key(
            "when-disk-full", \.whenDiskFull, .choice(WhenDiskFull.self),
            help: "Messages and sessions that need a full disk are refused (MQTT 5.0), or wait for their acknowledgement."
        )
        Key(
            "max-qos", \.maxQoS, .qos,
            help: "The highest QoS that clients publish with (MQTT 5.0 tells the client); one that uses more is disconnected."
        )
        Key(
            "retain-available", \.retainAvailable, .boolean,
            help: "Whether clients may retain messages (MQTT 5.0 tells the client); one that does all the same is disconnected."
        )
        Key(
            "wildcard-subscription-available", \.wildcardSubscriptionAvailable, .boolean,
            help: "Whether clients may subscribe with + and # (MQTT 5.0 tells the client)."
        )
        Key(
            "subscription-identifier-available", \.subscriptionIdentifierAvailable, .boolean,
            help: "Whether subscriptions of MQTT 5.0 clients may have identifiers."
        )
        Key(
            "check-payload-format", \.checkPayloadFormat, .boolean,
            help: "Whether a message that says that it is UTF-8 and is not is refused (of QoS 0: dropped)."
        )
        Key(
            "response-topic-prefix", \.responseTopicPrefix, .topicPrefix, example: "responses/%c",
            help: "Told to MQTT 5.0 clients that ask for Response Information; %c stands for the client identifier."
        )
        Key(
            "server-reference", \.serverReference, .mqttString(bytes: 1...1024), example: "other.example:1883",
            help: "Another server, host or host:port, that MQTT 5.0 clients are told of when they cannot use this one."
        )
        Key(
            "redirect", \.redirect, .choice(Redirect.self),
            help: "When they are told of it: as this server shuts down, or in place of every connection, for now or for good."
        )
        Key(
            "max-hops", \.maxHops, .integer(0...16), example: 0,
            help: "Boxes that a message may go through, this one included, where brokers are bridged in a ring: each message is marked with the names of the boxes that it has seen, and none takes it twice. 0 for no marks. When not set: 16, for what a bridge with MQTT 5.0 sends and also receives. Needs a name of its own in [appliance]."
        )
        Key(
            "sys-interval", \.sysInterval, .duration(.zero...(.hours(1))),
            help: "How often the $SYS topics are brought up to date; 0s for none."
        )
    } check: { broker, findings in
        broker.check(&findings)
    }

    private func check(_ findings: inout Findings) {
        for (key, bytes) in [
            ("max-queued-bytes", maxQueuedBytes), ("max-outbox-bytes", maxOutboxBytes), ("max-waiting-bytes", maxWaitingBytes),
        ]
        where source.isSound("max-packet-size", key) && bytes < maxPacketSize {
            findings.report(source[key], "\(key) must hold at least one packet of max-packet-size")
        }
        for (key, time) in [("max-session-expiry", maxSessionExpiry), ("max-keep-alive", maxKeepAlive ?? .zero)]
        where source.isSound(key) && time.components.attoseconds != 0 {
            findings.report(source[key], "\(key) must be whole seconds")
        }
        if source.isSound("redirect", "server-reference"), redirect != .atShutdown, serverReference == nil {
            findings.report(source["redirect"], "redirect needs a server-reference to send clients to")
        }
    }
}
