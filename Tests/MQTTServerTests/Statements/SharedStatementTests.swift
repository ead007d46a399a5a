import Broker
import Core
import MQTTCodec
import Testing

@testable import MQTTServer

/// MQTT 5.0 §4.8.2: subscriptions of which one client at a time gets a message.
@Suite("Statements: shared subscriptions")
struct SharedStatementTests {
    private let server = ServerHarness()

    private func member(_ packet: ConnectPacket, qos: QoS = .exactlyOnce) throws -> Peer {
        let peer = try server.client(packet)
        try peer.subscribe(to: ["$share/g/a"], SubscriptionOptions(qos: qos))
        #expect(try peer.take() == ["SUBACK 1 \(qos.rawValue)"])
        return peer
    }

    private func publish(_ payloads: [String], qos: QoS) throws {
        let publisher = try server.client(.of("p"))
        for (number, payload) in payloads.enumerated() {
            try publisher.publish("a", payload, flags: qos.rawValue << 1, packetIdentifier: UInt16(number + 1))
        }
    }

    @Test("[MQTT-4.8.2-1] [MQTT-4.8.2-2] a shared filter has a name without wildcards and a filter behind it", arguments: [
        ProtocolVersion.v311, .v5,
    ])
    func filters(version: ProtocolVersion) throws {
        let peer = try server.client(.of("c", version: version))
        try peer.subscribe(to: ["$share/g/a", "$share/g/#", "$share/g//", "$share/größe/+/b"])
        #expect(try peer.take() == ["SUBACK 1 2 2 2 2"])
        let invalid = ["$share/g", "$share/g/", "$share//a", "$share/", "$share/g+/a", "$share/#/a", "$share/g/a#", "$share/+/a"]
        try peer.subscribe(to: invalid)
        let code = version == .v5 ? "143" : "128"
        #expect(try peer.take() == ["SUBACK 1 " + invalid.map { _ in code }.joined(separator: " ")])
    }

    @Test("[MQTT-4.8.2-3] each message goes to one member, with at most the QoS that it was granted")
    func oneMember() throws {
        let members = try QoS.allCases.map { try member(.of("m\($0.rawValue)"), qos: $0) }
        try publish((1...9).map(String.init), qos: .atLeastOnce)
        var received: [String] = []
        for (peer, granted) in zip(members, QoS.allCases) {
            let messages = try peer.messages()
            #expect(messages.allSatisfy { $0.qos == min(granted, .atLeastOnce).rawValue })
            #expect(messages.count == 3)
            received += messages.map(\.payload)
        }
        #expect(received.sorted() == (1...9).map(String.init))
    }

    @Test("[MQTT-4.7.3-4] groups are told apart by the bytes of their names")
    func exactNames() throws {
        let peers = try ["caf\u{E9}", "cafe\u{301}"].map { name -> Peer in
            let peer = try server.client(.of(name))
            try peer.subscribe(to: ["$share/\(name)/a"])
            _ = try peer.take()
            return peer
        }
        try publish(["x"], qos: .atMostOnce)
        let received = try peers.map { try $0.payloads() }
        #expect(received == [["x"], ["x"]])
    }

    @Test("[MQTT-4.8.2-4] a QoS 2 message is completed with the member that has begun to receive it")
    func completed() throws {
        let packet = ConnectPacket.of("first", clean: false, expiry: 100)
        let first = try member(packet)
        try publish(["x"], qos: .exactlyOnce)
        #expect(try first.payloads() == ["x"])
        let second = try member(.of("second"))
        first.lose()
        #expect(try second.payloads() == [])
        let again = try server.open()
        try again.sendConnect(packet)
        #expect(try again.messages().map { "\($0.payload) \($0.duplicate)" } == ["x true"])
        try again.acknowledge(.pubrec, 1)
        #expect(try again.take() == ["PUBREL 1 0"])
        #expect(try second.payloads() == [])
    }

    @Test("[MQTT-4.8.2-5] if that member's session ends, nobody else gets the message")
    func notGivenOn() throws {
        let first = try member(.of("first"))
        try publish(["x"], qos: .exactlyOnce)
        #expect(try first.payloads() == ["x"])
        let second = try member(.of("second"))
        first.lose()
        #expect(try second.payloads() == [])
    }

    @Test("[MQTT-4.8.2-6] a message that a member refuses is given to nobody else", arguments: [QoS.atLeastOnce, .exactlyOnce])
    func refused(qos: QoS) throws {
        let first = try member(.of("first"))
        try publish(["x"], qos: qos)
        #expect(try first.payloads() == ["x"])
        let second = try member(.of("second"))
        try first.refuse(qos == .atLeastOnce ? .puback : .pubrec, 1)
        first.lose()
        #expect(try second.payloads() == [])
    }

    @Test("[MQTT-3.8.3-4] No Local on a shared subscription is a protocol error")
    func noLocal() throws {
        let peer = try server.client(.of("c"))
        try peer.subscribe(to: ["$share/g/a"], SubscriptionOptions(qos: .atMostOnce, noLocal: true))
        #expect(try peer.take() == ["DISCONNECT 130"])
    }
}
