import Broker
import Core
import MQTTCodec
import Testing

@testable import MQTTServer

/// Clients of a listener with a prefix live below it, and do not notice.
@Suite("A listener's topic prefix")
struct TopicPrefixTests {
    private let prefix = TopicPrefix(levels: "site/7")

    private static func harness() -> ServerHarness {
        ServerHarness(settings: ListenerSettings(name: "field", topicPrefix: TopicPrefix(levels: "site/7")))
    }

    /// A client of the same broker that came through a listener without a prefix.
    private static func outsider(_ server: ServerHarness) throws -> Peer {
        try Peer(server, listener: OpenListener(place: .network(address: "192.0.2.2", port: 1883), settings: ListenerSettings(name: "plain"), shared: server.context))
    }

    @Test("filters get the prefix, behind the name of a shared subscription", arguments: [
        ("a/b", "site/7/a/b"), ("#", "site/7/#"), ("+", "site/7/+"), ("/a", "site/7//a"), ("", ""),
        ("$share/g/a/#", "$share/g/site/7/a/#"), ("$share/g", "$share/g"), ("$share/g/", "$share/g/"),
        ("$SYS/#", "$SYS/#"), ("$share/g/$SYS/#", "$share/g/$SYS/#"), ("$other/a", "site/7/$other/a"),
    ])
    func filters(filter: String, expected: String) {
        #expect(prefix.added(toFilter: filter) == expected)
    }

    @Test("what a client publishes lies below the prefix, and what it gets has none", arguments: [
        ProtocolVersion.v311, .v5,
    ])
    func bothWays(version: ProtocolVersion) throws {
        let server = Self.harness()
        let inside = try server.open().connect("inside", version: version)
        let outside = try Self.outsider(server).connect("outside", version: version)
        try inside.subscribe("a/#", qos: .atLeastOnce)
        try outside.subscribe("#", qos: .atMostOnce)
        try inside.publish("a/b", "1")
        #expect(try inside.take() == ["PUBLISH a/b 1"])
        #expect(try outside.take() == ["PUBLISH site/7/a/b 1"])
        try outside.publish("site/7/a/c", "2", qos: .atLeastOnce)
        #expect(try inside.take() == ["PUBLISH 1 a/c 2"])
        try outside.publish("a/d", "3", qos: .atLeastOnce)
        #expect(try inside.take() == [])
    }

    @Test("[MQTT-4.7.2-1] a filter that begins with a wildcard does not match a topic that begins with $, as the client sees both", arguments: [
        ("#", ["a/b", "a/$x"]), ("+/b", ["a/b"]), ("$share/g/#", ["a/b", "a/$x"]), ("$share/g/+/b", ["a/b"]), ("$x/#", ["$x/b"]), ("$x/+", ["$x/b"]),
        ("a/+", ["a/b", "a/$x"]), ("a/#", ["a/b", "a/$x"]),
    ])
    func reserved(filter: String, expected: [String]) throws {
        let server = Self.harness()
        let inside = try server.open().connect("inside")
        let outside = try Self.outsider(server).connect("outside")
        let topics = ["a/b", "$x/b", "a/$x"]
        let all = topics.map { "PUBLISH \($0) 1" }
        let wanted = expected.map { "PUBLISH \($0) 1" }
        for topic in topics { try outside.send(Packets.packet(0x31, Packets.field("site/7/\(topic)") + [0] + Array("1".utf8))) }
        try inside.send(Packets.subscribe(filter, version: .v5))
        let isShared = filter.hasPrefix("$share")
        #expect(try inside.take() == ["SUBACK 1 0"] + all.filter { wanted.contains($0) && !isShared })
        for topic in topics { try inside.publish(topic, "1") }
        #expect(try inside.take() == all.filter { wanted.contains($0) })
    }

    @Test("UNSUBSCRIBE ends what SUBSCRIBE began")
    func unsubscribe() throws {
        let server = Self.harness()
        let inside = try server.open().connect("inside")
        try inside.subscribe("a/#")
        try inside.send(try Packets.unsubscribe("a/#", version: .v5))
        #expect(try inside.take() == ["UNSUBACK 2 0"])
    }

    @Test("a will is published below the prefix")
    func will() throws {
        let server = Self.harness()
        let outside = try Self.outsider(server).connect("outside")
        try outside.subscribe("#")
        try server.open().connect("inside", will: Will(topic: "gone", payload: Array("w".utf8))).lose()
        #expect(try outside.take() == ["PUBLISH site/7/gone w"])
    }

    @Test("a topic that is too long below the prefix ends its connection")
    func tooLong() throws {
        let server = Self.harness()
        let long = String(repeating: "x", count: 65_535 - 6)
        let inside = try server.open().connect("inside")
        try inside.publish(long, "1")
        #expect(try inside.take() == ["DISCONNECT 144"])
        let fits = try server.open().connect("fits")
        try fits.publish(String(long.dropLast()), "1")
        #expect(try fits.take() == [] && fits.isOpen)
        let willing = try server.open()
        try willing.send(try Packets.connect("willing", version: .v5, will: Will(topic: long, payload: [])))
        #expect(try willing.take(version: .v5) == ["CONNACK 0 144"])
        #expect(!willing.isOpen)
    }

    @Test("an empty topic does not become the prefix")
    func empty() throws {
        let inside = try Self.harness().open().connect("inside")
        try inside.publish("", "1")
        #expect(!inside.isOpen)
    }

    @Test("a Response Topic is in the names of whoever reads it")
    func responseTopic() throws {
        let server = Self.harness()
        let inside = try server.open().connect("inside")
        let outside = try Self.outsider(server).connect("outside")
        try inside.subscribe("to-me")
        try outside.subscribe("#")
        // Content type, response topic, correlation data, user property.
        func properties(_ topic: String) -> [UInt8] {
            [0x03, 0, 1, 0x74, 0x08, 0, UInt8(topic.utf8.count)] + Array(topic.utf8) + [0x09, 0, 1, 7, 0x26, 0, 1, 0x6B, 0, 1, 0x76]
        }
        try inside.publish("a", "1", properties: properties("answer"))
        #expect(try outside.takeProperties() == [properties("site/7/answer")])
        try outside.publish("site/7/to-me", "2", properties: properties("site/7/answer"))
        #expect(try inside.takeProperties() == [properties("answer")])
        _ = try outside.take()
        // The client has no name for it.
        try outside.publish("site/7/to-me", "2", properties: properties("elsewhere"))
        #expect(try inside.takeProperties() == [properties("elsewhere")])
    }

    @Test("a session's messages from beyond the prefix are passed over")
    func beyond() throws {
        let server = Self.harness()
        let first = try Self.outsider(server).connect("roamer", expiry: 100)
        try first.subscribe("#", qos: .atLeastOnce)
        first.lose()
        let outside = try Self.outsider(server).connect("outside")
        for topic in ["elsewhere", "site/7/here"] { try outside.publish(topic, "x", qos: .atLeastOnce) }
        let roamer = try server.open()
        try roamer.send(try Packets.connect("roamer", version: .v5, expiry: 100, clean: false))
        #expect(try roamer.take(version: .v5) == ["CONNACK 1 0", "PUBLISH 2 here x"])
    }
}
