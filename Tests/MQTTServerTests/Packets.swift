import Core
import MQTTCodec
import NIOCore

/// Packets as a client sends them, and as it reads them.
enum Packets {
    static let pingreq: [UInt8] = [0xC0, 0]
    static let disconnect: [UInt8] = [0xE0, 0]

    static func connect(
        _ identifier: String, version: ProtocolVersion = .v5, expiry: UInt32? = nil, keepAlive: UInt16 = 0,
        will: Will? = nil, maximumPacketSize: UInt32? = nil, clean: Bool = true, user: String? = nil, password: String? = nil,
        method: String? = nil, data: String? = nil
    ) throws -> [UInt8] {
        var packet = ConnectPacket(
            version: version, clientIdentifier: identifier, cleanStart: clean, keepAlive: keepAlive, will: will)
        packet.properties.sessionExpiryInterval = expiry
        packet.properties.maximumPacketSize = maximumPacketSize
        packet.userName = user
        packet.password = password.map { Array($0.utf8) }
        packet.properties.authenticationMethod = method
        packet.properties.authenticationData = data.map { Array($0.utf8) }
        var buffer = ByteBuffer()
        try packet.write(into: &buffer)
        return Array(buffer.readableBytesView)
    }

    static func auth(_ reason: ReasonCode, method: String?, data: String? = nil) throws -> [UInt8] {
        var packet = AuthPacket(reasonCode: reason)
        packet.properties.authenticationMethod = method
        packet.properties.authenticationData = data.map { Array($0.utf8) }
        var buffer = ByteBuffer()
        try packet.write(version: .v5, into: &buffer)
        return Array(buffer.readableBytesView)
    }

    static func subscribe(
        _ filter: String, qos: QoS = .atMostOnce, identifier: UInt32? = nil, version: ProtocolVersion
    ) throws -> [UInt8] {
        var buffer = ByteBuffer()
        try SubscribePacket(
            packetIdentifier: 1,
            requests: [SubscribePacket.Request(filter: filter, options: SubscriptionOptions(qos: qos))],
            subscriptionIdentifier: identifier
        ).write(version: version, into: &buffer)
        return Array(buffer.readableBytesView)
    }

    static func unsubscribe(_ filter: String, version: ProtocolVersion) throws -> [UInt8] {
        var buffer = ByteBuffer()
        try UnsubscribePacket(packetIdentifier: 2, filters: [filter]).write(version: version, into: &buffer)
        return Array(buffer.readableBytesView)
    }

    static func acknowledge(_ type: PacketType, _ packetIdentifier: UInt16, version: ProtocolVersion) -> [UInt8] {
        var buffer = ByteBuffer()
        AcknowledgementPacket(packetIdentifier: packetIdentifier).write(type: type, version: version, into: &buffer)
        return Array(buffer.readableBytesView)
    }

    static func disconnect(expiry: UInt32) throws -> [UInt8] {
        var packet = DisconnectPacket()
        packet.properties.sessionExpiryInterval = expiry
        var buffer = ByteBuffer()
        try packet.write(version: .v5, into: &buffer)
        return Array(buffer.readableBytesView)
    }

    /// - Parameter properties: encoded, without their length; fewer than 128 bytes.
    static func publish(
        _ topic: String, _ payload: String, qos: QoS = .atMostOnce, packetIdentifier: UInt16 = 1,
        properties: [UInt8] = [], version: ProtocolVersion
    ) -> [UInt8] {
        var body = field(topic)
        if qos != .atMostOnce { body += [UInt8(packetIdentifier >> 8), UInt8(packetIdentifier & 0xFF)] }
        if version == .v5 { body += [UInt8(properties.count)] + properties }
        return packet(0x30 | qos.rawValue << 1, body + Array(payload.utf8))
    }

    static func field(_ text: String) -> [UInt8] {
        [UInt8(text.utf8.count >> 8), UInt8(text.utf8.count & 0xFF)] + Array(text.utf8)
    }

    /// A packet from its first byte and its body.
    static func packet(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
        var length = body.count
        var header = [first]
        while length >= 0x80 {
            header.append(UInt8(length & 0x7F) | 0x80)
            length >>= 7
        }
        return header + [UInt8(length)] + body
    }

    /// `CONNACK 0 0`: session present and reason code; `SUBACK 1 2`: packet identifier and reason codes; …
    static func text(of packet: ReceivedPacket, version: ProtocolVersion) throws -> String {
        try packet.body.withUnsafeBytes { body in
            switch packet.type {
            case .connack:
                let read = try ConnackPacket.read(body: body, version: version)
                let data = read.properties.authenticationData.map { " " + String(decoding: $0, as: UTF8.self) } ?? ""
                return "CONNACK \(body[0]) \(body[1])" + (read.properties.authenticationMethod.map { " \($0)" } ?? "") + data
            case .auth:
                let read = try AuthPacket.read(body: body)
                let data = read.properties.authenticationData.map { " " + String(decoding: $0, as: UTF8.self) } ?? ""
                return "AUTH \(read.reasonCode.rawValue) \(read.properties.authenticationMethod ?? "")" + data
            case .publish:
                let view = try PublishView.read(body: body, flags: packet.flags, version: version)
                let topic = String(decoding: body[view.topic], as: UTF8.self)
                let number = view.qos == .atMostOnce ? "" : " \(view.packetIdentifier)"
                return "PUBLISH\(number) \(topic) \(String(decoding: body[view.payload], as: UTF8.self))"
            case .puback, .pubrec, .pubrel, .pubcomp:
                let read = try AcknowledgementPacket.read(body: body, type: packet.type, version: version)
                return "\(packet.type)".uppercased() + " \(read.packetIdentifier) \(read.reasonCode.rawValue)"
            case .suback, .unsuback:
                let codes = body.dropFirst(version == .v5 ? 3 + Int(body[2]) : 2).map(String.init).joined(separator: " ")
                return "\(packet.type) ".uppercased() + "\(body[1]) \(codes)"
            case .pingresp:
                return "PINGRESP"
            case .disconnect:
                return "DISCONNECT \(try DisconnectPacket.read(body: body, version: version).reasonCode.rawValue)"
            default:
                return "\(packet.type)"
            }
        }
    }
}
