import Broker
import Core
import MQTTCodec
import Testing

@testable import MQTTServer

/// The start of a connection.
@Suite("CONNECT")
struct ConnectTests {
    @Test("CONNECT is answered in each version", arguments: [ProtocolVersion.v31, .v311, .v5])
    func accepted(version: ProtocolVersion) throws {
        let peer = try ServerHarness().open()
        try peer.send(Packets.connect("c", version: version))
        #expect(try peer.take(version: version) == ["CONNACK 0 0"])
        #expect(peer.isOpen)
    }

    @Test("a first packet that is not CONNECT ends the connection without an answer", arguments: [
        Packets.pingreq, Packets.disconnect, Packets.publish("a", "b", version: .v311), [0x00, 0], [0xF0, 0],
    ] as [[UInt8]])
    func firstPacket(bytes: [UInt8]) throws {
        let peer = try ServerHarness().open()
        try peer.send(bytes)
        #expect(try peer.take() == [])
        #expect(!peer.isOpen)
    }

    @Test("a second CONNECT ends the connection")
    func secondConnect() throws {
        let peer = try ServerHarness().open().connect("c")
        try peer.send(Packets.connect("c"))
        #expect(try peer.take() == ["DISCONNECT 130"])
        #expect(!peer.isOpen)
    }

    /// A CONNECT by its parts.
    private static func connect(_ name: String, level: UInt8, flags: UInt8, properties: [UInt8]? = nil, rest: [UInt8]) -> [UInt8] {
        let propertyField = properties.map { [UInt8($0.count)] + $0 } ?? []
        return Packets.packet(0x10, Packets.field(name) + [level, flags, 0, 60] + propertyField + rest)
    }

    @Test("a refusal is said as the version can say it", arguments: [
        // An empty client identifier: without a clean session, and in MQTT 3.1 never.
        (.v311, connect("MQTT", level: 4, flags: 0, rest: [0, 0]), ["CONNACK 0 2"]),
        (.v31, connect("MQIsdp", level: 3, flags: 2, rest: [0, 0]), ["CONNACK 0 2"]),
        // A version that does not exist, told with the return code that all versions know.
        (.v311, connect("MQTT", level: 6, flags: 2, rest: [0, 1, 0x61]), ["CONNACK 0 1"]),
        (.v311, connect("HTTP", level: 4, flags: 2, rest: [0, 1, 0x61]), ["CONNACK 0 1"]),
        // A method of authentication.
        (.v5, connect("MQTT", level: 5, flags: 2, properties: [0x15, 0, 1, 0x78], rest: [0, 1, 0x61]), ["CONNACK 0 140"]),
        // The reserved flag: MQTT 3.1.1 has no return code for it.
        (.v5, connect("MQTT", level: 5, flags: 3, properties: [], rest: [0, 1, 0x61]), ["CONNACK 0 129"]),
        (.v311, connect("MQTT", level: 4, flags: 3, rest: [0, 1, 0x61]), []),
        // A will whose topic has a wildcard.
        (.v5, connect("MQTT", level: 5, flags: 6, properties: [], rest: [0, 1, 0x61, 0, 0, 1, 0x23, 0, 0]), ["CONNACK 0 129"]),
        (.v311, connect("MQTT", level: 4, flags: 6, rest: [0, 1, 0x61, 0, 1, 0x23, 0, 0]), []),
    ] as [(ProtocolVersion, [UInt8], [String])])
    func refused(version: ProtocolVersion, bytes: [UInt8], answer: [String]) throws {
        let peer = try ServerHarness().open()
        try peer.send(bytes)
        #expect(try peer.take(version: version) == answer)
        #expect(!peer.isOpen)
    }

    @Test("one client too many is refused", arguments: [(ProtocolVersion.v311, "CONNACK 0 3"), (.v5, "CONNACK 0 137")])
    func tooMany(version: ProtocolVersion, answer: String) throws {
        var limits = BrokerLimits()
        limits.maximumConnections = 1
        let server = ServerHarness(limits: limits)
        let first = try server.open().connect("first")
        let second = try server.open()
        try second.send(Packets.connect("second", version: version) + Packets.pingreq)
        #expect(try second.take(version: version) == [answer])
        #expect(!second.isOpen)
        #expect(first.isOpen)
    }

    @Test("a connection that sends no whole CONNECT is closed after ten seconds")
    func silent() throws {
        let server = ServerHarness()
        let silent = try server.open()
        let slow = try server.open()
        try slow.send(Array(Packets.connect("slow").dropLast()))
        let connected = try server.open().connect("connected")
        server.tick(after: .seconds(9))
        #expect(silent.isOpen && slow.isOpen)
        server.tick(after: .seconds(11))
        #expect(!silent.isOpen)
        #expect(!slow.isOpen)
        #expect(connected.isOpen)
    }

    @Test("with one connection too many without CONNECT the oldest such one is closed")
    func tooManySilent() throws {
        let server = ServerHarness()
        let oldest = try server.open()
        let connected = try server.open().connect("c")
        let peers = try (1..<server.listener.settings.maximumUnconnected).map { _ in try server.open() }
        #expect(oldest.isOpen)
        let newest = try server.open()
        #expect(newest.isOpen)
        #expect(!oldest.isOpen)
        #expect(connected.isOpen)
        #expect(!peers.contains { !$0.isOpen })
    }

    @Test("a connection that is taken over is told and closed", arguments: [
        (.v5, ["DISCONNECT 142"]), (.v311, []),
    ] as [(ProtocolVersion, [String])])
    func takenOver(version: ProtocolVersion, farewell: [String]) throws {
        let server = ServerHarness()
        let old = try server.open().connect("c", version: version)
        let new = try server.open().connect("c", version: version)
        #expect(try old.take() == farewell)
        #expect(!old.isOpen)
        try new.send(Packets.pingreq)
        #expect(try new.take() == ["PINGRESP"])
    }

    @Test("a client that is silent for one and a half times its keep-alive is closed", arguments: [
        (.v5, ["DISCONNECT 141"]), (.v311, []),
    ] as [(ProtocolVersion, [String])])
    func keepAlive(version: ProtocolVersion, farewell: [String]) throws {
        let server = ServerHarness()
        let peer = try server.open().connect("c", version: version, keepAlive: 10)
        server.tick(after: .seconds(14))
        #expect(peer.isOpen)
        server.tick(after: .seconds(16))
        #expect(try peer.take() == farewell)
        #expect(!peer.isOpen)
    }
}

/// The end of a connection.
@Suite("DISCONNECT")
struct DisconnectTests {
    private static let will = Will(topic: "wills/c", payload: Array("gone".utf8))

    private func watched(_ server: ServerHarness) throws -> Peer {
        let watcher = try server.open().connect("watcher")
        try watcher.subscribe("wills/#")
        return watcher
    }

    @Test("DISCONNECT closes the connection, and the will is not published")
    func normal() throws {
        let server = ServerHarness()
        let watcher = try watched(server)
        let peer = try server.open().connect("c", will: Self.will)
        try peer.send(Packets.disconnect + Packets.pingreq)
        #expect(try peer.take() == [])
        #expect(!peer.isOpen)
        #expect(try watcher.take() == [])
    }

    @Test("a lost connection publishes the will")
    func lost() throws {
        let server = ServerHarness()
        let watcher = try watched(server)
        let peer = try server.open().connect("c", will: Self.will)
        peer.lose()
        #expect(try watcher.take() == ["PUBLISH wills/c gone"])
    }

    @Test("a DISCONNECT that raises a Session Expiry Interval of 0 is told to be wrong")
    func raisedExpiry() throws {
        let server = ServerHarness()
        let watcher = try watched(server)
        let peer = try server.open().connect("c", will: Self.will)
        try peer.send(Packets.disconnect(expiry: 60))
        #expect(try peer.take() == ["DISCONNECT 130"])
        #expect(!peer.isOpen)
        #expect(try watcher.take() == ["PUBLISH wills/c gone"])
    }

    @Test("what breaks the protocol ends the connection with the reason", arguments: [
        ([0x30, 0x02, 0x00, 0x05], "DISCONNECT 129"),
        (Packets.publish("a/+", "", version: .v5), "DISCONNECT 129"),
        (Packets.publish("a", "", properties: [0x0B, 0x01], version: .v5), "DISCONNECT 130"),
        ([0xD0, 0x00], "DISCONNECT 130"),
        ([0x20, 0x03, 0x00, 0x00, 0x00], "DISCONNECT 130"),
        ([0xF0, 0x00], "DISCONNECT 130"),
    ] as [([UInt8], String)])
    func broken(bytes: [UInt8], answer: String) throws {
        let peer = try ServerHarness().open().connect("c")
        try peer.send(bytes + Packets.pingreq)
        #expect(try peer.take() == [answer])
        #expect(!peer.isOpen)
    }
}
