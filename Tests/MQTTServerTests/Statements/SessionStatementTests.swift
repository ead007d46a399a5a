import Broker
import Core
import MQTTCodec
import Testing

@testable import MQTTServer

/// MQTT 5.0 §3.1.2.4, §3.1.2.5, §3.1.2.11.2, §3.14 and §4.1: sessions, wills and leaving.
@Suite("Statements: sessions and wills")
struct SessionStatementTests {
    private let server = ServerHarness()

    private func watcher() throws -> Peer {
        let watcher = try server.client(.of("watcher"))
        try watcher.subscribe(to: ["w/#"], SubscriptionOptions(qos: .exactlyOnce, retainAsPublished: true))
        _ = try watcher.take()
        return watcher
    }

    private func will(_ payload: String = "gone", retain: Bool = false, delay: UInt32 = 0, properties: [UInt8] = []) -> Will {
        Will(
            topic: "w/c", payload: Array(payload.utf8), qos: .atLeastOnce, retain: retain, forwardedProperties: properties,
            delayInterval: delay)
    }

    /// The CONNACK of a connection made now.
    private func answer(_ packet: ConnectPacket) throws -> String? {
        let peer = try server.open()
        try peer.sendConnect(packet)
        return try peer.take().first
    }

    // MARK: Sessions

    @Test("[MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2] Clean Start 1 forgets what was there", arguments: [ProtocolVersion.v311, .v5])
    func cleanStart(version: ProtocolVersion) throws {
        let first = try server.client(.of("c", version: version, clean: false, expiry: 100))
        try first.subscribe("a")
        first.lose()
        #expect(try answer(.of("c", version: version, clean: true, expiry: 100)) == "CONNACK 0 0")
        let publisher = try server.client(.of("p"))
        try publisher.publish("a", "x", qos: .atLeastOnce)
        #expect(try publisher.take() == ["PUBACK 1 16"])
    }

    @Test("[MQTT-3.1.2-5] [MQTT-3.2.2-3] [MQTT-3.1.2-23] [MQTT-3.1.2-5 v3.1.1] Clean Start 0 goes on with the session", arguments: [
        ProtocolVersion.v311, .v5,
    ])
    func resumed(version: ProtocolVersion) throws {
        let packet = ConnectPacket.of("c", version: version, clean: false, expiry: 100)
        let first = try server.client(packet)
        try first.subscribe("a", qos: .atLeastOnce)
        first.lose()
        let publisher = try server.client(.of("p"))
        try publisher.publish("a", "while away", qos: .atLeastOnce)
        let again = try server.open()
        try again.sendConnect(packet)
        #expect(try again.take() == ["CONNACK 1 0", "PUBLISH 1 a while away"])
    }

    @Test("[MQTT-3.1.2-6] [MQTT-3.2.2-3] [MQTT-3.1.4-5] Clean Start 0 begins a session where there is none")
    func notResumed() throws {
        #expect(try answer(.of("c", clean: false)) == "CONNACK 0 0")
        #expect(try answer(.of("d", version: .v311, clean: false)) == "CONNACK 0 0")
    }

    @Test("[MQTT-4.1.0-2] [MQTT-3.1.2-6 v3.1.1] a session without a life of its own ends with its connection")
    func endsWithConnection() throws {
        for packet in [ConnectPacket.of("c", clean: true), .of("c", clean: false), .of("c", version: .v311, clean: true)] {
            let first = try server.client(packet)
            try first.subscribe("a")
            first.lose()
            #expect(try answer(.of("c", clean: false, expiry: 1)) == "CONNACK 0 0")
        }
    }

    @Test("[MQTT-4.1.0-2] [MQTT-4.1.0-1] a session ends when its interval has passed after the connection, and not while it lasts")
    func expires() throws {
        let first = try server.client(.of("c", expiry: 10))
        server.tick(after: .seconds(100))
        #expect(first.isOpen)
        try first.subscribe("a")
        first.lose()
        server.tick(after: .seconds(9))
        let second = try server.open()
        try second.sendConnect(.of("c", clean: false, expiry: 10))
        #expect(try second.take() == ["CONNACK 1 0"])
        second.lose()
        server.tick(after: .seconds(11))
        #expect(try answer(.of("c", clean: false, expiry: 10)) == "CONNACK 0 0")
    }

    @Test("DISCONNECT may change the Session Expiry Interval, to 0 as well, but not raise it from 0")
    func expiryAtDisconnect() throws {
        let kept = try server.client(.of("kept", expiry: 1))
        try kept.send(Packets.disconnect(expiry: 100))
        #expect(!kept.isOpen)
        server.tick(after: .seconds(50))
        #expect(try answer(.of("kept", clean: false, expiry: 1)) == "CONNACK 1 0")
        let ended = try server.client(.of("ended", expiry: 100))
        try ended.send(Packets.disconnect(expiry: 0))
        #expect(try answer(.of("ended", clean: false, expiry: 1)) == "CONNACK 0 0")
        let raised = try server.client(.of("raised"))
        try raised.send(Packets.disconnect(expiry: 100))
        #expect(try raised.take() == ["DISCONNECT 130"])
        #expect(try answer(.of("raised", clean: false, expiry: 1)) == "CONNACK 0 0")
    }

    @Test("a Session Expiry Interval above the limit is cut, and the client is told")
    func cutExpiry() throws {
        var limits = BrokerLimits()
        limits.maximumSessionExpiryInterval = 30
        let server = ServerHarness(limits: limits)
        #expect(try server.open().answer(to: .of("a", expiry: .max))?.properties.sessionExpiryInterval == 30)
        #expect(try server.open().answer(to: .of("b", expiry: 30))?.properties.sessionExpiryInterval == nil)
    }

    // MARK: Wills

    @Test("[MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.1.2-14] a will is published when the connection ends without a word, once and not retained")
    func published() throws {
        let watcher = try watcher()
        let client = try server.client(.of("c", expiry: 100, will: will()))
        client.lose()
        #expect(try watcher.messages().map { "\($0.payload) \($0.retain)" } == ["gone false"])
        // It is gone from the session: another connection without a will leaves nothing behind.
        try server.client(.of("c", clean: false, expiry: 100)).lose()
        server.tick(after: .seconds(200))
        #expect(try watcher.messages().isEmpty)
        let late = try server.client(.of("late"))
        try late.subscribe(to: ["w/#"])
        #expect(try late.take() == ["SUBACK 1 2"])
    }

    @Test("[MQTT-3.1.2-15] a will with will retain is published as a retained message")
    func retained() throws {
        let watcher = try watcher()
        try server.client(.of("c", will: will(retain: true))).lose()
        #expect(try watcher.messages().map(\.retain) == [true])
        let late = try server.client(.of("late"))
        try late.subscribe(to: ["w/#"])
        #expect(try late.payloads() == ["gone"])
    }

    @Test("[MQTT-3.14.4-3] [MQTT-3.1.2-8] [MQTT-3.1.2-10] DISCONNECT with 0x00 drops the will, with any other code it does not", arguments: [
        ([0xE0, 0], []), ([0xE0, 1, 0], []), ([0xE0, 1, 4], ["gone"]), ([0xE0, 1, 0x80], ["gone"]), ([0xE0, 1, 0x93], ["gone"]),
    ] as [([UInt8], [String])])
    func leaving(bytes: [UInt8], expected: [String]) throws {
        let watcher = try watcher()
        let client = try server.client(.of("c", will: will()))
        try client.send(bytes)
        #expect(!client.isOpen)
        #expect(try watcher.payloads() == expected)
    }

    @Test("[MQTT-3.1.2-8] every other end publishes the will", arguments: ["takeover", "silence", "error", "shutdown"])
    func otherEnds(end: String) throws {
        let watcher = try watcher()
        let client = try server.client(.of("c", keepAlive: 10, will: will()))
        switch end {
        case "takeover": _ = try server.client(.of("c"))
        case "silence": server.tick(after: .seconds(16))
        case "error": try client.send([0xD0, 0])
        default:
            server.broker.close(client.connection, reason: .serverShuttingDown, now: SystemClock.monotonic(), wall: SystemClock.wall())
            server.broker.flush()
            server.settle()
        }
        #expect(!client.isOpen)
        #expect(try watcher.payloads() == ["gone"])
    }

    @Test("[MQTT-3.1.3-9] [MQTT-3.1.2-8] a delayed will waits, and a connection in time cancels it")
    func delayed() throws {
        let watcher = try watcher()
        try server.client(.of("c", expiry: 100, will: will(delay: 10))).lose()
        server.tick(after: .seconds(9))
        #expect(try watcher.payloads() == [])
        try server.client(.of("c", clean: false, expiry: 100, will: will("second", delay: 10))).lose()
        server.tick(after: .seconds(11))
        #expect(try watcher.payloads() == ["second"])
    }

    @Test("[MQTT-3.1.2-8] a delayed will does not wait longer than its session lives")
    func delayedBeyondSession() throws {
        let watcher = try watcher()
        try server.client(.of("a", will: will("at once", delay: 10))).lose()
        #expect(try watcher.payloads() == ["at once"])
        try server.client(.of("b", expiry: 5, will: will("at its end", delay: 10))).lose()
        server.tick(after: .seconds(6))
        #expect(try watcher.payloads() == ["at its end"])
        try server.client(.of("c", expiry: 100, will: will("at a clean start", delay: 10))).lose()
        _ = try server.client(.of("c"))
        #expect(try watcher.payloads() == ["at a clean start"])
    }

    @Test("[MQTT-3.1.3-10] the user properties of a will keep their order")
    func userProperties() throws {
        func user(_ name: String, _ value: String) -> [UInt8] { [0x26] + Packets.field(name) + Packets.field(value) }
        let properties = user("b", "1") + user("a", "2") + user("b", "1") + user("a", "0")
        let watcher = try watcher()
        try server.client(.of("c", will: will(properties: properties))).lose()
        #expect(try watcher.messages().map(\.forwarded) == [properties])
    }

    // MARK: Leaving

    @Test("[MQTT-3.14.4-1] [MQTT-3.14.4-2] after DISCONNECT nothing is handled, nothing is said, and the connection is closed")
    func afterDisconnect() throws {
        let watcher = try watcher()
        let client = try server.client(.of("c"))
        try client.subscribe("w/#")
        try client.send(Packets.disconnect + Packets.publish("w/x", "x", version: .v5) + Packets.pingreq)
        #expect(try client.take() == [])
        #expect(!client.isOpen)
        #expect(try watcher.payloads() == [])
    }

    @Test("[MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-4.13.2-1] after a DISCONNECT of its own the server says nothing more and closes")
    func afterOurDisconnect() throws {
        let client = try server.client(.of("c"))
        try client.subscribe("a")
        try client.send([0xD0, 0] + Packets.publish("a", "x", version: .v5) + Packets.pingreq)
        #expect(try client.take() == ["DISCONNECT 130"])
        let publisher = try server.client(.of("p"))
        try publisher.publish("a", "x")
        #expect(try client.take() == [])
        #expect(!client.isOpen)
    }
}
