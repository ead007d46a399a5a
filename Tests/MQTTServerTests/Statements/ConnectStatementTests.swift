import Broker
import Core
import MQTTCodec
import NIOCore
import Testing

@testable import MQTTServer

/// MQTT 5.0 §3.1 and §3.2: what a server owes a CONNECT.
@Suite("Statements: CONNECT and CONNACK")
struct ConnectStatementTests {
    private let server = ServerHarness()

    /// CONNECT by its parts.
    private func connect(
        _ name: String = "MQTT", level: UInt8 = 5, flags: UInt8 = 2, properties: [UInt8] = [], payload: [UInt8]
    ) -> [UInt8] {
        Packets.packet(0x10, Packets.field(name) + [level, flags, 0, 0] + (level == 5 ? [UInt8(properties.count)] + properties : []) + payload)
    }

    /// What comes back to bytes on a new connection, and whether that stays open.
    private func answer(to bytes: [UInt8], version: ProtocolVersion = .v5) throws -> (packets: [String], isOpen: Bool) {
        let peer = try server.open()
        try peer.send(bytes)
        return (try peer.take(version: version), peer.isOpen)
    }

    private func expectRefusal(_ bytes: [UInt8], _ answers: [String], version: ProtocolVersion = .v5) throws {
        let answer = try answer(to: bytes, version: version)
        #expect(answer.packets == answers)
        #expect(!answer.isOpen)
    }

    // MARK: What CONNECT must be

    @Test("[MQTT-3.1.0-2] a second CONNECT is a protocol error", arguments: [
        (.v5, ["DISCONNECT 130"]), (.v311, []), (.v31, []),
    ] as [(ProtocolVersion, [String])])
    func secondConnect(version: ProtocolVersion, farewell: [String]) throws {
        let peer = try server.client(.of("c", version: version))
        try peer.sendConnect(.of("c", version: version))
        // [MQTT-3.2.0-2] no second CONNACK comes.
        #expect(try peer.take() == farewell)
        #expect(!peer.isOpen)
    }

    @Test("[MQTT-3.1.2-1] [MQTT-3.1.2-2] [MQTT-3.1.2-2 v3.1.1] another protocol or version is told that it is not spoken here", arguments: [
        ("MQTT", 6), ("MQTT", 3), ("MQIsdp", 4), ("mqtt", 5), ("AMQP", 5), ("MQTT", 0x85),
    ] as [(String, UInt8)])
    func unknownVersion(name: String, level: UInt8) throws {
        try expectRefusal(connect(name, level: level, payload: [0, 1, 0x61]), ["CONNACK 0 1"], version: .v311)
    }

    @Test("[MQTT-3.1.2-3] the reserved flag is looked at")
    func reservedFlag() throws {
        try expectRefusal(connect(flags: 3, payload: [0, 1, 0x61]), ["CONNACK 0 129"])
        // [MQTT-3.1.4-1 v3.1.1] before MQTT 5.0 there is no code for it: [MQTT-3.2.2-6 v3.1.1] the connection just ends.
        try expectRefusal(connect(level: 4, flags: 3, payload: [0, 1, 0x61]), [], version: .v311)
    }

    @Test("[MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13] flags of a will that contradict each other make CONNECT malformed", arguments: [
        0x0A, 0x12, 0x1E, 0x22, 0x2A,
    ] as [UInt8])
    func willFlags(flags: UInt8) throws {
        let will: [UInt8] = flags & 4 == 0 ? [] : [0, 0, 1, 0x77, 0, 0]
        try expectRefusal(connect(flags: flags, payload: [0, 1, 0x61] + will), ["CONNACK 0 129"])
    }

    @Test("[MQTT-3.1.2-9] [MQTT-3.1.2-17] [MQTT-3.1.2-19] what a flag promises has to be there")
    func promisedFields() throws {
        for flags in [0x06, 0x82, 0x42] as [UInt8] {
            try expectRefusal(connect(flags: flags, payload: [0, 1, 0x61]), ["CONNACK 0 129"])
        }
    }

    @Test("[MQTT-3.1.2-16] [MQTT-3.1.2-18] [MQTT-3.1.4-1] what no flag promises must not be there")
    func unpromisedFields() throws {
        try expectRefusal(connect(payload: [0, 1, 0x61, 0, 1, 0x75]), ["CONNACK 0 129"])
        try expectRefusal(connect(level: 4, payload: [0, 1, 0x61, 0, 1, 0x75]), [], version: .v311)
    }

    @Test("[MQTT-3.1.2-22 v3.1.1] before MQTT 5.0 a password needs a user name")
    func passwordAlone() throws {
        try expectRefusal(connect(level: 4, flags: 0x42, payload: [0, 1, 0x61, 0, 1, 0x70]), [], version: .v311)
        let answer = try answer(to: connect(flags: 0x42, payload: [0, 1, 0x61, 0, 1, 0x70]))
        #expect(answer.packets.first?.hasPrefix("CONNACK 0") == true && answer.packets != ["CONNACK 0 129"])
    }

    @Test("[MQTT-3.1.3-1] [MQTT-3.1.3-3] identifier, will and credentials are read in their order")
    func payloadOrder() throws {
        let watcher = try server.client(.of("watcher"))
        try watcher.subscribe("w")
        let payload = Packets.field("id") + [0] + Packets.field("w") + Packets.field("gone") + Packets.field("user") + Packets.field("pass")
        let peer = try server.open()
        try peer.send(connect(flags: 0xC6, payload: payload))
        #expect(try peer.take(version: .v5) == ["CONNACK 0 0"])
        #expect(peer.connection.session?.clientIdentifier == "id")
        peer.lose()
        #expect(try watcher.take() == ["PUBLISH w gone"])
    }

    @Test("[MQTT-3.1.3-4] [MQTT-3.1.3-11] [MQTT-3.1.3-12] [MQTT-1.5.4-1] [MQTT-1.5.4-2] text that is not UTF-8 is malformed, wherever it stands", arguments: [
        [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0],
    ] as [[UInt8]])
    func illFormedText(bytes: [UInt8]) throws {
        let field = [0, UInt8(bytes.count)] + bytes
        try expectRefusal(connect(payload: field), ["CONNACK 0 129"])
        try expectRefusal(connect(flags: 6, payload: [0, 1, 0x61, 0] + field + [0, 0]), ["CONNACK 0 129"])
        try expectRefusal(connect(flags: 0x82, payload: [0, 1, 0x61] + field), ["CONNACK 0 129"])
        // [MQTT-1.5.7-1] also in a pair.
        try expectRefusal(connect(properties: [0x26, 0, 0] + field, payload: [0, 1, 0x61]), ["CONNACK 0 129"])
    }

    @Test("a CONNECT that is wrong is answered in MQTT 5.0 with the code of the rule", arguments: [
        // Fixed header: malformed.
        (Packets.packet(0x11, Packets.field("MQTT") + [5, 2, 0, 0, 0, 0, 1, 0x61]), 0x81),
        // A property twice, a value that is not allowed: protocol error.
        (Packets.packet(0x10, Packets.field("MQTT") + [5, 2, 0, 0, 4, 0x19, 1, 0x19, 1, 0, 1, 0x61]), 0x82),
        (Packets.packet(0x10, Packets.field("MQTT") + [5, 2, 0, 0, 3, 0x21, 0, 0, 0, 1, 0x61]), 0x82),
        (Packets.packet(0x10, Packets.field("MQTT") + [5, 2, 0, 0, 5, 0x27, 0, 0, 0, 0, 0, 1, 0x61]), 0x82),
        (Packets.packet(0x10, Packets.field("MQTT") + [5, 2, 0, 0, 4, 0x16, 0, 1, 1, 0, 1, 0x61]), 0x82),
        // A property of another packet: malformed.
        (Packets.packet(0x10, Packets.field("MQTT") + [5, 2, 0, 0, 3, 0x13, 0, 1, 0, 1, 0x61]), 0x81),
        // Beyond what is taken before anybody is known.
        ([0x10, 0xFF, 0xFF, 0x7F] + Packets.field("MQTT") + [5, 2, 0, 0, 0], 0x95),
    ] as [([UInt8], UInt8)])
    func refusedWithItsCode(bytes: [UInt8], code: UInt8) throws {
        try expectRefusal(bytes, ["CONNACK 0 \(code)"])
    }

    // MARK: Client identifiers

    @Test("[MQTT-3.1.3-5] identifiers of 1 to 23 letters and digits are accepted, and longer and other ones too", arguments: [
        "0", "0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ", String(repeating: "x", count: 60_000),
        "a b", "größe", "a/b#+",
    ])
    func identifiers(identifier: String) throws {
        for version in [ProtocolVersion.v31, .v311, .v5] {
            let peer = try server.open()
            #expect(try peer.answer(to: .of(identifier, version: version))?.reasonCode == .success)
        }
    }

    @Test("[MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] a client without an identifier is given one of its own and told it")
    func assignedIdentifier() throws {
        var assigned: Set<String> = []
        for _ in 0..<3 {
            let peer = try server.open()
            let answer = try peer.answer(to: .of("", expiry: 100))
            let identifier = try #require(answer?.properties.assignedClientIdentifier)
            #expect(!identifier.isEmpty && assigned.insert(identifier).inserted)
            // It is an identifier like any other: the session is found under it.
            try peer.subscribe(to: ["a"])
            peer.lose()
            let again = try server.open()
            try again.sendConnect(.of(identifier, clean: false, expiry: 100))
            #expect(try again.take() == ["CONNACK 1 0"])
        }
    }

    @Test("[MQTT-3.2.2-16] an identifier that somebody else has chosen is not assigned")
    func assignedIdentifierIsFree() throws {
        let first = try server.open()
        let answer = try first.answer(to: .of(""))
        let identifier = try #require(answer?.properties.assignedClientIdentifier)
        let digits = try #require(identifier.split(separator: "-").last.flatMap { Int64($0, radix: 36) })
        // The next ones that would be assigned, taken.
        let prefix = identifier.dropLast(String(digits, radix: 36).count)
        let taken = (1...5).map { prefix + String(digits + $0, radix: 36) }
        let others = try taken.map { try server.client(.of(String($0))) }
        let next = try server.open()
        let assigned = try next.answer(to: .of(""))?.properties.assignedClientIdentifier
        let isFree = assigned.map { !taken.contains(Substring($0)) }
        #expect(isFree == true)
        #expect(!others.contains { !$0.isOpen })
    }

    @Test("[MQTT-3.1.3-8] [MQTT-3.1.4-2] [MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-4.13.2-1] an identifier that is refused ends the connection")
    func refusedIdentifier() throws {
        let peer = try server.open()
        let answer = try peer.answer(to: .of("$martlet", clean: false))
        #expect(answer?.reasonCode == .clientIdentifierNotValid && answer?.sessionPresent == false)
        #expect(!peer.isOpen)
    }

    @Test("[MQTT-3.1.3-8 v3.1.1] before MQTT 5.0 an empty identifier needs a clean session, and in MQTT 3.1 it is none")
    func emptyIdentifierOfOld() throws {
        try expectRefusal(connect(level: 4, flags: 0, payload: [0, 0]), ["CONNACK 0 2"], version: .v311)
        #expect(try answer(to: connect(level: 4, flags: 2, payload: [0, 0]), version: .v311).packets == ["CONNACK 0 0"])
        try expectRefusal(connect("MQIsdp", level: 3, flags: 2, payload: [0, 0]), ["CONNACK 0 2"], version: .v31)
    }

    @Test("[MQTT-3.1.3-2] [MQTT-4.7.3-4] identifiers are told apart by their bytes")
    func exactIdentifiers() throws {
        let composed = try server.client(.of("caf\u{E9}", expiry: 100))
        let decomposed = try server.client(.of("cafe\u{301}", expiry: 100))
        #expect(composed.isOpen && decomposed.isOpen)
        #expect(server.broker.clientCount == 2)
        composed.lose()
        let again = try server.open()
        try again.sendConnect(.of("caf\u{E9}", clean: false, expiry: 100))
        #expect(try again.take() == ["CONNACK 1 0"])
        #expect(decomposed.isOpen)
    }

    // MARK: Taking over, and refusing

    @Test("[MQTT-3.1.4-3] [MQTT-3.1.4-2 v3.1.1] the older connection of an identifier is told and closed", arguments: [
        (.v5, ["DISCONNECT 142"]), (.v311, []), (.v31, []),
    ] as [(ProtocolVersion, [String])])
    func takeover(version: ProtocolVersion, farewell: [String]) throws {
        let old = try server.client(.of("c", version: version))
        let new = try server.client(.of("c"))
        #expect(try old.take() == farewell)
        #expect(!old.isOpen && new.isOpen)
    }

    @Test("[MQTT-3.1.4-6] what follows a CONNECT that is refused is not handled")
    func afterRefusal() throws {
        let watcher = try server.client(.of("watcher"))
        try watcher.subscribe("a")
        let peer = try server.open()
        try peer.send(Packets.connect("$c") + Packets.publish("a", "x", version: .v5) + Packets.pingreq)
        #expect(try peer.take(version: .v5) == ["CONNACK 0 133"])
        #expect(try watcher.take() == [])
    }

    @Test("[MQTT-3.2.0-1] [MQTT-3.2.0-2] CONNACK comes first and once, though the client goes on without waiting for it")
    func connackFirst() throws {
        for version in [ProtocolVersion.v31, .v311, .v5] {
            let peer = try server.open()
            let retained = try server.client(.of("r"))
            try retained.publish("a", "kept", flags: 1)
            try peer.send(
                Packets.connect("c", version: version) + Packets.subscribe("a", version: version) + Packets.pingreq)
            #expect(try peer.take(version: version) == ["CONNACK 0 0", "SUBACK 1 0", "PUBLISH a kept", "PINGRESP"])
        }
    }

    @Test("[MQTT-3.2.2-1] [MQTT-3.2.2-8] [MQTT-2.2.2-1] CONNACK is as its form says")
    func connackForm() throws {
        let peer = try server.open()
        try peer.sendConnect(.of("c"))
        let packet = try #require(try peer.takePackets().first)
        #expect(packet.flags == 0 && packet.body[0] & 0xFE == 0 && packet.body[1] == 0)
        #expect(Int(packet.body[2]) == packet.body.count - 3)
        for version in [ProtocolVersion.v31, .v311] {
            let old = try server.open()
            try old.sendConnect(.of("c", version: version))
            #expect(try old.takePackets().map(\.body) == [[0, 0]])
        }
        // Every code that a refusal can have is one of CONNACK: the reader takes no other.
        let refused = try server.open().answer(to: .of("c") { $0.authenticationMethod = "none of ours" })
        #expect(refused?.reasonCode == .badAuthenticationMethod)
    }

    @Test("[MQTT-4.12.0-1] [MQTT-4.12.0-4] an authentication method that is not known ends the connection")
    func authenticationMethod() throws {
        let peer = try server.open()
        let answer = try peer.answer(to: .of("c") { $0.authenticationMethod = "none of ours" })
        #expect(answer?.reasonCode == .badAuthenticationMethod)
        #expect(!peer.isOpen)
    }

    @Test("[MQTT-4.12.0-6] without an authentication method there is neither AUTH nor a method in CONNACK, and AUTH is a protocol error")
    func noAuthenticationMethod() throws {
        let peer = try server.open()
        let answer = try peer.answer(to: .of("c"))
        #expect(answer?.reasonCode == .success && answer?.properties.authenticationMethod == nil)
        // [MQTT-4.12.0-7]
        try peer.send([0xF0, 0x07, 0x18, 0x05, 0x15, 0x00, 0x02, 0x6D, 0x6D])
        #expect(try peer.take() == ["DISCONNECT 130"])
        #expect(!peer.isOpen)
    }

    // MARK: Keep alive

    @Test("[MQTT-3.1.2-22] [MQTT-3.2.2-22] the keep alive is the client's own, and one and a half times that is enough")
    func keepAlive() throws {
        for version in [ProtocolVersion.v31, .v311, .v5] {
            let peer = try server.open()
            let answer = try peer.answer(to: .of("c", version: version, keepAlive: 10))
            #expect(answer?.properties.serverKeepAlive == nil)
            server.tick(after: .seconds(14))
            #expect(peer.isOpen)
            server.tick(after: .seconds(16))
            #expect(try peer.take() == (version == .v5 ? ["DISCONNECT 141"] : []))
            #expect(!peer.isOpen)
        }
    }

    @Test("[MQTT-3.1.2-22] a Server Keep Alive is told and then counts")
    func serverKeepAlive() throws {
        var limits = BrokerLimits()
        limits.maximumKeepAlive = 20
        for asked in [0, 21, 65_535] as [UInt16] {
            let server = ServerHarness(limits: limits)
            let peer = try server.open()
            #expect(try peer.answer(to: .of("c", keepAlive: asked))?.properties.serverKeepAlive == 20)
            server.tick(after: .seconds(29))
            #expect(peer.isOpen)
            server.tick(after: .seconds(31))
            #expect(!peer.isOpen)
        }
    }
}
