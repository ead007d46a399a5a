import Broker
import Core
import MQTTCodec
import TestSupport
import Testing

@testable import MQTTServer

/// How packets lie in what a channel receives.
@Suite("Packets in pieces")
struct FramingTests {
    /// What a client sends, after which it has seen each kind of answer.
    static func conversation(version: ProtocolVersion) throws -> [[UInt8]] {
        [
            try Packets.connect("talker", version: version, keepAlive: 60, will: Will(topic: "w", payload: [1])),
            try Packets.subscribe("a/#", qos: .exactlyOnce, version: version),
            Packets.publish("a/0", "zero", version: version),
            Packets.publish("a/1", "one", qos: .atLeastOnce, packetIdentifier: 11, version: version),
            Packets.publish("a/2", "two", qos: .exactlyOnce, packetIdentifier: 12, version: version),
            Packets.acknowledge(.pubrel, 12, version: version),
            Packets.acknowledge(.puback, 1, version: version),
            Packets.acknowledge(.pubrec, 2, version: version),
            Packets.acknowledge(.pubcomp, 2, version: version),
            Packets.publish("a/long", String(repeating: "x", count: 300), version: version),
            Packets.pingreq,
            try Packets.unsubscribe("a/#", version: version),
            Packets.publish("a/3", "three", qos: .atLeastOnce, packetIdentifier: 13, version: version),
        ]
    }

    /// What comes back, in any order of pieces.
    private static func answers(version: ProtocolVersion) -> [String] {
        [
            "CONNACK 0 0", "SUBACK 1 2", "PUBLISH a/0 zero", "PUBLISH 1 a/1 one", "PUBACK 11 0", "PUBLISH 2 a/2 two",
            "PUBREC 12 0", "PUBCOMP 12 0", "PUBREL 2 0", "PUBLISH a/long \(String(repeating: "x", count: 300))",
            "PINGRESP", version == .v5 ? "UNSUBACK 2 0" : "UNSUBACK 2 ", version == .v5 ? "PUBACK 13 16" : "PUBACK 13 0",
        ]
    }

    /// The answers to the conversation sent in these pieces.
    private func answers(to pieces: [[UInt8]], version: ProtocolVersion) throws -> [String] {
        let peer = try ServerHarness().open()
        for piece in pieces { try peer.send(piece) }
        #expect(peer.isOpen)
        return try peer.take(version: version)
    }

    @Test("each packet in a piece of its own", arguments: [ProtocolVersion.v31, .v311, .v5])
    func whole(version: ProtocolVersion) throws {
        let pieces = try Self.conversation(version: version)
        #expect(try answers(to: pieces, version: version) == Self.answers(version: version))
    }

    @Test("byte by byte", arguments: [ProtocolVersion.v31, .v311, .v5])
    func drip(version: ProtocolVersion) throws {
        let pieces = Array(try Self.conversation(version: version).joined()).pieces(of: 1)
        #expect(try answers(to: pieces, version: version) == Self.answers(version: version))
    }

    @Test("split in two at every byte", arguments: [ProtocolVersion.v31, .v311, .v5])
    func split(version: ProtocolVersion) throws {
        let all = Array(try Self.conversation(version: version).joined())
        let expected = Self.answers(version: version).sorted()
        for at in 0...all.count {
            let found = try answers(to: [Array(all[..<at]), Array(all[at...])], version: version)
            // Acknowledgements of one piece may come before messages that its packets brought.
            #expect(found.sorted() == expected, "split at byte \(at)")
        }
    }

    @Test("what comes behind the end of a packet that is wrong is not taken", arguments: 1..<4)
    func nothingAfterTheEnd(at: Int) throws {
        let server = ServerHarness()
        let watcher = try server.open().connect("w")
        try watcher.subscribe("a")
        let peer = try server.open().connect("c")
        let wrong: [UInt8] = [0x82, 0x02, 0x00, 0x00]
        try peer.send(Array(wrong[..<at]))
        try peer.send(Array(wrong[at...]) + Packets.publish("a", "late", version: .v5))
        #expect(!peer.isOpen)
        #expect(try watcher.take() == [])
    }

    @Test("a packet of many pieces arrives whole")
    func longPacket() throws {
        let peer = try ServerHarness().open().connect("c")
        try peer.subscribe("a")
        let text = String(repeating: "0123456789", count: 20_000)
        let bytes = Packets.publish("a", text, version: .v5) + Packets.pingreq
        for piece in bytes.pieces(of: 777) { try peer.send(piece) }
        #expect(try peer.take() == ["PUBLISH a \(text)", "PINGRESP"])
    }

    @Test("a packet above the maximum size is refused at its length, before it has come")
    func tooLarge() throws {
        var limits = BrokerLimits()
        limits.maximumPacketSize = 1000
        let server = ServerHarness(limits: limits)
        let peer = try server.open().connect("c")
        let fitting = Packets.publish("a", String(repeating: "x", count: 1000 - 3 - 4), version: .v5)
        #expect(fitting.count == 1000)
        try peer.send(fitting)
        #expect(peer.isOpen)
        let tooLong = Packets.publish("a", String(repeating: "x", count: 1000 - 3 - 3), version: .v5)
        try peer.send(Array(tooLong.prefix(3)))
        #expect(try peer.take() == ["DISCONNECT 149"])
        #expect(!peer.isOpen)
    }
}
