@testable import Broker
import Core
import MQTTCodec
import Store
import Testing

@Suite("Sessions")
struct SessionTests {
    @Test("what came while a persistent session was away arrives in order when it is back, also after a power cut", arguments: [false, true])
    func offlineQueue(powerCut: Bool) {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.subscribe(subscriber, "a/#")
        harness.settle()
        harness.lose(subscriber)
        let publisher = harness.connect("p")
        for number in 1...300 {
            harness.publish(publisher, "a/b", "\(number)", qos: .atLeastOnce, packetIdentifier: UInt16(number))
        }
        harness.settle()
        if powerCut { harness.restart() }
        let again = harness.connect("s", cleanStart: false, expiry: 3600)
        var received: [String] = []
        for _ in 0..<10 {
            harness.settle()
            for publish in again.takePublishes() {
                received.append(String(decoding: publish.message.payload, as: UTF8.self))
                harness.puback(again, publish.packetIdentifier)
            }
        }
        #expect(received == (1...300).map(String.init))
        harness.settle()
        harness.restart()
        let last = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(last.takeTexts() == [], "acknowledged messages are gone from the disk")
    }

    @Test("a session is present again after a power cut with its subscriptions")
    func sessionPresent() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s", version: .v311, cleanStart: false)
        harness.subscribe(subscriber, "a", qos: .atLeastOnce)
        harness.settle()
        harness.restart()
        let again = harness.connect("s", version: .v311, cleanStart: false)
        let publisher = harness.connect("p")
        harness.publish(publisher, "a", "x", qos: .atLeastOnce)
        harness.settle()
        #expect(again.take().map(\.text) == ["CONNACK 1 0", "PUBLISH 1 a"])
    }

    @Test("a clean start forgets the old session")
    func cleanStart() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.subscribe(subscriber, "a")
        harness.settle()
        harness.lose(subscriber)
        let clean = harness.connect("s", cleanStart: true, expiry: 3600)
        let publisher = harness.connect("p")
        harness.publish(publisher, "a", "x", qos: .atLeastOnce)
        harness.settle()
        #expect(clean.take().map(\.text) == ["CONNACK 0 0"])
        harness.restart()
        let again = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(again.take().map(\.text) == ["CONNACK 1 0"])
    }

    @Test("CONNACK of a clean start waits until the stored session is gone from the disk, and nothing overtakes it")
    func cleanStartIsDurable() {
        let harness = BrokerHarness()
        let old = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.subscribe(old, "a")
        harness.publish(harness.connect("p"), "kept", "retained", retain: true)
        harness.settle()
        harness.lose(old)
        harness.settle()
        let clean = harness.connect("s", cleanStart: true)
        harness.subscribe(clean, "kept")
        harness.flush()
        #expect(clean.take().isEmpty)
        harness.settle()
        #expect(clean.take().map(\.text) == ["CONNACK 0 0", "SUBACK [2]", "PUBLISH 0 kept"])
        harness.restart()
        let again = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(again.take().map(\.text) == ["CONNACK 0 0"])
    }

    @Test("a session ends when its expiry interval has passed without a connection")
    func expiry() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s", cleanStart: false, expiry: 10)
        harness.settle()
        harness.lose(subscriber)
        harness.advance(.seconds(9))
        #expect(harness.connect("s", cleanStart: false, expiry: 10).session != nil)
        harness.settle()
        let second = harness.connect("s", cleanStart: false, expiry: 10)
        harness.settle()
        #expect(second.take().first?.text == "CONNACK 1 0")
        harness.lose(second)
        harness.advance(.seconds(11))
        let third = harness.connect("s", cleanStart: false, expiry: 10)
        harness.settle()
        #expect(third.take().first?.text == "CONNACK 0 0")
    }

    @Test("a second connection with the same identifier takes the session over")
    func takeover() {
        let harness = BrokerHarness()
        let first = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.subscribe(first, "a")
        harness.settle()
        _ = first.take()
        let second = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(first.take().map(\.text) == ["DISCONNECT 142"])
        #expect(second.take().map(\.text) == ["CONNACK 1 0"])
        harness.lose(first)
        let publisher = harness.connect("p")
        harness.publish(publisher, "a", "x")
        harness.settle()
        #expect(second.takeTexts() == ["x"])
    }

    @Test("unacknowledged messages are sent again with DUP and the same packet identifier")
    func redelivery() throws {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.subscribe(subscriber, "a")
        let publisher = harness.connect("p")
        harness.publish(publisher, "a", "1", qos: .atLeastOnce)
        harness.publish(publisher, "a", "2", qos: .atLeastOnce, packetIdentifier: 2)
        harness.settle()
        let sent = subscriber.takePublishes()
        harness.puback(subscriber, try #require(sent.last).packetIdentifier)
        harness.lose(subscriber)
        let again = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.settle()
        let resent = again.takePublishes()
        #expect(resent.map(\.packetIdentifier) == [sent[0].packetIdentifier])
        #expect(resent.map(\.duplicate) == [true])
    }

    @Test("[MQTT-4.3.3-7] [MQTT-4.3.3-13] a message that was sent is sent again and completed though its time has passed")
    func expiredInFlight() throws {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.subscribe(subscriber, "a")
        harness.publish(harness.connect("p"), "a", "x", qos: .exactlyOnce, expiry: 1)
        harness.settle()
        let sent = try #require(subscriber.takePublishes().first)
        harness.advance(.seconds(10))
        harness.lose(subscriber)
        let again = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(again.takePublishes().map(\.packetIdentifier) == [sent.packetIdentifier])
        let answer = AcknowledgementPacket(packetIdentifier: sent.packetIdentifier)
        harness.broker.pubrec(answer, from: again, now: harness.now)
        harness.settle()
        #expect(again.take().map(\.text) == ["PUBREL \(sent.packetIdentifier) 0"])
    }

    @Test("no more messages are in flight than Receive Maximum allows")
    func receiveMaximum() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s", receiveMaximum: 2)
        harness.subscribe(subscriber, "a")
        let publisher = harness.connect("p")
        for number in 1...5 { harness.publish(publisher, "a", "\(number)", qos: .atLeastOnce, packetIdentifier: UInt16(number)) }
        harness.settle()
        let first = subscriber.takePublishes()
        #expect(first.count == 2)
        harness.puback(subscriber, first[1].packetIdentifier)
        harness.settle()
        #expect(subscriber.takeTexts() == ["3"])
    }

    @Test("packet identifiers go round without meeting one that is still in use")
    func identifiersWrap() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "a")
        let publisher = harness.connect("p")
        harness.settle()
        _ = subscriber.take()
        var expected = 1
        for number in 1...70_000 {
            harness.publish(publisher, "a", "x", qos: .atLeastOnce)
            harness.flush()
            let sent = subscriber.takePublishes()
            #expect(sent.count == 1)
            if sent.first?.packetIdentifier != UInt16(expected) { Issue.record("message \(number)"); return }
            harness.puback(subscriber, UInt16(expected))
            expected = expected == 65_535 ? 1 : expected + 1
        }
    }

    @Test("a full queue drops the newest message and counts it")
    func queueLimit() {
        var limits = BrokerLimits()
        limits.maximumQueuedMessages = 3
        let harness = BrokerHarness(limits: limits)
        let subscriber = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.subscribe(subscriber, "a")
        harness.settle()
        harness.lose(subscriber)
        let publisher = harness.connect("p")
        for number in 1...5 { harness.publish(publisher, "a", "\(number)", qos: .atLeastOnce, packetIdentifier: UInt16(number)) }
        harness.settle()
        let again = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(again.takeTexts() == ["1", "2", "3"])
        #expect(harness.broker.statistics.dropped == 2)
    }

    @Test("a session that no longer outlives its connection leaves the disk when that is said")
    func persistentNoLonger() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.subscribe(subscriber, "a")
        harness.settle()
        harness.lose(subscriber)
        let brief = harness.connect("s", cleanStart: false, expiry: 0)
        harness.settle()
        #expect(brief.take().map(\.text) == ["CONNACK 1 0"])
        harness.lose(brief)
        harness.settle()
        let isDeleted = harness.disk.contains { if case .deleteSession = $0 { true } else { false } }
        #expect(isDeleted)
        harness.restart()
        let again = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(again.take().map(\.text) == ["CONNACK 0 0"])
    }

    @Test("a client whose session has expired gets CONNACK when the old one is gone from the disk")
    func expiredSessionIsGoneFirst() {
        let harness = BrokerHarness()
        harness.lose(harness.connect("s", expiry: 10))
        harness.settle()
        harness.now += .seconds(11)
        let again = harness.connect("s", cleanStart: false, expiry: 10)
        harness.flush()
        #expect(again.take().isEmpty)
        harness.settle()
        #expect(again.take().map(\.text) == ["CONNACK 0 0"])
    }

    @Test("an ended session lets go of its messages though a route may still know it")
    func endedSessionIsEmpty() throws {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s", receiveMaximum: 1)
        harness.subscribe(subscriber, "a")
        let publisher = harness.connect("p")
        for text in ["1", "2"] { harness.publish(publisher, "a", text, qos: .atLeastOnce) }
        harness.settle()
        let session = try #require(subscriber.session)
        #expect(session.queue.byteCount > 0)
        harness.lose(subscriber)
        #expect(session.queue.byteCount == 0)
    }

    @Test("a session that was left while the clock was not set has its whole interval once it is")
    func clockNotSet() {
        let harness = BrokerHarness()
        var snapshot = SessionSnapshot()
        let kept = StoredSession(
            number: 1, clientIdentifier: "s", expiryInterval: 60, disconnectedAt: Timestamp(milliseconds: 5_000))
        snapshot.sessions = [SessionSnapshot.Session(session: kept)]
        harness.broker.restore(snapshot, now: harness.now, wall: harness.wall)
        harness.advance(.seconds(59))
        let client = harness.connect("s", cleanStart: false, expiry: 60)
        harness.settle()
        #expect(client.take().first?.text == "CONNACK 1 0")
    }
}
