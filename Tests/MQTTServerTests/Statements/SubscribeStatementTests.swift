import Broker
import Core
import MQTTCodec
import NIOCore
import Testing

@testable import MQTTServer

/// MQTT 5.0 §3.8 to §3.11 and §4.7: subscriptions and their filters.
@Suite("Statements: SUBSCRIBE and UNSUBSCRIBE")
struct SubscribeStatementTests {
    private let server = ServerHarness()

    private static let versions: [ProtocolVersion] = [.v31, .v311, .v5]

    private func publish(_ topic: String, _ payload: String, flags: UInt8 = 0) throws {
        try server.client(.of("p")).publish(topic, payload, flags: flags)
    }

    // MARK: Answers

    @Test("[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-7] [MQTT-2.2.1-6] SUBSCRIBE is answered by a SUBACK of its own", arguments: versions)
    func suback(version: ProtocolVersion) throws {
        let peer = try server.client(.of("c", version: version))
        for qos in QoS.allCases {
            try peer.subscribe(to: ["a"], SubscriptionOptions(qos: qos), packetIdentifier: 0x12 + UInt16(qos.rawValue))
            #expect(try peer.take() == ["SUBACK \(0x12 + qos.rawValue) \(qos.rawValue)"])
        }
    }

    @Test("[MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.9.3-1] [MQTT-3.9.3-2] several filters have one answer with a code for each, in their order", arguments: [
        (.v5, "SUBACK 7 0 143 1 143 2"), (.v311, "SUBACK 7 0 128 1 128 2"),
    ] as [(ProtocolVersion, String)])
    func severalFilters(version: ProtocolVersion, answer: String) throws {
        let peer = try server.client(.of("c", version: version))
        var buffer = ByteBuffer()
        let requests = [("a", 0), ("a+", 0), ("b", 1), ("#/c", 1), ("c", 2)] as [(String, UInt8)]
        try SubscribePacket(
            packetIdentifier: 7,
            requests: requests.map { .init(filter: $0.0, options: SubscriptionOptions(qos: QoS(rawValue: $0.1) ?? .atMostOnce)) }
        ).write(version: version, into: &buffer)
        try peer.send(Array(buffer.readableBytesView))
        // [MQTT-3.9.3-2 v3.1.1] before MQTT 5.0 a failure is 0x80.
        #expect(try peer.take() == [answer])
        for topic in ["a", "b", "c"] { try publish(topic, topic) }
        #expect(try peer.payloads() == ["a", "b", "c"])
    }

    @Test("MQTT 3.1 has no way to refuse a subscription: one that fails is acknowledged all the same")
    func noFailureInMQTT31() throws {
        let peer = try server.client(.of("c", version: .v31))
        try peer.subscribe(to: ["a+", "b"], SubscriptionOptions(qos: .atLeastOnce))
        #expect(try peer.take() == ["SUBACK 1 1 1"])
    }

    @Test("[MQTT-3.8.3-1] [MQTT-3.8.3-2] [MQTT-3.8.3-4] [MQTT-3.8.3-5] [MQTT-3.8.1-1] [MQTT-3.8.3-4 v3.1.1] a SUBSCRIBE that is none ends the connection", arguments: [
        (.v5, [0x82, 3, 0, 1, 0], 0x82), (.v5, [0x82, 7, 0, 1, 0, 0, 1, 0xFF, 0], 0x81), (.v5, [0x82, 7, 0, 1, 0, 0, 1, 0x61, 0x40], 0x81),
        (.v5, [0x82, 7, 0, 1, 0, 0, 1, 0x61, 0x80], 0x81), (.v5, [0x82, 7, 0, 1, 0, 0, 1, 0x61, 0x03], 0x82),
        (.v5, [0x82, 7, 0, 1, 0, 0, 1, 0x61, 0x30], 0x82), (.v5, [0x82, 7, 0, 0, 0, 0, 1, 0x61, 0], 0x82),
        (.v5, [0x82, 16, 0, 1, 0, 0, 10] + Array("$share/g/a".utf8) + [4], 0x82),
        (.v5, [0x80, 7, 0, 1, 0, 0, 1, 0x61, 0], 0x81), (.v5, [0x8A, 7, 0, 1, 0, 0, 1, 0x61, 0], 0x81),
        (.v311, [0x82, 2, 0, 1], nil), (.v311, [0x82, 6, 0, 1, 0, 1, 0x61, 4], nil), (.v311, [0x82, 6, 0, 1, 0, 1, 0x61, 3], nil),
        (.v311, [0x80, 6, 0, 1, 0, 1, 0x61, 0], nil),
    ] as [(ProtocolVersion, [UInt8], UInt8?)])
    func refusedSubscribe(version: ProtocolVersion, bytes: [UInt8], code: UInt8?) throws {
        let peer = try server.client(.of("c", version: version))
        try peer.send(bytes)
        #expect(try peer.take() == (code.map { ["DISCONNECT \($0)"] } ?? []))
        #expect(!peer.isOpen)
    }

    @Test("MQTT 3.1 lets a client set DUP in SUBSCRIBE and does not use the upper bits of the requested QoS")
    func looseSubscribeOfMQTT31() throws {
        let peer = try server.client(.of("c", version: .v31))
        try peer.send([0x8A, 6, 0, 1, 0, 1, 0x61, 0xFD])
        #expect(try peer.take() == ["SUBACK 1 1"])
        try peer.send([0xAA, 5, 0, 2, 0, 1, 0x61])
        #expect(try peer.take() == ["UNSUBACK 2 "])
    }

    // MARK: What a subscription does

    @Test("[MQTT-3.8.3-3] with No Local a client does not get its own messages, on whichever connection it sent them")
    func noLocal() throws {
        let packet = ConnectPacket.of("c", clean: false, expiry: 100)
        let peer = try server.client(packet)
        try peer.subscribe(to: ["a"], SubscriptionOptions(qos: .atLeastOnce, noLocal: true))
        _ = try peer.take()
        try peer.publish("a", "own", flags: 0b010)
        try publish("a", "another's")
        #expect(try peer.payloads() == ["another's"])
        peer.lose()
        let again = try server.client(packet)
        try again.publish("a", "own", flags: 0b010)
        #expect(try again.payloads() == [])
    }

    @Test("[MQTT-3.8.4-3] a subscription of the same filter takes the old one's place")
    func replaced() throws {
        let peer = try server.client(.of("c"))
        try peer.subscribe(to: ["a"], SubscriptionOptions(qos: .exactlyOnce), identifier: 1)
        try peer.subscribe(to: ["a"], SubscriptionOptions(qos: .atMostOnce), identifier: 2)
        _ = try peer.take()
        try publish("a", "x", flags: 0b010)
        let received = try peer.messages()
        #expect(received.map(\.qos) == [0])
        #expect(received.first?.subscriptionIdentifiers == [2])
    }

    @Test("[MQTT-3.8.4-4] no message is lost while a subscription is replaced")
    func nothingLost() throws {
        let peer = try server.client(.of("c") { $0.receiveMaximum = 1 })
        try peer.subscribe(to: ["a"], SubscriptionOptions(qos: .atLeastOnce))
        _ = try peer.take()
        let publisher = try server.client(.of("p"))
        for number in 1...3 { try publisher.publish("a", "\(number)", flags: 0b010, packetIdentifier: UInt16(number)) }
        try peer.subscribe(to: ["a"], SubscriptionOptions(qos: .atMostOnce))
        for number in 1...3 {
            #expect(try peer.payloads() == ["\(number)"])
            try peer.acknowledge(.puback, UInt16(number))
        }
    }

    @Test("[MQTT-3.8.4-8] a message is sent with the lower of its own QoS and the granted one")
    func lowerQoS() throws {
        for granted in QoS.allCases {
            let peer = try server.client(.of("c"))
            try peer.subscribe(to: ["a"], SubscriptionOptions(qos: granted))
            _ = try peer.take()
            let publisher = try server.client(.of("p"))
            for published in QoS.allCases { try publisher.publish("a", "", flags: published.rawValue << 1, packetIdentifier: 9) }
            #expect(try peer.messages().map(\.qos) == QoS.allCases.map { min($0, granted).rawValue })
        }
    }

    // MARK: UNSUBSCRIBE

    @Test("[MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2] [MQTT-2.2.1-6] UNSUBSCRIBE has one answer, with a code for each filter", arguments: [
        (.v5, "UNSUBACK 9 0 17 0"), (.v311, "UNSUBACK 9 "), (.v31, "UNSUBACK 9 "),
    ] as [(ProtocolVersion, String)])
    func unsuback(version: ProtocolVersion, answer: String) throws {
        let peer = try server.client(.of("c", version: version))
        try peer.subscribe(to: ["a", "b/#"])
        _ = try peer.take()
        try peer.unsubscribe(from: ["a", "never", "b/#"], packetIdentifier: 9)
        #expect(try peer.take() == [answer])
        try publish("a", "x")
        try publish("b/c", "x")
        #expect(try peer.take() == [])
    }

    @Test("[MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-4.7.3-4] only the subscription of the very same filter ends, wildcards are not looked into")
    func exactFilter() throws {
        let peer = try server.client(.of("c"))
        try peer.subscribe(to: ["a/b", "a/+", "caf\u{E9}"])
        try peer.unsubscribe(from: ["a/#", "+/b", "#", "cafe\u{301}"])
        #expect(try peer.take() == ["SUBACK 1 2 2 2", "UNSUBACK 2 17 17 17 17"])
        try peer.unsubscribe(from: ["a/+"])
        #expect(try peer.take() == ["UNSUBACK 2 0"])
        try publish("a/b", "one")
        try publish("a/c", "none")
        try publish("caf\u{E9}", "two")
        #expect(try peer.payloads() == ["one", "two"])
    }

    @Test("[MQTT-3.10.4-3] a delivery that has begun is completed after UNSUBSCRIBE")
    func begunDelivery() throws {
        let packet = ConnectPacket.of("c", clean: false, expiry: 100)
        let peer = try server.client(packet)
        try peer.subscribe(to: ["a"])
        _ = try peer.take()
        try publish("a", "x", flags: 0b100)
        #expect(try peer.payloads() == ["x"])
        try peer.unsubscribe(from: ["a"])
        try peer.acknowledge(.pubrec, 1)
        #expect(try peer.take() == ["UNSUBACK 2 0", "PUBREL 1 0"])
        peer.lose()
        let again = try server.open()
        try again.sendConnect(packet)
        #expect(try again.take() == ["CONNACK 1 0", "PUBREL 1 0"])
        try again.acknowledge(.pubcomp, 1)
        #expect(again.isOpen)
    }

    @Test("[MQTT-3.10.1-1] [MQTT-3.10.3-1] [MQTT-3.10.3-2] an UNSUBSCRIBE that is none ends the connection", arguments: [
        (.v5, [0xA2, 3, 0, 1, 0], 0x82), (.v5, [0xA2, 6, 0, 1, 0, 0, 1, 0xFF], 0x81), (.v5, [0xA0, 6, 0, 1, 0, 0, 1, 0x61], 0x81),
        (.v5, [0xAA, 6, 0, 1, 0, 0, 1, 0x61], 0x81), (.v311, [0xA2, 2, 0, 1], nil), (.v311, [0xA0, 5, 0, 1, 0, 1, 0x61], nil),
    ] as [(ProtocolVersion, [UInt8], UInt8?)])
    func refusedUnsubscribe(version: ProtocolVersion, bytes: [UInt8], code: UInt8?) throws {
        let peer = try server.client(.of("c", version: version))
        try peer.send(bytes)
        #expect(try peer.take() == (code.map { ["DISCONNECT \($0)"] } ?? []))
        #expect(!peer.isOpen)
    }

    // MARK: Filters

    @Test("[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1] wildcards fill whole levels, # the last one, and no filter is empty")
    func filters() throws {
        let peer = try server.client(.of("c"))
        let valid = ["#", "a/#", "/#", "+", "+/+", "/+", "+/a/#", "a/+/b", "/", "//", "a/"]
        try peer.subscribe(to: valid)
        #expect(try peer.take() == ["SUBACK 1 " + valid.map { _ in "2" }.joined(separator: " ")])
        let invalid = ["a#", "a/#/b", "#/a", "##", "a+", "+a", "a/b+", "a/+b/c", "++", ""]
        try peer.subscribe(to: invalid)
        #expect(try peer.take() == ["SUBACK 1 " + invalid.map { _ in "143" }.joined(separator: " ")])
    }

    @Test("[MQTT-4.7.1-1] [MQTT-4.7.1-2] # is for a level and all below it, + for one level", arguments: [
        ("sport/#", ["sport", "sport/a", "sport/a/b"], ["sports", "a/sport"]),
        ("+", ["a", "b"], ["/a", "a/", "a/b"]), ("/+", ["/a", "/"], ["a", "/a/b"]), ("+/+", ["/a", "a/b", "/"], ["a"]),
        ("a/+/c", ["a/b/c", "a//c"], ["a/b", "a/b/b/c"]), ("a/b/#", ["a/b", "a/b/", "a/b/c"], ["a", "a/bc"]),
    ] as [(String, [String], [String])])
    func wildcards(filter: String, matching: [String], others: [String]) throws {
        let peer = try server.client(.of("c"))
        try peer.subscribe(to: [filter], SubscriptionOptions(qos: .atMostOnce))
        _ = try peer.take()
        for topic in matching + others { try publish(topic, topic, flags: 1) }
        #expect(try peer.payloads() == matching)
        let late = try server.client(.of("late"))
        try late.subscribe(to: [filter], SubscriptionOptions(qos: .atMostOnce))
        #expect(try late.payloads().sorted() == matching.sorted())
    }

    @Test("[MQTT-4.7.2-1] wildcards at the start do not match topics that begin with $, and $ is like any other elsewhere")
    func reservedTopics() throws {
        let peer = try server.client(.of("c"))
        try peer.subscribe(to: ["#", "+/a", "+/+/#"], SubscriptionOptions(qos: .atMostOnce))
        let named = try server.client(.of("named"))
        try named.subscribe(to: ["$own/#"], SubscriptionOptions(qos: .atMostOnce))
        _ = (try peer.take(), try named.take())
        let message = Message.create(topic: "$own/a", payload: Array("own".utf8), qos: .atMostOnce, retain: true, publishedAt: SystemClock.wall())
        server.broker.publish(message, now: SystemClock.monotonic(), wall: SystemClock.wall())
        server.broker.flush()
        try publish("a/$own", "ours")
        #expect(try peer.payloads() == ["ours"])
        #expect(try named.payloads() == ["own"])
        let late = try server.client(.of("late"))
        try late.subscribe(to: ["#", "+/a"], SubscriptionOptions(qos: .atMostOnce))
        #expect(try late.payloads() == [])
    }
}
