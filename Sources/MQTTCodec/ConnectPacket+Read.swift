import Core

extension ConnectPacket {
    /// The protocol version that a CONNECT names, nil if it is none of the known ones. Tells which CONNACK a client
    /// understands whose CONNECT failed to decode.
    public static func version(of body: UnsafeRawBufferPointer) -> ProtocolVersion? {
        var reader = BodyReader(body)
        return try? readVersion(&reader).version
    }

    /// As ``version(of:)`` from the first bytes of a packet whose fixed header is not right, nil if it is no CONNECT.
    public static func version(ofPacket bytes: UnsafeRawBufferPointer) -> ProtocolVersion? {
        guard bytes.count > 1, bytes[0] >> 4 == PacketType.connect.rawValue else { return nil }
        var bodyOffset = 1
        while bodyOffset < min(4, bytes.count), bytes[bodyOffset] >= 0x80 { bodyOffset += 1 }
        return version(of: UnsafeRawBufferPointer(rebasing: bytes[min(bodyOffset + 1, bytes.count)...]))
    }

    /// Decodes the body of a CONNECT (MQTT 5.0 §3.1).
    ///
    /// Beside malformed packets and protocol errors it fails with ``ReasonCode/unsupportedProtocolVersion`` and
    /// ``ReasonCode/clientIdentifierNotValid``.
    public static func read(body: UnsafeRawBufferPointer) throws(DecodeError) -> ConnectPacket {
        // [MQTT-3.1.4-1], [MQTT-3.1.3-1] what is not of this form and in this order is refused. [MQTT-3.1.2-9],
        // [MQTT-3.1.2-16], [MQTT-3.1.2-17], [MQTT-3.1.2-18], [MQTT-3.1.2-19] a field is there if its flag is set, and only then.
        var reader = BodyReader(body)
        let (version, isBridge) = try readVersion(&reader)
        let flags = ConnectFlags(rawValue: try reader.readUInt8("connect flags"))
        try flags.check(version: version, at: reader.offset - 1)
        let keepAlive = try reader.readUInt16("keep alive")
        let properties = version == .v5 ? try Properties.read(from: &reader, of: .connect) : Properties()

        // [MQTT-3.1.3-3], [MQTT-3.1.3-4], [MQTT-3.1.3-5] any text is an identifier; whose it is the broker says.
        let clientIdentifier = try reader.readString("client identifier")
        // [MQTT-3.1.3-8 v3.1.1] an empty identifier needs a clean session. MQTT 3.1 does not know it at all; its
        // limit of 23 characters is not held against clients, as no later version has it.
        if clientIdentifier.isEmpty, version == .v31 || (version == .v311 && !flags.contains(.cleanStart)) {
            throw DecodeError(
                reasonCode: .clientIdentifierNotValid, reason: "client identifier is empty", offset: reader.offset)
        }
        let will = flags.contains(.will) ? try Will.read(from: &reader, flags: flags, version: version) : nil
        var userName: String?
        // MQTT 3.1 §3.1: the remaining length has precedence over the flags for user name and password.
        if flags.contains(.userName), !(version == .v31 && reader.isAtEnd) {
            // [MQTT-3.1.3-12]
            userName = try reader.readString("user name")
        }
        var password: [UInt8]?
        if flags.contains(.password), !(version == .v31 && reader.isAtEnd) {
            password = try reader.readBytes("password")
        }
        try reader.expectEnd()
        var packet = ConnectPacket(
            version: version, clientIdentifier: clientIdentifier, cleanStart: flags.contains(.cleanStart),
            keepAlive: keepAlive, will: will, userName: userName, password: password, properties: properties)
        packet.isBridge = isBridge
        return packet
    }

    /// Of the protocol level.
    static let bridgeBit: UInt8 = 0x80

    private static func readVersion(
        _ reader: inout BodyReader
    ) throws(DecodeError) -> (version: ProtocolVersion, isBridge: Bool) {
        let name = try reader.readField("protocol name")
        let level = try reader.readUInt8("protocol version")
        // [MQTT-3.1.2-1], [MQTT-3.1.2-2] another name or version is answered with 0x84.
        let isMQTT = reader.bytes[name].elementsEqual("MQTT".utf8)
        let isMQIsdp = reader.bytes[name].elementsEqual("MQIsdp".utf8)
        let isBridge = level & bridgeBit != 0
        switch ProtocolVersion(rawValue: level & ~bridgeBit) {
        case .v31 where isMQIsdp: return (.v31, isBridge)
        case .v311 where isMQTT: return (.v311, isBridge)
        case .v5 where isMQTT && !isBridge: return (.v5, false)
        default:
            throw DecodeError(
                reasonCode: .unsupportedProtocolVersion, reason: "protocol name and version are not supported",
                offset: name.lowerBound)
        }
    }
}

/// The connect flags (MQTT 5.0 §3.1.2.3).
struct ConnectFlags: OptionSet {
    let rawValue: UInt8

    static let reserved = ConnectFlags(rawValue: 0x01)
    static let cleanStart = ConnectFlags(rawValue: 0x02)
    static let will = ConnectFlags(rawValue: 0x04)
    static let willQoS = ConnectFlags(rawValue: 0x18)
    static let willRetain = ConnectFlags(rawValue: 0x20)
    static let password = ConnectFlags(rawValue: 0x40)
    static let userName = ConnectFlags(rawValue: 0x80)

    /// nil for 3.
    var qos: QoS? { QoS(rawValue: (rawValue & 0x18) >> 3) }

    func check(version: ProtocolVersion, at offset: Int) throws(DecodeError) {
        // [MQTT-3.1.2-3] the reserved flag is 0; MQTT 3.1 does not use it.
        if contains(.reserved), version > .v31 { throw .malformed("reserved connect flag is set", at: offset) }
        // MQTT 3.1 §3.1: without a will its flags mean nothing.
        if contains(.will) || version > .v31 { try checkWill(at: offset) }
        // [MQTT-3.1.2-22 v3.1.1] no password without a user name; MQTT 5.0 allows it.
        if version < .v5, contains(.password), !contains(.userName) {
            throw .malformed("password without a user name", at: offset)
        }
    }

    private func checkWill(at offset: Int) throws(DecodeError) {
        // [MQTT-3.1.2-12] no will QoS 3.
        guard qos != nil else { throw .malformed("will QoS is 3", at: offset) }
        // [MQTT-3.1.2-11], [MQTT-3.1.2-13] no will QoS and will retain without a will.
        if !contains(.will), !isDisjoint(with: [.willQoS, .willRetain]) {
            throw .malformed("will QoS or will retain without a will", at: offset)
        }
    }
}

extension Will {
    fileprivate static func read(
        from reader: inout BodyReader, flags: ConnectFlags, version: ProtocolVersion
    ) throws(DecodeError) -> Will {
        var will = Will(topic: "", payload: [], qos: flags.qos ?? .atMostOnce, retain: flags.contains(.willRetain))
        if version == .v5 { try will.readProperties(from: &reader) }
        // [MQTT-3.1.3-11]
        let topic = try reader.readText("will topic")
        let bytes = UnsafeRawBufferPointer(rebasing: reader.bytes[topic])
        // [MQTT-4.7.3-1], [MQTT-4.7.0-1] as in PUBLISH it does not parse as a topic name; 0x90 is for one that does.
        guard TopicName.isValid(bytes) else {
            throw .malformed("will topic is empty or has a wildcard", at: topic.lowerBound)
        }
        will.topic = String(decoding: bytes, as: UTF8.self)
        will.payload = try reader.readBytes("will payload")
        return will
    }

    private mutating func readProperties(from reader: inout BodyReader) throws(DecodeError) {
        var list = try reader.readProperties(of: .will)
        while let identifier = try list.next() {
            let start = list.reader.offset - 1
            switch identifier {
            case .willDelayInterval: delayInterval = try list.reader.readUInt32("will delay interval")
            case .messageExpiryInterval:
                messageExpiryInterval = try list.reader.readUInt32("message expiry interval")
            default:
                // [MQTT-3.1.3-10] user properties keep their order.
                _ = try list.reader.skipForwardedValue(of: identifier)
                forwardedProperties.append(contentsOf: reader.bytes[start..<list.reader.offset])
            }
        }
    }

    /// Whether ``forwardedProperties`` say that the payload is UTF-8. It is not checked.
    public var payloadFormatIsUTF8: Bool {
        forwardedProperties.withUnsafeBytes { bytes in
            var list = PropertyReader(reader: BodyReader(bytes), packet: .will)
            while let identifier = try? list.next() {
                guard let isUTF8 = try? list.reader.skipForwardedValue(of: identifier) else { return false }
                if isUTF8 { return true }
            }
            return false
        }
    }
}
