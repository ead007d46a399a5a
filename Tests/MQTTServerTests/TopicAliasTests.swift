import Broker
import Core
import MQTTCodec
import Testing

@testable import MQTTServer

/// Topic aliases from the server to a client (MQTT 5.0 §3.3.2.3.4).
@Suite("Topic aliases to a client")
struct TopicAliasTests {
    private let server = ServerHarness()

    private func subscriber(maximum: UInt16) throws -> Peer {
        var packet = ConnectPacket(version: .v5, clientIdentifier: "s", cleanStart: true, keepAlive: 0)
        packet.properties.topicAliasMaximum = maximum
        let peer = try server.open()
        #expect(try peer.answer(to: packet)?.reasonCode == .success)
        try peer.subscribe("#")
        return peer
    }

    @Test("[MQTT-3.1.2-26] a client that takes none gets none; [MQTT-3.1.2-27] nor does one that says 0", arguments: [0])
    func none(maximum: UInt16) throws {
        let peer = try subscriber(maximum: maximum)
        let publisher = try server.open().connect("p")
        for _ in 0..<2 { try publisher.send(Packets.publish("a", "x", version: .v5)) }
        #expect(try peer.takeAliases() == ["a nil", "a nil"])
    }

    @Test("a topic is said once, then its alias stands for it; [MQTT-3.3.2-8] no alias is above what the client takes")
    func reused() throws {
        let peer = try subscriber(maximum: 2)
        let publisher = try server.open().connect("p")
        for topic in ["a", "b", "a", "c", "b", "c"] { try publisher.send(Packets.publish(topic, "x", version: .v5)) }
        #expect(try peer.takeAliases() == ["a 1", "b 2", " 1", "c nil", " 2", "c nil"])
    }

    @Test("[MQTT-3.3.2-7] a new connection begins without aliases")
    func newConnection() throws {
        let first = try subscriber(maximum: 5)
        let publisher = try server.open().connect("p")
        try publisher.send(Packets.publish("a", "x", version: .v5))
        #expect(try first.takeAliases() == ["a 1"])
        let second = try subscriber(maximum: 5)
        try publisher.send(Packets.publish("a", "x", version: .v5))
        #expect(try second.takeAliases() == ["a 1"])
    }
}
