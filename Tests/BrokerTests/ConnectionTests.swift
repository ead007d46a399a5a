import Broker
import Core
import MQTTCodec
import Store
import Testing

@Suite("Connections")
struct ConnectionTests {
    static let will = Will(topic: "w", payload: Array("gone".utf8), qos: .atLeastOnce)

    func watcher(_ harness: BrokerHarness) -> RecordingClient {
        let watcher = harness.connect("watcher")
        harness.subscribe(watcher, "w")
        harness.settle()
        _ = watcher.take()
        return watcher
    }

    @Test("the will is published when the connection is lost and not after DISCONNECT")
    func will() {
        let harness = BrokerHarness()
        let watcher = watcher(harness)
        let polite = harness.connect("a", will: Self.will)
        harness.broker.disconnect(polite, packet: DisconnectPacket(), now: harness.now, wall: harness.wall)
        harness.settle()
        #expect(watcher.takeTexts() == [])
        harness.lose(harness.connect("b", will: Self.will))
        harness.settle()
        #expect(watcher.takeTexts() == ["gone"])
        let wanting = harness.connect("c", will: Self.will)
        harness.broker.disconnect(wanting, packet: DisconnectPacket(reasonCode: .disconnectWithWill), now: harness.now, wall: harness.wall)
        harness.settle()
        #expect(watcher.takeTexts() == ["gone"])
    }

    @Test("a delayed will waits, and a reconnection in time cancels it")
    func willDelay() {
        let harness = BrokerHarness()
        let watcher = watcher(harness)
        var will = Self.will
        will.delayInterval = 10
        harness.lose(harness.connect("a", cleanStart: false, expiry: 3600, will: will))
        harness.advance(.seconds(5))
        let back = harness.connect("a", cleanStart: false, expiry: 3600, will: will)
        harness.advance(.seconds(20))
        #expect(watcher.takeTexts() == [])
        harness.lose(back)
        harness.advance(.seconds(11))
        #expect(watcher.takeTexts() == ["gone"])
    }

    @Test("identifiers that start with $ are kept for the program itself")
    func reservedIdentifier() {
        let harness = BrokerHarness()
        let client = harness.connect("$bridge/cloud/forward", cleanStart: false, expiry: 3600)
        harness.settle()
        guard case .connack(let connack)? = client.take().first else {
            Issue.record("no CONNACK")
            return
        }
        #expect(connack.reasonCode == .clientIdentifierNotValid)
        harness.broker.attach(Client(takesInline: true), identifier: "$bridge/cloud/forward")
    }

    @Test("a silent client is closed after one and a half times its keep-alive, and its will is published")
    func keepAlive() {
        let harness = BrokerHarness()
        let watcher = watcher(harness)
        let client = harness.connect("a", keepAlive: 10, will: Self.will)
        harness.settle()
        _ = client.take()
        harness.advance(.seconds(14))
        #expect(client.take().isEmpty)
        client.touch(at: harness.now)
        harness.advance(.seconds(14))
        #expect(client.take().isEmpty)
        harness.advance(.seconds(2))
        #expect(client.take().map(\.text) == ["DISCONNECT 141"])
        #expect(watcher.takeTexts() == ["gone"])
    }

    @Test("whoever takes a session over is held to the keep-alive of its own CONNECT, not of the one before")
    func keepAliveAfterTakeover() {
        let harness = BrokerHarness()
        _ = harness.connect("a", keepAlive: 1000)
        harness.settle()
        harness.advance(.seconds(1))
        let client = harness.connect("a", keepAlive: 10)
        client.touch(at: harness.now)
        harness.settle()
        _ = client.take()
        harness.advance(.seconds(14))
        #expect(client.take().isEmpty)
        harness.advance(.seconds(1))
        #expect(client.take().map(\.text) == ["DISCONNECT 141"])
    }

    @Test("an empty identifier is assigned one, and refused before MQTT 5.0 without a clean session")
    func assignedIdentifier() throws {
        let harness = BrokerHarness()
        let client = harness.connect("")
        harness.settle()
        guard case .connack(let packet) = try #require(client.take().first) else { return }
        #expect(packet.properties.assignedClientIdentifier?.isEmpty == false)
        let old = harness.connect("", version: .v311, cleanStart: false)
        harness.settle()
        #expect(old.take().map(\.text) == ["CONNACK 0 133"])
        #expect(old.session == nil)
    }

    @Test("one connection too many is refused as busy")
    func maximumConnections() {
        var limits = BrokerLimits()
        limits.maximumConnections = 1
        let harness = BrokerHarness(limits: limits)
        let first = harness.connect("a")
        let second = harness.connect("b")
        harness.settle()
        #expect(second.take().map(\.text) == ["CONNACK 0 137"])
        harness.lose(first)
        let third = harness.connect("c")
        harness.settle()
        #expect(third.take().map(\.text) == ["CONNACK 0 0"])
    }

    @Test("a network client cannot take over a part of the program")
    func internalIdentifier() {
        let harness = BrokerHarness()
        harness.broker.attach(RecordingClient(), identifier: "$martlet/commands")
        let intruder = harness.connect("$martlet/commands")
        harness.settle()
        #expect(intruder.take().map(\.text) == ["CONNACK 0 133"])
    }

    @Test("a will whose topic has too many levels is refused at CONNECT")
    func deepWill() {
        var limits = BrokerLimits()
        limits.maximumTopicLevels = 3
        let harness = BrokerHarness(limits: limits)
        let deep = harness.connect("a", will: Will(topic: "1/2/3/4", payload: [1], retain: true))
        let allowed = harness.connect("b", will: Will(topic: "1/2/3", payload: [1], retain: true))
        harness.settle()
        #expect(deep.take().map(\.text) == ["CONNACK 0 144"])
        #expect(allowed.take().map(\.text) == ["CONNACK 0 0"])
    }

    @Test("a client that is taken over while its CONNACK waits for the disk is closed all the same")
    func takenOverBeforeConnack() {
        let harness = BrokerHarness()
        harness.lose(harness.connect("a", cleanStart: false, expiry: 3600))
        harness.settle()
        let waiting = harness.connect("a", cleanStart: true)
        harness.flush()
        #expect(waiting.take().isEmpty)
        let next = harness.connect("a", cleanStart: true)
        harness.flush()
        #expect(waiting.take().map(\.text) == ["DISCONNECT 142"])
        #expect(waiting.version == .v311, "which says that nothing is sent before the connection ends")
        harness.settle()
        #expect(next.take().map(\.text) == ["CONNACK 0 0"])
    }

    @Test("an identifier of this program's parts is refused, and a session that has it from before makes room")
    func reservedIdentifiers() {
        let harness = BrokerHarness()
        for identifier in ["$martlet/rule/later", "$bridge/later/forward"] {
            let intruder = harness.connect(identifier, cleanStart: false, expiry: 3600)
            harness.settle()
            #expect(intruder.take().map(\.text) == ["CONNACK 0 133"])
        }
        var snapshot = SessionSnapshot()
        let kept = StoredSession(number: 7, clientIdentifier: "$bridge/later/forward", expiryInterval: .max, disconnectedAt: nil)
        snapshot.sessions = [SessionSnapshot.Session(session: kept)]
        snapshot.sessions[0].subscriptions = [StoredSubscription(filter: "a", options: 1, identifier: 0)]
        harness.broker = Broker(limits: BrokerLimits(), seed: 1)
        harness.broker.restore(snapshot, now: harness.now, wall: harness.wall)
        let part = RecordingClient()
        harness.broker.attach(part, identifier: "$bridge/later/forward")
        harness.publish(harness.connect("p"), "a", "for the session that is gone")
        harness.settle()
        #expect(part.takePublishes().isEmpty)
    }

    @Test("an invalid filter and one too many are refused, the others of the packet granted")
    func subscribeReasons() {
        var limits = BrokerLimits()
        limits.maximumSubscriptions = 1
        let harness = BrokerHarness(limits: limits)
        let client = harness.connect("a")
        let options = SubscriptionOptions(qos: .atLeastOnce)
        harness.broker.subscribe(
            SubscribePacket(
                packetIdentifier: 1,
                requests: ["a/#/b", "good", "more", "$share//x", "$share/g+/x", "$share/g"].map { SubscribePacket.Request(filter: $0, options: options) }),
            from: client, now: harness.now, wall: harness.wall)
        harness.settle()
        #expect(client.take().map(\.text) == ["CONNACK 0 0", "SUBACK [143, 1, 151, 143, 143, 143]"])
    }

    @Test("at shutdown every network client is told")
    func shutdown() {
        let harness = BrokerHarness()
        let client = harness.connect("a")
        harness.settle()
        _ = client.take()
        harness.broker.shutDown(now: harness.now, wall: harness.wall)
        harness.settle()
        #expect(client.take().map(\.text) == ["DISCONNECT 139"])
    }
}
