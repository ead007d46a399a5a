import Broker
import Core
import MQTTCodec
import NIOCore
import NIOEmbedded
import Testing

@testable import MQTTServer

/// MQTT 5.0 §1.5, §2, §3.12 to §3.15 and §4.13: the form of packets, and what becomes of a connection that breaks it.
@Suite("Statements: packets and errors")
struct PacketStatementTests {
    private let server = ServerHarness()

    /// What a connected client is told that sends this; nil if it stays connected.
    private func reaction(to bytes: [UInt8], version: ProtocolVersion = .v5) throws -> [String]? {
        let peer = try server.client(.of("c", version: version))
        try peer.send(bytes)
        let answer = try peer.take()
        return peer.isOpen ? nil : answer
    }

    @Test("[MQTT-2.1.3-1] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1] [MQTT-3.15.1-1] flags that the standard does not list are malformed", arguments: [
        4, 5, 6, 7, 8, 10, 12, 14, 15,
    ] as [UInt8])
    func reservedFlags(type: UInt8) throws {
        let bodies: [UInt8: [UInt8]] = [
            4: [0, 1], 5: [0, 1], 6: [0, 1], 7: [0, 1], 8: [0, 1, 0, 0, 1, 0x61, 0], 10: [0, 1, 0, 0, 1, 0x61],
        ]
        let body = bodies[type] ?? []
        let right: UInt8 = [6, 8, 10].contains(type) ? 2 : 0
        for flags in (0 as UInt8)...15 where flags != right {
            #expect(try reaction(to: Packets.packet(type << 4 | flags, body)) == ["DISCONNECT 129"], "\(type) \(flags)")
        }
        // [MQTT-4.8.0-1 v3.1.1] without a DISCONNECT the connection just ends.
        #expect(try reaction(to: Packets.packet(type << 4 | (right ^ 1), type < 8 ? [0, 1] : []), version: .v311) == [])
    }

    @Test("[MQTT-1.5.5-1] a length in more bytes than it needs, or in five, is malformed", arguments: [
        [0xC0, 0x80, 0x00], [0x30, 0x86, 0x00, 0, 1, 0x61, 0, 0x78, 0x78], [0x30, 0x86, 0x80, 0x00, 0, 1, 0x61, 0, 0x78, 0x78],
        [0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], [0x30, 5, 0, 1, 0x61, 0x80, 0x00], [0x82, 9, 0, 1, 3, 0x0B, 0x81, 0x00, 0, 1, 0x61, 0],
    ] as [[UInt8]])
    func lengths(bytes: [UInt8]) throws {
        #expect(try reaction(to: bytes) == ["DISCONNECT 129"])
    }

    @Test("[MQTT-1.5.5-1] lengths are written in the fewest bytes", arguments: [(10, 1), (200, 2), (20_000, 3)] as [(Int, Int)])
    func writtenLengths(size: Int, count: Int) throws {
        let peer = try server.client(.of("c"))
        try peer.subscribe("a")
        try peer.publish("a", String(repeating: "x", count: size), flags: 0)
        var bytes: [UInt8] = []
        while var buffer = try peer.channel.readOutbound(as: ByteBuffer.self) {
            bytes += buffer.readBytes(length: buffer.readableBytes) ?? []
        }
        #expect(bytes.count == 1 + count + 4 + size)
    }

    @Test("[MQTT-3.12.4-1] PINGREQ is answered by PINGRESP", arguments: [ProtocolVersion.v31, .v311, .v5])
    func ping(version: ProtocolVersion) throws {
        let peer = try server.client(.of("c", version: version))
        try peer.send(Packets.pingreq)
        #expect(try peer.take() == ["PINGRESP"])
    }

    @Test("[MQTT-3.14.2-1] a DISCONNECT has one of the codes that a client may say", arguments: [
        0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
    ] as [UInt8])
    func disconnectCodes(code: UInt8) throws {
        #expect(try reaction(to: [0xE0, 1, code]) == [])
    }

    @Test("[MQTT-3.14.2-1] a DISCONNECT with a code that only a server says, or none at all, is a protocol error", arguments: [
        0x01, 0x10, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA2, 0xFF,
    ] as [UInt8])
    func disconnectCodesOfServers(code: UInt8) throws {
        #expect(try reaction(to: [0xE0, 1, code]) == ["DISCONNECT 130"])
    }

    @Test("[MQTT-4.13.1-1] [MQTT-4.13.2-1] what breaks a rule ends the connection with the rule's code", arguments: [
        // Malformed: it cannot be parsed.
        ([0x00, 0], 0x81), ([0x40, 1, 0], 0x81), ([0x40, 5, 0, 1, 0, 9, 0], 0x81), ([0xC0, 1, 0], 0x81), ([0x30, 4, 0, 1, 0x61, 9], 0x81),
        // A property that the packet does not have, or that does not exist.
        ([0x30, 6, 0, 1, 0x61, 2, 0x17, 1], 0x81), ([0x30, 6, 0, 1, 0x61, 2, 0x7F, 1], 0x81), ([0xE0, 4, 0, 2, 0x17, 1], 0x81),
        // A protocol error: it can be parsed, and is not allowed.
        ([0x32, 6, 0, 1, 0x61, 0, 0, 0], 0x82), ([0x40, 2, 0, 0], 0x82), ([0x40, 3, 0, 1, 0x01], 0x82), ([0x50, 3, 0, 1, 0x92], 0x82),
        ([0x62, 3, 0, 1, 0x10], 0x82), ([0x70, 3, 0, 1, 0x80], 0x82), ([0x30, 8, 0, 1, 0x61, 4, 0x01, 0, 0x01, 0], 0x82),
        ([0x30, 6, 0, 1, 0x61, 2, 0x01, 2], 0x82), ([0x82, 9, 0, 1, 2, 0x0B, 0, 0, 1, 0x61, 0], 0x82),
        ([0x20, 3, 0, 0, 0], 0x82), ([0x90, 4, 0, 1, 0, 0], 0x82), ([0xB0, 4, 0, 1, 0, 0], 0x82), ([0xD0, 0], 0x82),
        // Rules with codes of their own.
        ([0x30, 7, 0, 1, 0x61, 3, 0x23, 0, 0], 0x94), ([0x30, 7, 0, 1, 0x61, 3, 0x23, 0xFF, 0], 0x94),
        ([0x30, 0xFF, 0xFF, 0xFF, 0x7F], 0x95),
    ] as [([UInt8], UInt8)])
    func errors(bytes: [UInt8], code: UInt8) throws {
        #expect(try reaction(to: bytes) == ["DISCONNECT \(code)"])
    }

    @Test("[MQTT-3.15.2-1] AUTH with a code that is none is a protocol error")
    func authCode() throws {
        #expect(try reaction(to: [0xF0, 2, 0x77, 0]) == ["DISCONNECT 130"])
    }

    @Test("[MQTT-4.8.0-1 v3.1.1] before MQTT 5.0 whatever breaks a rule ends the connection without a word", arguments: [
        [0x00, 0], [0x40, 1, 0], [0x40, 2, 0, 0], [0x36, 5, 0, 1, 0x61, 0, 1], [0x32, 5, 0, 1, 0x61, 0, 0], [0x20, 2, 0, 0], [0xF0, 0],
        [0xE0, 1, 0], [0x30, 2, 0, 0],
    ] as [[UInt8]])
    func errorsOfOld(bytes: [UInt8]) throws {
        #expect(try reaction(to: bytes, version: .v311) == [])
    }

    @Test("[MQTT-4.2.0-1] packets are taken from the stream of bytes however it is cut")
    func stream() throws {
        let peer = try server.open()
        let bytes = try Packets.connect("c") + Packets.subscribe("a", version: .v5) + Packets.publish("a", "x", version: .v5) + Packets.pingreq
        for byte in bytes { try peer.send([byte]) }
        #expect(try peer.take(version: .v5) == ["CONNACK 0 0", "SUBACK 1 0", "PUBLISH a x", "PINGRESP"])
    }
}
