/// Where a property may stand, a bit for each packet type and bit 0 for the will of CONNECT.
struct PropertyContext: OptionSet {
    let rawValue: UInt16

    static let will = PropertyContext(rawValue: 1)
    static let connect = PropertyContext(.connect)
    static let connack = PropertyContext(.connack)
    static let publish = PropertyContext(.publish)
    static let subscribe = PropertyContext(.subscribe)
    static let unsubscribe = PropertyContext(.unsubscribe)
    static let disconnect = PropertyContext(.disconnect)
    static let auth = PropertyContext(.auth)
    /// A message: PUBLISH and the will.
    static let message: PropertyContext = [.publish, .will]

    init(rawValue: UInt16) { self.rawValue = rawValue }
    init(_ type: PacketType) { rawValue = 1 << UInt16(type.rawValue) }
}

/// The properties of MQTT 5.0 §2.2.2.2, table 2-4. On the wire the identifier is a Variable Byte Integer; all of them
/// fit its first byte.
enum PropertyIdentifier: UInt8, CaseIterable {
    case payloadFormatIndicator = 0x01
    case messageExpiryInterval = 0x02
    case contentType = 0x03
    case responseTopic = 0x08
    case correlationData = 0x09
    case subscriptionIdentifier = 0x0B
    case sessionExpiryInterval = 0x11
    case assignedClientIdentifier = 0x12
    case serverKeepAlive = 0x13
    case authenticationMethod = 0x15
    case authenticationData = 0x16
    case requestProblemInformation = 0x17
    case willDelayInterval = 0x18
    case requestResponseInformation = 0x19
    case responseInformation = 0x1A
    case serverReference = 0x1C
    case reasonString = 0x1F
    case receiveMaximum = 0x21
    case topicAliasMaximum = 0x22
    case topicAlias = 0x23
    case maximumQoS = 0x24
    case retainAvailable = 0x25
    case userProperty = 0x26
    case maximumPacketSize = 0x27
    case wildcardSubscriptionAvailable = 0x28
    case subscriptionIdentifierAvailable = 0x29
    case sharedSubscriptionAvailable = 0x2A

    /// The packets that may carry it.
    var packets: PropertyContext {
        switch self {
        case .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData: .message
        case .subscriptionIdentifier: [.publish, .subscribe]
        case .sessionExpiryInterval: [.connect, .connack, .disconnect]
        case .authenticationMethod, .authenticationData: [.connect, .connack, .auth]
        case .requestProblemInformation, .requestResponseInformation: .connect
        case .willDelayInterval: .will
        case .assignedClientIdentifier, .serverKeepAlive, .responseInformation: .connack
        case .serverReference: [.connack, .disconnect]
        case .reasonString: PropertyContext(rawValue: 0b1100_1010_1111_0100)
        case .receiveMaximum, .topicAliasMaximum, .maximumPacketSize: [.connect, .connack]
        case .topicAlias: .publish
        case .maximumQoS, .retainAvailable: .connack
        case .userProperty: PropertyContext(rawValue: 0b1100_1111_1111_1111)
        case .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable, .sharedSubscriptionAvailable: .connack
        }
    }
}

/// Goes through the properties of one packet: ``next()`` gives an identifier, then the caller reads its value from
/// ``reader``.
struct PropertyReader {
    var reader: BodyReader
    let packet: PropertyContext
    /// A bit for each identifier met.
    private var seen: UInt64 = 0

    init(reader: BodyReader, packet: PropertyContext) {
        self.reader = reader
        self.packet = packet
    }

    /// The identifier of the next property, nil at the end.
    mutating func next() throws(DecodeError) -> PropertyIdentifier? {
        guard !reader.isAtEnd else { return nil }
        let byte = reader.bytes[reader.offset]
        // §2.2.2.2: an identifier that is not known, or not valid for the packet, makes it malformed.
        guard let identifier = PropertyIdentifier(rawValue: byte), identifier.packets.contains(packet) else {
            throw .malformed("the packet cannot have this property", at: reader.offset)
        }
        // Only these two may stand there more than once, the second in PUBLISH only (§3.3.2.3.8).
        if identifier != .userProperty, !(identifier == .subscriptionIdentifier && packet == .publish) {
            guard seen & (1 << UInt64(byte)) == 0 else {
                throw .protocolError("the packet has a property twice", at: reader.offset)
            }
        }
        seen |= 1 << UInt64(byte)
        reader.offset += 1
        return identifier
    }

    /// Reads, checks and drops the user properties and the reason string of a packet that has no place for them.
    mutating func skipAll() throws(DecodeError) {
        while let identifier = try next() {
            if identifier == .userProperty { _ = try reader.readText("name of a user property") }
            _ = try reader.readText("property")
        }
    }
}
