import Core
import MQTTCodec
import TestSupport

/// Packets made from a seed.
struct Generator: RandomNumberGenerator {
    private var random: SeededRandom
    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func next() -> UInt64 { random.next() }

    mutating func below(_ bound: Int) -> Int { random.below(bound) }
    mutating func bool() -> Bool { Bool.random(using: &self) }
    mutating func perhaps<T>(_ make: (inout Generator) -> T) -> T? { bool() ? make(&self) : nil }
    mutating func identifier() -> UInt16 { UInt16.random(in: 1...UInt16.max, using: &self) }
    mutating func number() -> UInt32 { UInt32.random(in: 1...UInt32.max, using: &self) }
    mutating func qos() -> QoS { QoS.allCases.randomElement(using: &self)! }
    mutating func code(_ codes: [ReasonCode]) -> ReasonCode { codes.randomElement(using: &self)! }

    mutating func text(atLeast least: Int = 0) -> String {
        let alphabet: [Character] = ["a", "Z", "9", "/", "$", " ", "é", "測", "🜨", "\u{1}", "\u{10FFFF}"]
        let count = least + below(bool() ? 4 : 24)
        return String((0..<count).map { _ in alphabet.randomElement(using: &self)! })
    }

    mutating func bytes() -> [UInt8] { (0..<below(bool() ? 3 : 200)).map { _ in UInt8(truncatingIfNeeded: next()) } }

    mutating func forwardedProperties() -> [UInt8] {
        func field(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes }
        var run: [UInt8] = []
        if bool() { run += [0x01, 1] }
        if bool() { run += [0x03] + field(Array(text().utf8)) }
        if bool() { run += [0x26] + field(Array(text().utf8)) + field(Array(text().utf8)) }
        if bool() { run += [0x08] + field(Array(text().utf8)) }
        if bool() { run += [0x09] + field(bytes()) }
        if bool() { run += [0x26] + field(Array(text().utf8)) + field(Array(text().utf8)) }
        return run
    }

    mutating func publish(_ version: ProtocolVersion) -> Publish {
        var packet = Publish(topic: Array(text(atLeast: 1).utf8), payload: bytes())
        packet.qos = qos()
        packet.retain = bool()
        if packet.qos != .atMostOnce {
            packet.packetIdentifier = identifier()
            packet.dup = bool()
        }
        guard version == .v5 else { return packet }
        packet.forwardedProperties = forwardedProperties()
        packet.messageExpiryInterval = perhaps { $0.number() }
        if bool() {
            packet.topicAlias = identifier()
            if bool() { packet.topic = [] }
        } else {
            packet.subscriptionIdentifiers = (0..<below(4)).map { _ in UInt32(1 + below(268_435_455)) }
        }
        return packet
    }

    mutating func connect(_ version: ProtocolVersion) -> ConnectPacket {
        var packet = ConnectPacket(
            version: version, clientIdentifier: text(atLeast: 1), cleanStart: bool(), keepAlive: UInt16(below(65_536)))
        packet.userName = perhaps { $0.text() }
        if version == .v5 || packet.userName != nil { packet.password = perhaps { $0.bytes() } }
        if bool() {
            var will = Will(topic: text(atLeast: 1), payload: bytes(), qos: qos(), retain: bool())
            if version == .v5 {
                will.delayInterval = UInt32(below(3))
                will.messageExpiryInterval = perhaps { $0.number() }
                will.forwardedProperties = forwardedProperties()
            }
            packet.will = will
        }
        guard version == .v5 else { return packet }
        packet.properties.sessionExpiryInterval = perhaps { $0.number() }
        packet.properties.receiveMaximum = perhaps { $0.identifier() }
        packet.properties.maximumPacketSize = perhaps { $0.number() }
        packet.properties.topicAliasMaximum = perhaps { $0.identifier() }
        packet.properties.requestProblemInformation = perhaps { $0.bool() }
        packet.properties.requestResponseInformation = perhaps { $0.bool() }
        packet.properties.userProperties = userProperties()
        addAuthentication(to: &packet.properties)
        return packet
    }

    mutating func userProperties() -> [Properties.UserProperty] {
        (0..<below(3)).map { _ in Properties.UserProperty(name: text(), value: text()) }
    }

    mutating func addAuthentication(to properties: inout Properties) {
        properties.authenticationMethod = perhaps { $0.text() }
        if properties.authenticationMethod != nil { properties.authenticationData = perhaps { $0.bytes() } }
    }

    mutating func connack(_ version: ProtocolVersion) -> ConnackPacket {
        guard version == .v5 else {
            let code = ReasonCode(returnCode: UInt8(below(6)))!
            return ConnackPacket(sessionPresent: version == .v311 && code == .success && bool(), reasonCode: code)
        }
        let code = code([.success, .notAuthorized, .banned, .connectionRateExceeded, .quotaExceeded])
        var properties = Properties()
        properties.sessionExpiryInterval = perhaps { $0.number() }
        properties.receiveMaximum = perhaps { $0.identifier() }
        properties.maximumQoS = perhaps { UInt8($0.below(2)) }
        properties.retainAvailable = perhaps { $0.bool() }
        properties.maximumPacketSize = perhaps { $0.number() }
        properties.assignedClientIdentifier = perhaps { $0.text() }
        properties.topicAliasMaximum = perhaps { $0.identifier() }
        properties.reasonString = perhaps { $0.text() }
        properties.userProperties = userProperties()
        properties.wildcardSubscriptionAvailable = perhaps { $0.bool() }
        properties.subscriptionIdentifierAvailable = perhaps { $0.bool() }
        properties.sharedSubscriptionAvailable = perhaps { $0.bool() }
        properties.serverKeepAlive = perhaps { $0.identifier() }
        properties.responseInformation = perhaps { $0.text() }
        properties.serverReference = perhaps { $0.text() }
        addAuthentication(to: &properties)
        return ConnackPacket(
            sessionPresent: code == .success && bool(), reasonCode: code, properties: properties)
    }

    mutating func subscribe(_ version: ProtocolVersion) -> SubscribePacket {
        var packet = SubscribePacket(packetIdentifier: identifier(), requests: [])
        for _ in 0...below(4) {
            var options = SubscriptionOptions(qos: qos())
            if version == .v5 {
                options.noLocal = bool()
                options.retainAsPublished = bool()
                options.retainHandling = .init(rawValue: UInt8(below(3)))!
            }
            packet.requests.append(.init(filter: text() + (bool() ? "/#" : "+"), options: options))
        }
        if version == .v5 { packet.subscriptionIdentifier = perhaps { UInt32(1 + $0.below(268_435_455)) } }
        return packet
    }

    mutating func suback(_ codes: [ReasonCode]) -> SubackPacket {
        SubackPacket(packetIdentifier: identifier(), reasonCodes: (0...below(5)).map { _ in code(codes) })
    }

    mutating func disconnect() -> DisconnectPacket {
        var packet = DisconnectPacket(reasonCode: code([.success, .disconnectWithWill, .sessionTakenOver, .serverMoved]))
        packet.properties.sessionExpiryInterval = perhaps { $0.number() }
        packet.properties.reasonString = perhaps { $0.text() }
        packet.properties.serverReference = perhaps { $0.text() }
        packet.properties.userProperties = userProperties()
        return packet
    }

    /// A packet of every type that the version has.
    mutating func packets(_ version: ProtocolVersion) -> [AnyPacket] {
        let isV5 = version == .v5
        var packets: [AnyPacket] = [
            .connect(connect(version)), .connack(connack(version)), .publish(publish(version)),
            .subscribe(subscribe(version)), .pingreq, .pingresp,
            .suback(suback(isV5 ? [.success, .grantedQoS2, .quotaExceeded] : [.grantedQoS1, .unspecifiedError])),
            .unsubscribe(UnsubscribePacket(packetIdentifier: identifier(), filters: (0...below(3)).map { _ in text() })),
            .disconnect(isV5 ? disconnect() : DisconnectPacket()),
        ]
        let unsuback = suback([.success, .noSubscriptionExisted, .notAuthorized])
        packets.append(.unsuback(isV5 ? unsuback : SubackPacket(packetIdentifier: identifier(), reasonCodes: [])))
        for (type, codes) in acknowledgements {
            let code = isV5 ? code(codes) : .success
            packets.append(.acknowledgement(type, .init(packetIdentifier: identifier(), reasonCode: code)))
        }
        if isV5 {
            var properties = Properties()
            properties.authenticationMethod = text()
            properties.authenticationData = perhaps { $0.bytes() }
            properties.reasonString = perhaps { $0.text() }
            let code = code([.success, .continueAuthentication, .reAuthenticate])
            packets.append(.auth(AuthPacket(reasonCode: code, properties: properties)))
        }
        return packets
    }

    private var acknowledgements: [(PacketType, [ReasonCode])] {
        [
            (.puback, [.success, .noMatchingSubscribers, .quotaExceeded]),
            (.pubrec, [.success, .noMatchingSubscribers, .notAuthorized]),
            (.pubrel, [.success, .packetIdentifierNotFound]), (.pubcomp, [.success, .packetIdentifierNotFound]),
        ]
    }
}

let versions: [ProtocolVersion] = [.v31, .v311, .v5]
