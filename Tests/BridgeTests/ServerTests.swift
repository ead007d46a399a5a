import Broker
import Core
import Glibc
import MQTTClient
import MQTTCodec
import NIOCore
import NIOEmbedded
import Testing

@testable import Bridge

@Suite("Servers")
struct ServerTests {
    private func fixture(_ hosts: String..., returnToFirst: Duration? = .seconds(600)) throws -> BridgeFixture {
        try BridgeFixture { configuration in
            configuration.servers = hosts.map { ClientTransport(host: $0) }
            configuration.returnToFirst = returnToFirst
            configuration.forwards = [.init(filter: try #require(TopicFilter("#")))]
        }
    }

    @Test("when a server does not answer the next is tried at once, in order, and after the last there is a wait")
    func order() throws {
        let fixture = try fixture("a", "b", "c")
        fixture.deadServers = ["a", "b", "c"]
        fixture.bridge.start()
        fixture.loop.run()
        #expect(fixture.tried == ["a", "b", "c"])
        guard case .waiting = fixture.bridge.status.state else {
            Issue.record("\(fixture.bridge.status.state)")
            return
        }
        fixture.wait(.seconds(2))
        #expect(fixture.tried == ["a", "b", "c", "a", "b", "c"])
    }

    @Test("a server that refuses the connection is passed over too")
    func refused() throws {
        let fixture = try fixture("a", "b")
        try fixture.start(PacketBytes.connack(.badUserNameOrPassword))
        fixture.loop.run()
        #expect(fixture.tried == ["a", "b"])
    }

    @Test("a good connection that is lost is followed by a wait and the first server")
    func lost() throws {
        let fixture = try fixture("a", "b")
        fixture.deadServers = ["a"]
        try fixture.start()
        #expect(fixture.tried == ["a", "b"] && fixture.bridge.status.state.isConnected)
        fixture.wait(.seconds(60))
        _ = try fixture.channel?.finish()
        fixture.loop.run()
        #expect(fixture.tried == ["a", "b"])
        fixture.deadServers = []
        fixture.wait(.seconds(2))
        #expect(fixture.tried == ["a", "b", "a"])
    }

    @Test("a server that accepts and closes at once does not keep the bridge from the next")
    func flapping() throws {
        let fixture = try fixture("a", "b")
        try fixture.start()
        _ = try fixture.channel?.finish()
        fixture.loop.run()
        #expect(fixture.tried == ["a", "b"])
    }

    @Test("at a further server the first is looked at now and then, and gone back to when it answers")
    func returns() throws {
        let fixture = try fixture("a", "b")
        fixture.deadServers = ["a"]
        try fixture.start()
        _ = try fixture.sent()
        fixture.wait(.seconds(599))
        #expect(fixture.probes == 0)
        fixture.wait(.seconds(1))
        #expect(fixture.probes == 1 && fixture.tried == ["a", "b"] && fixture.bridge.status.state.isConnected)
        fixture.deadServers = []
        fixture.wait(.seconds(599))
        #expect(fixture.probes == 1)
        let left = try #require(fixture.channel)
        fixture.wait(.seconds(1))
        #expect(fixture.probes == 2 && fixture.tried == ["a", "b"] && fixture.bridge.status.state.isConnected)
        try fixture.probe?.writeInbound(PacketBytes.connack())
        fixture.loop.run()
        #expect(fixture.tried == ["a", "b", "a"])
        #expect(try left.sentPackets().flatMap { $0 }.map(\.type) == [.disconnect])
        try fixture.upstream(PacketBytes.connack())
        #expect(fixture.bridge.status.state.isConnected && fixture.bridge.status.lastError != nil, "what it went away from a for stays")
    }

    /// At the second server, and looking at the first.
    private func looking(_ change: (inout BridgeConfiguration) -> Void = { _ in }) throws -> BridgeFixture {
        let fixture = try fixture("a", "b")
        change(&fixture.bridge.configuration)
        fixture.deadServers = ["a"]
        try fixture.start()
        fixture.deadServers = []
        fixture.wait(.seconds(600))
        return fixture
    }

    @Test("the first is looked at with the bridge's credentials and a session of its own, which is left at once")
    func probeConnects() throws {
        let fixture = try looking { $0.userName = "box-user" }
        let probe = try #require(fixture.probe)
        let connect = try #require(try probe.sentPackets().flatMap { $0 }.first)
        let packet = try connect.body.withUnsafeBytes { try ConnectPacket.read(body: $0) }
        #expect(packet.clientIdentifier == "box-probe" && packet.cleanStart && packet.userName == "box-user")
        #expect(packet.will == nil && packet.properties.sessionExpiryInterval == nil)
        try probe.writeInbound(PacketBytes.connack())
        #expect(try probe.sentPackets().flatMap { $0 }.map(\.type) == [.disconnect])
    }

    @Test("a first server that takes a connection and does not answer CONNECT is not gone back to, and is looked at again")
    func silentFirst() throws {
        let fixture = try looking()
        let probe = try #require(fixture.probe)
        fixture.loop.advanceTime(by: .seconds(10))
        #expect(!probe.isActive && fixture.tried == ["a", "b"] && fixture.bridge.status.state.isConnected)
        fixture.wait(.seconds(600))
        #expect(fixture.probes == 2 && fixture.tried == ["a", "b"])
    }

    @Test("a first server that refuses is not gone back to, nor is one that hangs up", arguments: [true, false])
    func refusingFirst(inWords: Bool) throws {
        let fixture = try looking()
        let probe = try #require(fixture.probe)
        if inWords { try probe.writeInbound(PacketBytes.connack(.notAuthorized)) } else { _ = try probe.finish() }
        fixture.loop.run()
        #expect(fixture.tried == ["a", "b"] && fixture.bridge.status.state.isConnected)
        #expect(fixture.bridge.status.lastError == "no connection: no answer in time", "the failure of a, not that of the look")
    }

    @Test("a look that is answered after the bridge was stopped changes nothing")
    func lateAnswer() throws {
        let fixture = try looking()
        let probe = try #require(fixture.probe)
        fixture.bridge.stop()
        #expect(!probe.isActive && fixture.bridge.probe == nil && fixture.tried == ["a", "b"])
    }

    @Test("with a form only the first server's port is tried")
    func portOnly() throws {
        let fixture = BridgeFixture { configuration in
            configuration.servers = ["a", "b"].map { ClientTransport(host: $0) }
            configuration.form = .init(settings: "plain") { UpstreamForm() }
        }
        fixture.deadServers = ["a"]
        try fixture.start()
        fixture.deadServers = []
        fixture.wait(.seconds(600))
        #expect(fixture.probe == nil && fixture.tried == ["a", "b", "a"])
    }

    @Test("without a time to return the bridge stays where it is")
    func stays() throws {
        let fixture = try fixture("a", "b", returnToFirst: nil)
        fixture.deadServers = ["a"]
        try fixture.start()
        fixture.deadServers = []
        fixture.wait(.seconds(100_000))
        #expect(fixture.probes == 0 && fixture.tried == ["a", "b"])
    }

    @Test("at another server the subscriptions are made anew, whatever session it has")
    func otherSession() throws {
        let fixture = try fixture("a", "b")
        fixture.bridge.configuration.receives = [.init(filter: try #require(TopicFilter("down/#")))]
        try fixture.start()
        try fixture.upstream(PacketBytes.suback(65_535, [.grantedQoS1]))
        _ = try fixture.channel?.finish()
        fixture.loop.run()
        try fixture.upstream(PacketBytes.connack(sessionPresent: true))
        #expect(try fixture.sent().map(\.type) == [.connect, .subscribe])
    }
}

@Suite("Bridge bit")
struct BridgeBitTests {
    private func fixture(_ version: ProtocolVersion) throws -> BridgeFixture {
        try BridgeFixture { configuration in
            configuration.version = version
            configuration.forwards = [.init(filter: try #require(TopicFilter("#")))]
        }
    }

    private func connect(_ fixture: BridgeFixture) throws -> ConnectPacket {
        let sent = try fixture.sent()
        return try #require(sent.first).body.withUnsafeBytes { try ConnectPacket.read(body: $0) }
    }

    @Test("before MQTT 5.0 the upstream is told that a bridge comes", arguments: [ProtocolVersion.v311, .v5])
    func told(version: ProtocolVersion) throws {
        let fixture = try fixture(version)
        fixture.bridge.start()
        fixture.loop.run()
        #expect(try connect(fixture).isBridge == (version == .v311))
    }

    @Test("an upstream that refuses the version, or hangs up, is asked once more without", arguments: [true, false])
    func refused(inWords: Bool) throws {
        let fixture = try fixture(.v311)
        fixture.bridge.start()
        fixture.loop.run()
        if inWords {
            // Return code 1: unacceptable protocol version.
            try fixture.upstream(ByteBuffer(bytes: [0x20, 2, 0, 1]))
        } else {
            _ = try fixture.channel?.finish()
        }
        fixture.loop.run()
        #expect(fixture.connections == 2)
        #expect(try connect(fixture).isBridge == false)
        try fixture.upstream(ByteBuffer(bytes: [0x20, 2, 0, 0]))
        #expect(fixture.bridge.status.state.isConnected)
    }

    @Test("an upstream that refuses for another reason is not asked at once")
    func unauthorized() throws {
        let fixture = try fixture(.v311)
        fixture.bridge.start()
        fixture.loop.run()
        try fixture.upstream(ByteBuffer(bytes: [0x20, 2, 0, 5]))
        fixture.loop.run()
        #expect(fixture.connections == 1)
    }
}

@Suite("An upstream without MQTT 5.0")
struct VersionTests {
    private func fixture(_ version: ProtocolVersion = .v5) throws -> BridgeFixture {
        let fixture = try BridgeFixture { configuration in
            configuration.version = version
            configuration.usesBridgeBit = false
            configuration.forwards = [.init(filter: try #require(TopicFilter("#")))]
        }
        fixture.bridge.start()
        fixture.loop.run()
        return fixture
    }

    @Test(
        "one that refuses the version is said to, with what to set",
        arguments: [[0x20, 2, 0, 1], [0x20, 3, 0, 0x84, 0]] as [[UInt8]])
    func refused(connack: [UInt8]) throws {
        let fixture = try fixture()
        try fixture.upstream(ByteBuffer(bytes: connack))
        #expect(
            fixture.bridge.status.lastError
                == "the upstream does not take MQTT 5.0: set protocol = \"3.1.1\" in its [[bridge]]")
    }

    @Test("one that ends the connection at CONNECT may be one, and what to set then is said")
    func ended() throws {
        let fixture = try fixture()
        _ = try fixture.channel?.finish()
        let text = try #require(fixture.bridge.status.lastError)
        #expect(text.hasPrefix("connection lost before CONNECT was answered; if") && text.contains("protocol = \"3.1.1\""))
    }

    @Test("a refusal in MQTT 3.1.1 for another reason keeps its reason")
    func otherReason() throws {
        let fixture = try fixture()
        try fixture.upstream(ByteBuffer(bytes: [0x20, 2, 0, 5]))
        #expect(
            fixture.bridge.status.lastError
                == "refused: not authorized (0x87): look at user-name and password-file in its [[bridge]]")
    }

    @Test("a connection that is reset before it was accepted says that something else may be spoken at the port")
    func reset() throws {
        let fixture = try fixture()
        fixture.channel?.pipeline.fireErrorCaught(IOError(errnoCode: ECONNRESET, reason: "read"))
        #expect(
            fixture.bridge.status.lastError
                == "no connection: Connection reset by peer: perhaps plain MQTT is not spoken at this port; look at port and "
                + "transport in its [[bridge]]")
    }

    @Test("with MQTT 3.1.1 nobody is told to set it")
    func version311() throws {
        let fixture = try fixture(.v311)
        _ = try fixture.channel?.finish()
        #expect(fixture.bridge.status.lastError == "connection lost")
    }

    @Test("a connection that ends after it was accepted is only lost")
    func accepted() throws {
        let fixture = try fixture()
        try fixture.upstream(PacketBytes.connack())
        _ = try fixture.channel?.finish()
        #expect(fixture.bridge.status.lastError == "connection lost")
    }
}

@Suite("Announcements")
struct AnnouncementTests {
    private func fixture(receives: Bool = false) throws -> BridgeFixture {
        try BridgeFixture { configuration in
            configuration.birth = .init(topic: "state", payload: Array("on".utf8), qos: .exactlyOnce, retain: true)
            configuration.will = .init(topic: "state", payload: Array("off".utf8), qos: .exactlyOnce, retain: true)
            configuration.forwards = [.init(filter: try #require(TopicFilter("up/#")))]
            if receives { configuration.receives = [.init(filter: try #require(TopicFilter("down/#")))] }
        }
    }

    @Test("the will is in CONNECT, and the birth follows CONNACK each time")
    func birth() throws {
        let fixture = try fixture()
        for _ in 0..<2 {
            try fixture.start()
            let sent = try fixture.sent()
            #expect(sent.map(\.type) == [.connect, .publish])
            let packet = try sent[0].body.withUnsafeBytes { try ConnectPacket.read(body: $0) }
            #expect(packet.will == Will(topic: "state", payload: Array("off".utf8), qos: .exactlyOnce, retain: true))
            #expect(sent[1].publish == "state=on #65535" && sent[1].flags & 1 == 1)
            _ = try fixture.channel?.finish()
            fixture.wait(.seconds(2))
        }
    }

    @Test("with subscriptions the birth waits for their answer, whose packet identifier it uses")
    func afterSubscribe() throws {
        let fixture = try fixture(receives: true)
        try fixture.start()
        #expect(try fixture.sent().map(\.type) == [.connect, .subscribe])
        try fixture.upstream(PacketBytes.suback(65_535, [.grantedQoS1]))
        #expect(try fixture.publishes() == ["state=on #65535"])
        try fixture.upstream(PacketBytes.acknowledgement(.puback, 65_535))
        #expect(fixture.bridge.status.counts.unexpectedAcknowledgements == 0)
    }

    @Test("before DISCONNECT the bridge says what its will would")
    func goodbye() throws {
        let fixture = try fixture()
        try fixture.start()
        _ = try fixture.sent()
        fixture.bridge.stop()
        let sent = try fixture.sent()
        #expect(sent.map(\.type) == [.publish, .disconnect])
        #expect(sent[0].publish == "state=off #65535" && sent[0].flags & 1 == 1)
    }
}
