public import Core

// The packets of MQTT 3.1, 3.1.1 and 5.0 that are decoded into values. PUBLISH is not among them: it is read in place
// through `PublishView`, because it is the one that comes in millions.

/// The control packet types (MQTT 5.0 §2.1.2).
@frozen
public enum PacketType: UInt8, Sendable {
    case connect = 1
    case connack, publish, puback, pubrec, pubrel, pubcomp
    case subscribe, suback, unsubscribe, unsuback
    case pingreq, pingresp, disconnect, auth
}

/// A will message as it stands in CONNECT.
public struct Will: Sendable, Equatable {
    public var topic: String
    public var payload: [UInt8]
    public var qos: QoS
    public var retain: Bool
    /// Encoded properties to forward with the message, without their length; MQTT 5.0 only.
    public var forwardedProperties: [UInt8]
    /// Seconds; 0 if absent.
    public var delayInterval: UInt32
    /// Seconds; nil for no expiry.
    public var messageExpiryInterval: UInt32?

    public init(
        topic: String, payload: [UInt8], qos: QoS = .atMostOnce, retain: Bool = false,
        forwardedProperties: [UInt8] = [], delayInterval: UInt32 = 0, messageExpiryInterval: UInt32? = nil
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.forwardedProperties = forwardedProperties
        self.delayInterval = delayInterval
        self.messageExpiryInterval = messageExpiryInterval
    }
}

/// CONNECT (MQTT 5.0 §3.1).
public struct ConnectPacket: Sendable, Equatable {
    public var version: ProtocolVersion
    /// The client is a bridge, and wants nothing back of what it sends: the highest bit of the protocol level, before MQTT
    /// 5.0. It is in no standard; mosquitto and others know it.
    public var isBridge = false
    /// May be empty: the server assigns one.
    public var clientIdentifier: String
    /// Clean Start of MQTT 5.0, Clean Session before.
    public var cleanStart: Bool
    /// Seconds; 0 turns keep-alive off.
    public var keepAlive: UInt16
    public var will: Will?
    public var userName: String?
    public var password: [UInt8]?
    /// Properties of MQTT 5.0; empty before.
    public var properties: Properties

    public init(
        version: ProtocolVersion, clientIdentifier: String, cleanStart: Bool, keepAlive: UInt16, will: Will? = nil,
        userName: String? = nil, password: [UInt8]? = nil, properties: Properties = Properties()
    ) {
        self.version = version
        self.clientIdentifier = clientIdentifier
        self.cleanStart = cleanStart
        self.keepAlive = keepAlive
        self.will = will
        self.userName = userName
        self.password = password
        self.properties = properties
    }
}

/// CONNACK (MQTT 5.0 §3.2). For MQTT 3 the codec translates the reason code to and from the return codes 0…5.
public struct ConnackPacket: Sendable, Equatable {
    public var sessionPresent: Bool
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(sessionPresent: Bool, reasonCode: ReasonCode, properties: Properties = Properties()) {
        self.sessionPresent = sessionPresent
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP (MQTT 5.0 §3.4–3.7).
public struct AcknowledgementPacket: Sendable, Equatable {
    public var packetIdentifier: UInt16
    public var reasonCode: ReasonCode
    /// Why, of one that is written with Quota exceeded.
    public var quotaCause: QuotaCause?

    public init(packetIdentifier: UInt16, reasonCode: ReasonCode = .success, quotaCause: QuotaCause? = nil) {
        self.packetIdentifier = packetIdentifier
        self.reasonCode = reasonCode
        self.quotaCause = quotaCause
    }
}

/// What a subscription asks for beside its filter (MQTT 5.0 §3.8.3.1).
public struct SubscriptionOptions: Sendable, Hashable {
    public enum RetainHandling: UInt8, Sendable {
        case sendAtSubscribe = 0
        case sendIfNew = 1
        case doNotSend = 2
    }

    public var qos: QoS
    public var noLocal: Bool
    public var retainAsPublished: Bool
    public var retainHandling: RetainHandling

    public init(
        qos: QoS, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .sendAtSubscribe
    ) {
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.retainHandling = retainHandling
    }
}

/// SUBSCRIBE (MQTT 5.0 §3.8). The filters are well-formed UTF-8; whether they are valid filters the broker answers each.
public struct SubscribePacket: Sendable, Equatable {
    public struct Request: Sendable, Equatable {
        public var filter: String
        public var options: SubscriptionOptions
        /// Whether a server has put levels before a filter that begins with a wildcard. Not on the wire.
        public var isWildcardBelowPrefix: Bool

        public init(filter: String, options: SubscriptionOptions, isWildcardBelowPrefix: Bool = false) {
            self.filter = filter
            self.options = options
            self.isWildcardBelowPrefix = isWildcardBelowPrefix
        }
    }

    public var packetIdentifier: UInt16
    public var requests: [Request]
    /// 1…268,435,455; nil if absent.
    public var subscriptionIdentifier: UInt32?

    public init(packetIdentifier: UInt16, requests: [Request], subscriptionIdentifier: UInt32? = nil) {
        self.packetIdentifier = packetIdentifier
        self.requests = requests
        self.subscriptionIdentifier = subscriptionIdentifier
    }
}

/// SUBACK (MQTT 5.0 §3.9) or, for MQTT 5.0, UNSUBACK (§3.11): a reason code for each request.
public struct SubackPacket: Sendable, Equatable {
    public var packetIdentifier: UInt16
    /// Why, of one that is written with Quota exceeded among its reason codes.
    public var quotaCauses: QuotaCauses
    public var reasonCodes: [ReasonCode]

    public init(packetIdentifier: UInt16, reasonCodes: [ReasonCode], quotaCauses: QuotaCauses = []) {
        self.packetIdentifier = packetIdentifier
        self.reasonCodes = reasonCodes
        self.quotaCauses = quotaCauses
    }
}

/// UNSUBSCRIBE (MQTT 5.0 §3.10).
public struct UnsubscribePacket: Sendable, Equatable {
    public var packetIdentifier: UInt16
    public var filters: [String]

    public init(packetIdentifier: UInt16, filters: [String]) {
        self.packetIdentifier = packetIdentifier
        self.filters = filters
    }
}

/// DISCONNECT (MQTT 5.0 §3.14). Before MQTT 5.0 it has no content.
public struct DisconnectPacket: Sendable, Equatable {
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(reasonCode: ReasonCode = .success, properties: Properties = Properties()) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

/// AUTH (MQTT 5.0 §3.15).
public struct AuthPacket: Sendable, Equatable {
    public var reasonCode: ReasonCode
    public var properties: Properties

    public init(reasonCode: ReasonCode, properties: Properties = Properties()) {
        self.reasonCode = reasonCode
        self.properties = properties
    }
}
