import Broker
import Core
import MQTTCodec
import NIOCore
import Testing

@testable import MQTTServer

/// What answers say beside their reason code, and that they fit what the client takes.
@Suite("Answers")
struct AnswerTests {
    private static func connect(
        _ identifier: String = "c", version: ProtocolVersion = .v5, will: Will? = nil, _ change: (inout Properties) -> Void = { _ in }
    ) -> ConnectPacket {
        var packet = ConnectPacket(
            version: version, clientIdentifier: identifier, cleanStart: true, keepAlive: 0, will: will)
        change(&packet.properties)
        return packet
    }

    /// The Reason String of a packet that is an answer; nil if it has none.
    static func reasonString(_ packet: ReceivedPacket) -> String? {
        let body = packet.body
        let offset: Int
        switch packet.type {
        case .connack: offset = 2
        case .disconnect: offset = 1
        case .suback, .unsuback: offset = 2
        default: offset = 3
        }
        guard body.count > offset + 4, let at = body[offset...].firstIndex(of: 0x1F) else { return nil }
        let count = Int(body[at + 1]) << 8 | Int(body[at + 2])
        return String(decoding: body[(at + 3)..<(at + 3 + count)], as: UTF8.self)
    }

    /// Packets that are each answered with an error, with the answer's type.
    private static let refused: [(PacketType, [UInt8])] = [
        (.puback, Packets.publish("a/b/c", "", qos: .atLeastOnce, packetIdentifier: 1, version: .v5)),
        (.pubrec, Packets.publish("a/b/c", "", qos: .exactlyOnce, packetIdentifier: 1, version: .v5)),
        (.pubrel, [0x50, 2, 0, 9]),
        (.pubcomp, [0x62, 2, 0, 9]),
        (.suback, try! Packets.subscribe("a/b/c", version: .v5)),
    ]

    private static var limits: BrokerLimits {
        var limits = BrokerLimits()
        limits.maximumTopicLevels = 2
        return limits
    }

    @Test("[MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2] an answer that refuses says why, in words too")
    func reasonStrings() throws {
        for (type, bytes) in Self.refused {
            let peer = try ServerHarness(limits: Self.limits).open().connect("c")
            try peer.send(bytes)
            let answer = try #require(try peer.takePackets().first)
            #expect(answer.type == type)
            #expect(Self.reasonString(answer) != nil, "\(type)")
            #expect(peer.isOpen)
        }
    }

    @Test("[MQTT-3.1.2-29] without Request Problem Information no Reason String comes but in CONNACK and DISCONNECT")
    func noProblemInformation() throws {
        for (type, bytes) in Self.refused {
            let peer = try ServerHarness(limits: Self.limits).open()
            try peer.sendConnect(Self.connect { $0.requestProblemInformation = false })
            _ = try peer.takePackets()
            try peer.send(bytes)
            let answer = try #require(try peer.takePackets().first)
            #expect(answer.type == type)
            #expect(Self.reasonString(answer) == nil, "\(type)")
            try peer.send([0xD0, 0])
            let last = try #require(try peer.takePackets().first)
            #expect(last.type == .disconnect && Self.reasonString(last) != nil)
        }
        let refused = try ServerHarness().open()
            .answer(to: Self.connect("$c") { $0.requestProblemInformation = false })
        #expect(refused?.reasonCode == .clientIdentifierNotValid && refused?.properties.reasonString != nil)
    }

    // [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3]
    // [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] [MQTT-3.14.2-3] [MQTT-3.14.2-4] [MQTT-3.2.2-19] [MQTT-3.2.2-20]
    @Test("[MQTT-3.1.2-24] a Reason String is left out where it would make the packet too large, and nothing else is added")
    func reasonStringsThatDoNotFit() throws {
        for (type, bytes) in Self.refused {
            let peer = try ServerHarness(limits: Self.limits).open()
            try peer.sendConnect(Self.connect { $0.maximumPacketSize = 20 })
            #expect(try peer.take() == ["CONNACK 0 0"])
            try peer.send(bytes)
            let answer = try #require(try peer.takePackets().first)
            #expect(answer.type == type)
            #expect(answer.body.count <= 4, "\(type)")
            #expect(peer.isOpen)
            try peer.send([0xD0, 0])
            #expect(try peer.takePackets().map(\.body) == [[0x82]])
        }
        let refused = try ServerHarness().open().answer(to: Self.connect("$c") { $0.maximumPacketSize = 20 })
        #expect(refused?.reasonCode == .clientIdentifierNotValid)
        #expect(refused?.properties == Properties())
        let unsubscriber = try ServerHarness().open().connect("c", maximumPacketSize: 30)
        try unsubscriber.send(Packets.unsubscribe("a", version: .v5))
        #expect(try unsubscriber.takePackets().map(\.body) == [[0, 2, 0, 0x11]])
    }

    @Test("[MQTT-3.1.2-24] a client that cannot take its SUBACK is disconnected instead")
    func subackTooLarge() throws {
        let peer = try ServerHarness().open().connect("c", maximumPacketSize: 30)
        var buffer = ByteBuffer()
        let requests = (0..<40).map { SubscribePacket.Request(filter: "\($0)", options: SubscriptionOptions(qos: .atMostOnce)) }
        try SubscribePacket(packetIdentifier: 1, requests: requests).write(version: .v5, into: &buffer)
        try peer.send(Array(buffer.readableBytesView))
        #expect(try peer.take() == ["DISCONNECT 149"])
        #expect(!peer.isOpen)
    }

    @Test("[MQTT-3.1.2-24] [MQTT-3.14.0-1] a client that cannot take its CONNACK is closed without a packet")
    func connackTooLarge() throws {
        let server = ServerHarness()
        let peer = try server.open()
        try peer.sendConnect(Self.connect { $0.maximumPacketSize = 4 })
        #expect(try peer.take() == [])
        #expect(!peer.isOpen)
        #expect(server.broker.clientCount == 0)
    }

    @Test("[MQTT-3.1.2-28] Response Information is told to those who ask, with their identifier in it")
    func responseInformation() throws {
        var limits = BrokerLimits()
        limits.responseTopicPrefix = "responses/%c/"
        let server = ServerHarness(limits: limits)
        let asking = try server.open().answer(to: Self.connect("a") { $0.requestResponseInformation = true })
        #expect(asking?.properties.responseInformation == "responses/a/")
        let silent = try server.open().answer(to: Self.connect("b"))
        #expect(silent?.reasonCode == .success && silent?.properties.responseInformation == nil)
        let refusing = try server.open().answer(to: Self.connect("c") { $0.requestResponseInformation = false })
        #expect(refusing?.reasonCode == .success && refusing?.properties.responseInformation == nil)
        for unusable in ["a/b", "a+", "#"] {
            let odd = try server.open().answer(to: Self.connect(unusable) { $0.requestResponseInformation = true })
            #expect(odd?.reasonCode == .success && odd?.properties.responseInformation == nil)
        }
    }

    // MARK: Another server

    @Test("a server that has another to use instead sends its clients there", arguments: [
        (.always, .v5, "CONNACK 0 156"), (.moved, .v5, "CONNACK 0 157"), (.moved, .v311, "CONNACK 0 3"),
    ] as [(Redirection.Occasion, ProtocolVersion, String)])
    func redirected(occasion: Redirection.Occasion, version: ProtocolVersion, answer: String) throws {
        var limits = BrokerLimits()
        limits.redirection = Redirection(serverReference: "other.example:1883", occasion: occasion)
        let server = ServerHarness(limits: limits)
        let peer = try server.open()
        try peer.sendConnect(Self.connect(version: version))
        let packets = try peer.takePackets()
        #expect(try packets.map { try Packets.text(of: $0, version: version) } == [answer])
        if version == .v5 {
            let connack = try packets[0].body.withUnsafeBytes { body throws(DecodeError) in
                try ConnackPacket.read(body: body, version: .v5)
            }
            #expect(connack.properties.serverReference == "other.example:1883")
        }
        #expect(!peer.isOpen)
    }

    @Test("a server that shuts down tells its clients so, and of the other server if it has one", arguments: [
        (nil, 0x8B), (.shutdown, 0x9C), (.moved, 0x9D),
    ] as [(Redirection.Occasion?, UInt8)])
    func shutdown(occasion: Redirection.Occasion?, reason: UInt8) throws {
        let server = ServerHarness()
        let peer = try server.open().connect("c")
        let old = try server.open().connect("old", version: .v311)
        if let occasion {
            server.broker.limits.redirection = Redirection(serverReference: "other.example", occasion: occasion)
        }
        server.broker.shutDown(now: SystemClock.monotonic(), wall: SystemClock.wall())
        server.broker.flush()
        server.settle()
        let body = try #require(try peer.takePackets().first?.body)
        let packet = try body.withUnsafeBytes { body throws(DecodeError) in
            try DisconnectPacket.read(body: body, version: .v5)
        }
        #expect(packet.reasonCode.rawValue == reason)
        #expect(packet.properties.serverReference == (occasion == nil ? nil : "other.example"))
        // [MQTT-3.14.2-2] a server never says a Session Expiry Interval in DISCONNECT.
        #expect(packet.properties.sessionExpiryInterval == nil)
        #expect(try old.take() == [])
        #expect(!peer.isOpen && !old.isOpen)
    }

    // MARK: What is not available

    @Test("[MQTT-3.2.2-9] [MQTT-3.2.2-10] with a lower Maximum QoS a client is told, may subscribe with more and is granted that much")
    func maximumQoS() throws {
        var limits = BrokerLimits()
        limits.maximumQoS = .atMostOnce
        let server = ServerHarness(limits: limits)
        let peer = try server.open()
        #expect(try peer.answer(to: Self.connect())?.properties.maximumQoS == 0)
        for qos in QoS.allCases {
            try peer.send(Packets.subscribe("a", qos: qos, version: .v5))
            #expect(try peer.take() == ["SUBACK 1 0"])
        }
        try peer.publish("a", "x")
        #expect(try peer.take() == ["PUBLISH a x"])
        try peer.publish("a", "x", qos: .atLeastOnce)
        #expect(try peer.take() == ["DISCONNECT 155"])
        // [MQTT-3.2.2-12]
        let willing = try server.open()
        let answer = try willing.answer(to: Self.connect("w", will: Will(topic: "w", payload: [], qos: .atLeastOnce)))
        #expect(answer?.reasonCode == .qosNotSupported)
        #expect(!willing.isOpen)
        #expect(try ServerHarness().open().answer(to: Self.connect())?.properties.maximumQoS == nil)
    }

    @Test("[MQTT-3.2.2-13] without retained messages a client is told, and neither its messages nor its will may be retained")
    func retainNotAvailable() throws {
        var limits = BrokerLimits()
        limits.retainAvailable = false
        let server = ServerHarness(limits: limits)
        let peer = try server.open()
        #expect(try peer.answer(to: Self.connect())?.properties.retainAvailable == false)
        var retained = Packets.publish("a", "x", version: .v5)
        retained[0] |= 1
        try peer.send(retained)
        #expect(try peer.take() == ["DISCONNECT 154"])
        let willing = try server.open()
        let answer = try willing.answer(to: Self.connect("w", will: Will(topic: "w", payload: [1], retain: true)))
        #expect(answer?.reasonCode == .retainNotSupported)
        #expect(!willing.isOpen)
        let watcher = try server.open().connect("s")
        try watcher.subscribe("#")
        #expect(try watcher.take() == [])
    }

    @Test("without wildcard subscriptions a client is told, and one that uses them all the same ends its connection")
    func wildcardsNotAvailable() throws {
        var limits = BrokerLimits()
        limits.wildcardSubscriptionAvailable = false
        let server = ServerHarness(limits: limits)
        let peer = try server.open()
        #expect(try peer.answer(to: Self.connect())?.properties.wildcardSubscriptionAvailable == false)
        try peer.subscribe("a")
        try peer.send(Packets.subscribe("a/+", version: .v5))
        #expect(try peer.take() == ["DISCONNECT 162"])
        let old = try server.open().connect("old", version: .v311)
        try old.send(Packets.subscribe("a/#", version: .v311))
        #expect(try old.take() == ["SUBACK 1 128"])
    }

    @Test("without subscription identifiers a client is told, and one that uses them all the same ends its connection")
    func subscriptionIdentifiersNotAvailable() throws {
        var limits = BrokerLimits()
        limits.subscriptionIdentifierAvailable = false
        let peer = try ServerHarness(limits: limits).open()
        #expect(try peer.answer(to: Self.connect())?.properties.subscriptionIdentifierAvailable == false)
        try peer.send(Packets.subscribe("a", identifier: 1, version: .v5))
        #expect(try peer.take() == ["DISCONNECT 161"])
    }

    // MARK: Payload format

    private static let isUTF8: [UInt8] = [0x01, 1]

    @Test("a payload that is not the UTF-8 it is said to be is refused, or dropped and counted where nobody can be told")
    func payloadFormat() throws {
        let server = ServerHarness()
        let subscriber = try server.open().connect("s")
        try subscriber.subscribe("a", qos: .exactlyOnce)
        let peer = try server.open().connect("c")
        let broken: [UInt8] = [0xC3, 0x28]
        for (first, identifier) in [(0x32, [0, 1]), (0x34, [0, 2]), (0x30, [])] as [(UInt8, [UInt8])] {
            try peer.send(Packets.packet(first, Packets.field("a") + identifier + [2] + Self.isUTF8 + broken))
        }
        #expect(try peer.take() == ["PUBACK 1 153", "PUBREC 2 153"])
        #expect(server.broker.statistics.dropped == 1)
        // Said to be bytes, or nothing said.
        try peer.send(Packets.packet(0x30, Packets.field("a") + [2, 0x01, 0] + broken))
        try peer.send(Packets.packet(0x30, Packets.field("a") + [0] + broken))
        #expect(try subscriber.takePackets().count == 2)
        try peer.publish("a", "größer \u{0}", properties: Self.isUTF8)
        #expect(try subscriber.take() == ["PUBLISH a größer \u{0}"])
        #expect(peer.isOpen)
        server.broker.limits.checksPayloadFormat = false
        try peer.send(Packets.packet(0x30, Packets.field("a") + [2] + Self.isUTF8 + broken))
        #expect(try subscriber.takePackets().count == 1)
    }

    @Test("[MQTT-4.3.3-9] a refused message of QoS 2 leaves its packet identifier free for a new one")
    func refusedPacketIdentifier() throws {
        let server = ServerHarness()
        let subscriber = try server.open().connect("s")
        try subscriber.subscribe("a")
        let peer = try server.open().connect("c")
        try peer.send(Packets.packet(0x34, Packets.field("a") + [0, 1, 2] + Self.isUTF8 + [0xFF]))
        try peer.publish("a", "new", qos: .exactlyOnce, packetIdentifier: 1)
        #expect(try peer.take() == ["PUBREC 1 153", "PUBREC 1 0"])
        #expect(try subscriber.take() == ["PUBLISH a new"])
    }

    @Test("a will whose payload is not the UTF-8 it is said to be is refused")
    func willPayloadFormat() throws {
        let will = Will(topic: "w", payload: [0xFF], forwardedProperties: Self.isUTF8)
        let answer = try ServerHarness().open().answer(to: Self.connect(will: will))
        #expect(answer?.reasonCode == .payloadFormatInvalid)
    }
}
