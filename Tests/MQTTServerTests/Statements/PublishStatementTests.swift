import Broker
import Core
import MQTTCodec
import Testing

@testable import MQTTServer

/// MQTT 5.0 §3.3: PUBLISH on its way to a server and from it.
@Suite("Statements: PUBLISH")
struct PublishStatementTests {
    private let server = ServerHarness()

    private static func user(_ name: String, _ value: String) -> [UInt8] {
        [0x26] + Packets.field(name) + Packets.field(value)
    }

    private func subscriber(_ filter: String = "#", _ options: SubscriptionOptions = SubscriptionOptions(qos: .exactlyOnce)) throws -> Peer {
        let peer = try server.client(.of("s \(filter)"))
        try peer.subscribe(to: [filter], options)
        _ = try peer.take()
        return peer
    }

    /// What somebody who comes now finds retained.
    private func retained(_ filter: String = "#") throws -> [String] {
        let peer = try server.client(.of("late"))
        try peer.subscribe(to: [filter])
        return try peer.messages().map { "\($0.topic) \($0.payload) \($0.retain)" }.sorted()
    }

    // MARK: Flags

    @Test("[MQTT-3.3.1-2] [MQTT-3.3.1-4] QoS 3, and DUP with QoS 0, end the connection as malformed", arguments: [0x36, 0x37, 0x3E, 0x38, 0x39] as [UInt8])
    func flags(first: UInt8) throws {
        let peer = try server.client(.of("c"))
        try peer.send(Packets.packet(first, Packets.field("a") + [0, 1, 0]))
        #expect(try peer.take() == ["DISCONNECT 129"])
        #expect(!peer.isOpen)
        // [MQTT-4.8.0-1 v3.1.1]
        let old = try server.client(.of("o", version: .v311))
        try old.send(Packets.packet(first, Packets.field("a") + [0, 1]))
        #expect(!old.isOpen)
    }

    @Test("[MQTT-3.3.1-1] [MQTT-3.3.1-2] [MQTT-3.3.1-3] DUP of what is sent does not depend on DUP of what came")
    func duplicateFlag() throws {
        let subscriber = try subscriber()
        let publisher = try server.client(.of("p"))
        try publisher.publish("a", "1", flags: 0b1010, packetIdentifier: 1)
        try publisher.publish("a", "2", flags: 0b0010, packetIdentifier: 2)
        try publisher.publish("a", "3", flags: 0b1100, packetIdentifier: 3)
        #expect(try subscriber.messages().map(\.duplicate) == [false, false, false])
    }

    @Test("[MQTT-3.3.1-5] [MQTT-3.3.1-8] only a message with RETAIN is retained, in place of its topic's last")
    func replaced() throws {
        let publisher = try server.client(.of("p"))
        for (payload, flags) in [("1", 1), ("2", 0), ("3", 3), ("4", 2), ("5", 0)] as [(String, UInt8)] {
            try publisher.publish("a", payload, flags: flags)
        }
        try publisher.publish("b", "never", flags: 0)
        #expect(try retained() == ["a 3 true"])
    }

    @Test("[MQTT-3.3.1-6] [MQTT-3.3.1-7] an empty message with RETAIN removes what is retained, is not retained, and is delivered")
    func removed() throws {
        let publisher = try server.client(.of("p"))
        try publisher.publish("a", "1", flags: 1)
        let subscriber = try subscriber()
        try publisher.publish("a", "", flags: 1)
        try publisher.publish("b", "", flags: 1)
        #expect(try subscriber.messages().map { "\($0.topic) '\($0.payload)' \($0.retain)" } == ["a '' false", "b '' false"])
        #expect(try retained() == [])
    }

    @Test("[MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.8.4-4] Retain Handling says when retained messages are sent")
    func retainHandling() throws {
        let publisher = try server.client(.of("p"))
        try publisher.publish("a", "kept", flags: 1)
        let peer = try server.client(.of("c"))
        func subscribe(_ handling: SubscriptionOptions.RetainHandling) throws -> [String] {
            try peer.subscribe(to: ["a"], SubscriptionOptions(qos: .atMostOnce, retainHandling: handling))
            return try peer.payloads()
        }
        #expect(try subscribe(.doNotSend) == [])
        #expect(try subscribe(.sendIfNew) == [])
        #expect(try subscribe(.sendAtSubscribe) == ["kept"])
        #expect(try subscribe(.sendAtSubscribe) == ["kept"])
        try peer.unsubscribe(from: ["a"])
        #expect(try subscribe(.sendIfNew) == ["kept"])
    }

    @Test("[MQTT-3.3.1-12] [MQTT-3.3.1-13] [MQTT-3.3.1-9 v3.1.1] a live message has the publisher's RETAIN only where that is asked for")
    func retainAsPublished() throws {
        let plain = try subscriber("+")
        let asPublished = try subscriber("#", SubscriptionOptions(qos: .atMostOnce, retainAsPublished: true))
        let old = try server.client(.of("old", version: .v311))
        try old.subscribe("a")
        let publisher = try server.client(.of("p"))
        try publisher.publish("a", "1", flags: 1)
        try publisher.publish("a", "2", flags: 0)
        #expect(try plain.messages().map(\.retain) == [false, false])
        #expect(try asPublished.messages().map(\.retain) == [true, false])
        #expect(try old.messages().map(\.retain) == [false, false])
    }

    @Test("[MQTT-3.3.1-8 v3.1.1] what is sent because of a new subscription has RETAIN", arguments: [ProtocolVersion.v31, .v311, .v5])
    func retainedFlag(version: ProtocolVersion) throws {
        try server.client(.of("p")).publish("a", "kept", flags: 1)
        let peer = try server.client(.of("c", version: version))
        try peer.subscribe(to: ["a"])
        #expect(try peer.messages().map(\.retain) == [true])
    }

    // MARK: Topic

    @Test("[MQTT-3.3.2-1] [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2] a topic name that is none ends the connection", arguments: [
        (Array("a/+".utf8), 0x81), (Array("#".utf8), 0x81), ([0x61, 0], 0x81), ([0xFF], 0x81), ([], 0x82),
    ] as [([UInt8], UInt8)])
    func topicNames(topic: [UInt8], code: UInt8) throws {
        let peer = try server.client(.of("c"))
        try peer.send(Packets.packet(0x30, [0, UInt8(topic.count)] + topic + [0]))
        #expect(try peer.take() == ["DISCONNECT \(code)"])
        let old = try server.client(.of("o", version: .v311))
        try old.send(Packets.packet(0x30, [0, UInt8(topic.count)] + topic))
        #expect(try old.take() == [])
        #expect(!old.isOpen)
    }

    @Test("[MQTT-3.3.2-3] [MQTT-4.5.0-1] a message goes to those whose filters its topic matches, under its own name")
    func matching() throws {
        let filters = ["a/b", "a/+", "a/#", "+/b", "#", "a", "a/b/c", "a/c", "/a/b"]
        let peers = try filters.map { (filter: $0, peer: try subscriber($0)) }
        try server.client(.of("p")).publish("a/b", "x", flags: 0)
        let reached = try peers.filter { try $0.peer.messages().map(\.topic) == ["a/b"] }.map(\.filter)
        #expect(reached == ["a/b", "a/+", "a/#", "+/b", "#"])
    }

    @Test("[MQTT-4.7.3-3] a topic may have 65,535 bytes, and is passed on whole")
    func longTopic() throws {
        let topic = String(repeating: "x", count: 65_535)
        let subscriber = try server.client(.of("s"))
        try subscriber.send([0x82] + [0x85, 0x80, 0x04] + [0, 1, 0, 0xFF, 0xFF] + Array(topic.utf8) + [0])
        try server.client(.of("p")).publish(topic, "x", flags: 0)
        #expect(try subscriber.messages().map(\.topic) == [topic])
    }

    @Test("[MQTT-1.5.4-3] [MQTT-4.7.3-4] nothing is normalized, and U+FEFF is kept")
    func exactText() throws {
        let composed = try subscriber("caf\u{E9}/+")
        let decomposed = try subscriber("cafe\u{301}/+")
        let marked = try subscriber("\u{FEFF}a")
        let unmarked = try subscriber("a")
        let publisher = try server.client(.of("p"))
        try publisher.publish("caf\u{E9}/1", "composed", flags: 1)
        try publisher.publish("cafe\u{301}/1", "decomposed", flags: 1)
        try publisher.publish("\u{FEFF}a", "marked", flags: 0, properties: Self.user("\u{FEFF}k", "\u{FEFF}"))
        #expect(try composed.payloads() == ["composed"])
        #expect(try decomposed.payloads() == ["decomposed"])
        let received = try marked.messages()
        #expect(received.map(\.forwarded) == [Self.user("\u{FEFF}k", "\u{FEFF}")])
        #expect(received.map { Array($0.topic.utf8) } == [Array("\u{FEFF}a".utf8)])
        #expect(try unmarked.payloads() == [])
        #expect(try retained("caf\u{E9}/1").count == 1)
    }

    // MARK: Properties

    @Test("[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20] what belongs to the message is passed on unchanged, live, queued and retained")
    func properties() throws {
        let properties = Self.user("b", "1") + [0x01, 1] + [0x03] + Packets.field("text/plain") + Self.user("a", "2") + [0x08]
            + Packets.field("to/me") + [0x09, 0, 3, 0, 1, 2] + Self.user("b", "1")
        let live = try subscriber()
        let away = ConnectPacket.of("away", clean: false, expiry: 100)
        let first = try server.client(away)
        try first.subscribe(to: ["a"])
        first.lose()
        try server.client(.of("p")).publish("a", "x", flags: 0b0011, properties: properties)
        let again = try server.open()
        try again.sendConnect(away)
        let late = try server.client(.of("late"))
        try late.subscribe(to: ["a"])
        for peer in [live, again, late] { #expect(try peer.messages().map(\.forwarded) == [properties]) }
    }

    @Test("[MQTT-3.3.2-13] [MQTT-3.3.2-14] [MQTT-3.3.2-19] [MQTT-1.5.7-1] properties that are not what they must be make PUBLISH malformed", arguments: [
        [0x08, 0, 1, 0x23], [0x08, 0, 1, 0xFF], [0x03, 0, 1, 0xFF], [0x26, 0, 1, 0xFF, 0, 0], [0x26, 0, 0, 0, 1, 0xFF],
    ] as [[UInt8]])
    func malformedProperties(properties: [UInt8]) throws {
        let peer = try server.client(.of("c"))
        try peer.publish("a", "", flags: 0, properties: properties)
        #expect(try peer.take() == ["DISCONNECT 129"])
        #expect(!peer.isOpen)
    }

    @Test("[MQTT-3.3.2-7] [MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.3.2-12] topic aliases from 1 to the maximum are taken, on their own connection only")
    func aliases() throws {
        let subscriber = try subscriber()
        let publisher = try server.open()
        let answer = try publisher.answer(to: .of("p"))
        let maximum = try #require(answer?.properties.topicAliasMaximum)
        #expect(maximum > 0)
        for alias in 1...maximum { try publisher.publish("t\(alias)", "", flags: 0, properties: [0x23, 0, UInt8(alias)]) }
        for alias in 1...maximum { try publisher.publish("", "", flags: 0, properties: [0x23, 0, UInt8(alias)]) }
        #expect(try subscriber.messages().map(\.topic) == (Array(1...maximum) + Array(1...maximum)).map { "t\($0)" })
        #expect(publisher.isOpen)
        for (alias, code) in [([0, 0], 148), ([0xFF, 0xFF], 148)] as [([UInt8], Int)] {
            let other = try server.client(.of("o"))
            try other.publish("a", "", flags: 0, properties: [0x23] + alias)
            #expect(try other.take() == ["DISCONNECT \(code)"])
        }
        let other = try server.client(.of("o"))
        try other.publish("", "", flags: 0, properties: [0x23, 0, 1])
        #expect(try other.take() == ["DISCONNECT 130"])
    }

    @Test("[MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11] a client gets topic aliases up to its maximum, and without one none", arguments: [
        nil, 0, 2,
    ] as [UInt16?])
    func aliasesToClients(maximum: UInt16?) throws {
        let subscriber = try server.client(.of("s") { $0.topicAliasMaximum = maximum })
        try subscriber.subscribe(to: ["#"])
        _ = try subscriber.take()
        let publisher = try server.client(.of("p"))
        for number in 0..<40 { try publisher.publish("topic/\(number % 5)", "", flags: 0) }
        var named: [UInt16: String] = [:]
        let packets = try subscriber.takePackets()
        #expect(packets.count == 40)
        for (number, packet) in packets.enumerated() {
            let view = try packet.body.withUnsafeBytes { body throws(DecodeError) in
                try PublishView.read(body: body, flags: packet.flags, version: .v5)
            }
            var topic = String(decoding: packet.body[view.topic], as: UTF8.self)
            if let alias = view.topicAlias {
                #expect(1...(maximum ?? 0) ~= alias)
                if topic.isEmpty { topic = named[alias] ?? "" } else { named[alias] = topic }
            }
            #expect(topic == "topic/\(number % 5)")
        }
    }

    @Test("[MQTT-3.3.4-6] a subscription identifier from a client is a protocol error")
    func subscriptionIdentifierFromClient() throws {
        let peer = try server.client(.of("c"))
        try peer.publish("a", "", flags: 0, properties: [0x0B, 1])
        #expect(try peer.take() == ["DISCONNECT 130"])
    }

    // MARK: Deliveries

    @Test("[MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-2.2.1-5] a PUBLISH is answered as its QoS asks", arguments: [
        ProtocolVersion.v31, .v311, .v5,
    ])
    func answers(version: ProtocolVersion) throws {
        let peer = try server.client(.of("c", version: version))
        let code = version == .v5 ? 16 : 0
        try peer.publish("a", "", flags: 0b000)
        #expect(try peer.take() == [])
        try peer.publish("a", "", flags: 0b010, packetIdentifier: 0xFFFF)
        #expect(try peer.take() == ["PUBACK 65535 \(code)"])
        try peer.publish("a", "", flags: 0b100, packetIdentifier: 258)
        #expect(try peer.take() == ["PUBREC 258 \(code)"])
    }

    @Test("[MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4] overlapping subscriptions give one message with the highest QoS and all identifiers")
    func overlapping() throws {
        let peer = try server.client(.of("c"))
        for (filter, qos, identifier) in [("a/b", 0, 1), ("a/+", 1, 300), ("a/#", 0, nil), ("+/b", 0, 268_435_455)] as [(String, UInt8, UInt32?)] {
            try peer.subscribe(to: [filter], SubscriptionOptions(qos: QoS(rawValue: qos) ?? .atMostOnce), identifier: identifier)
        }
        _ = try peer.take()
        try server.client(.of("p")).publish("a/b", "x", flags: 0b100)
        let received = try peer.messages()
        #expect(received.map(\.qos) == [1])
        #expect(received.first?.subscriptionIdentifiers.sorted() == [1, 300, 268_435_455])
    }

    @Test("[MQTT-3.1.2-24] [MQTT-3.1.2-25] a message too large for a client is dropped as if it had been delivered", arguments: QoS.allCases)
    func tooLarge(qos: QoS) throws {
        let peer = try server.client(.of("c") { $0.maximumPacketSize = 30; $0.receiveMaximum = 1 })
        try peer.subscribe(to: ["a"])
        _ = try peer.take()
        let publisher = try server.client(.of("p"))
        let flags = qos.rawValue << 1
        try publisher.publish("a", String(repeating: "x", count: 30), flags: flags, packetIdentifier: 1)
        try publisher.publish("a", "fits", flags: flags, packetIdentifier: 2)
        #expect(try peer.payloads() == ["fits"])
    }
}
