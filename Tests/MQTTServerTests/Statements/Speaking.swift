import Broker
import Core
import MQTTCodec
import NIOCore

@testable import MQTTServer

// What the tests of the standard's statements say to a server, in few words.

extension ConnectPacket {
    /// A CONNECT of MQTT 5.0, or of another version, whose expiry interval stands for its session's life there too.
    static func of(
        _ identifier: String, version: ProtocolVersion = .v5, clean: Bool = true, expiry: UInt32? = nil,
        keepAlive: UInt16 = 0, will: Will? = nil, _ change: (inout Properties) -> Void = { _ in }
    ) -> ConnectPacket {
        var packet = ConnectPacket(
            version: version, clientIdentifier: identifier, cleanStart: clean, keepAlive: keepAlive, will: will)
        packet.properties.sessionExpiryInterval = expiry
        change(&packet.properties)
        return packet
    }
}

extension ServerHarness {
    /// A client that has connected; its CONNACK is forgotten.
    func client(_ packet: ConnectPacket) throws -> Peer {
        let peer = try open()
        let answer = try peer.answer(to: packet)
        precondition(answer?.reasonCode == .success, "\(String(describing: answer))")
        return peer
    }
}

extension Peer {
    /// The messages that came since the last call.
    func messages() throws -> [DeliveredPublish] {
        try takePackets().compactMap { DeliveredPublish($0, version: version) }
    }

    /// The payloads of the messages that came since the last call.
    func payloads() throws -> [String] { try messages().map(\.payload) }

    /// Sends SUBSCRIBE and gives the reason codes.
    func subscribe(
        to filters: [String], _ options: SubscriptionOptions = SubscriptionOptions(qos: .exactlyOnce),
        packetIdentifier: UInt16 = 1, identifier: UInt32? = nil
    ) throws {
        var buffer = ByteBuffer()
        try SubscribePacket(
            packetIdentifier: packetIdentifier, requests: filters.map { .init(filter: $0, options: options) },
            subscriptionIdentifier: identifier
        ).write(version: version, into: &buffer)
        try send(Array(buffer.readableBytesView))
    }

    func unsubscribe(from filters: [String], packetIdentifier: UInt16 = 2) throws {
        var buffer = ByteBuffer()
        try UnsubscribePacket(packetIdentifier: packetIdentifier, filters: filters).write(version: version, into: &buffer)
        try send(Array(buffer.readableBytesView))
    }

    /// PUBLISH with flags of its own.
    func publish(_ topic: String, _ payload: String, flags: UInt8, packetIdentifier: UInt16 = 1, properties: [UInt8] = []) throws {
        var bytes = Packets.publish(
            topic, payload, qos: QoS(rawValue: flags >> 1 & 3) ?? .atMostOnce, packetIdentifier: packetIdentifier,
            properties: properties, version: version)
        bytes[0] = 0x30 | flags
        try send(bytes)
    }

    func acknowledge(_ type: PacketType, _ packetIdentifier: UInt16) throws {
        try send(Packets.acknowledge(type, packetIdentifier, version: version))
    }

    /// PUBACK or PUBREC that refuses.
    func refuse(_ type: PacketType, _ packetIdentifier: UInt16) throws {
        try send([type.rawValue << 4, 3, UInt8(packetIdentifier >> 8), UInt8(packetIdentifier & 0xFF), 0x83])
    }
}
