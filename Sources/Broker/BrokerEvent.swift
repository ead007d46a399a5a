public import MQTTCodec

/// Something that happened to a network client. Parts of this program that are clients too give no events.
public enum BrokerEvent: Sendable {
    public enum Kind: Sendable {
        case connected, refused, disconnected, subscribed, unsubscribed, dropped, banned
    }

    /// CONNACK was given with Success.
    case connected(ClientDescription, ConnectionDescription)
    /// CONNECT was refused. `client` is what it said of itself.
    case refused(ClientDescription, reason: ReasonCode)
    case disconnected(ClientDescription, DisconnectCause)
    case subscribed(ClientDescription, filter: String, options: SubscriptionOptions)
    case unsubscribed(ClientDescription, filter: String)
    /// At most one per session and reason in a second: `count` messages, `topic` that of the first of them.
    ///
    /// `clientIdentifier` is nil when no client's session is to blame, as when the retained messages are full.
    case dropped(clientIdentifier: String?, reason: DropReason, topic: String, count: UInt64)
    /// Nobody who is `subject` may connect for some time.
    case banned(BanSubject, seconds: Int64, reason: String)
}

/// Who a client is, as far as the broker knows.
public struct ClientDescription: Sendable, Equatable {
    public var clientIdentifier: String
    /// nil if it gave none.
    public var userName: String?
    /// `192.0.2.7:49152`; nil if it has none, as on a Unix socket.
    public var address: String?

    public init(clientIdentifier: String, userName: String?, address: String?) {
        self.clientIdentifier = clientIdentifier
        self.userName = userName
        self.address = address
    }
}

/// What a client asked for at CONNECT, and got.
public struct ConnectionDescription: Sendable, Equatable {
    public var version: ProtocolVersion
    public var cleanStart: Bool
    public var sessionPresent: Bool
    /// Seconds, as it is watched; 0 for none.
    public var keepAlive: UInt16
    /// Seconds.
    public var sessionExpiryInterval: UInt32
}

/// Why a connection ended.
public enum DisconnectCause: Sendable, Equatable {
    /// The client sent DISCONNECT, with this reason.
    case byClient(ReasonCode)
    /// The connection ended without a DISCONNECT from either side.
    case connectionLost
    /// The broker ended it; an MQTT 5.0 client was told the reason.
    case byBroker(ReasonCode)
}

/// Who is banned.
public enum BanSubject: Sendable, Equatable {
    case clientIdentifier(String)
    case userName(String)
    case address(String)
}

/// Why a message did not reach somebody that it was for.
public enum DropReason: Int, Sendable, CaseIterable {
    /// The session's queue holds as many messages or bytes as it may (QoS 1 and 2).
    case queueFull
    /// As much as may wait to be written to the connection does (QoS 0).
    case outboxFull
    /// Larger than the receiver's Maximum Packet Size.
    case tooLarge
    /// Its Message Expiry Interval had passed.
    case expired
    /// The publisher may not publish it, or the receiver may not receive it.
    case notAuthorized
    /// The disk does not take what would have to be stored.
    case storage
    /// All sessions together hold as much as they may.
    case memoryFull
    /// Its topic has too many levels.
    case topicTooDeep
    /// Its payload is not the UTF-8 that it is said to be.
    case payloadFormat
    /// A rule whose result made another rule publish, too many times.
    case ruleChain
    /// It has been here before, on its way between bridged boxes.
    case returned
    /// Not retained: the retained messages are full. It was delivered, or refused if the publisher could be told.
    case retainedFull

    /// As in events and metrics: `queue-full`.
    public var name: String {
        switch self {
        case .queueFull: "queue-full"
        case .outboxFull: "outbox-full"
        case .tooLarge: "too-large"
        case .expired: "expired"
        case .notAuthorized: "not-authorized"
        case .storage: "storage"
        case .memoryFull: "memory-full"
        case .topicTooDeep: "topic-too-deep"
        case .payloadFormat: "payload-format"
        case .ruleChain: "rule-chain"
        case .returned: "returned"
        case .retainedFull: "retained-full"
        }
    }
}
