import Broker
import Core
import MQTTCodec
import Store
import Testing

@Suite("Full disk")
struct FullDiskTests {
    /// A broker whose disk is full, with the session `stored` on it, which has subscribed to `s`.
    private func harness(_ policy: DiskFullPolicy = .refuse) -> BrokerHarness {
        var limits = BrokerLimits()
        limits.whenDiskFull = policy
        let harness = BrokerHarness(limits: limits)
        let client = harness.connect("stored", cleanStart: false, expiry: 3600)
        harness.subscribe(client, "s")
        harness.settle()
        harness.lose(client)
        harness.settle()
        harness.broker.setDiskFull(true)
        return harness
    }

    /// What came without the disk having done anything.
    private func answers(_ harness: BrokerHarness, _ client: RecordingClient) -> [String] {
        harness.flush()
        return client.take().map(\.text)
    }

    @Test("messages that need the disk are refused with Quota exceeded, and nothing of them is kept")
    func refused() {
        let harness = harness()
        let publisher = harness.connect("p")
        _ = answers(harness, publisher)
        harness.publish(publisher, "s", "1", qos: .atLeastOnce, packetIdentifier: 1)
        harness.publish(publisher, "s", "2", qos: .exactlyOnce, packetIdentifier: 2)
        harness.publish(publisher, "r", "3", qos: .atLeastOnce, retain: true, packetIdentifier: 3)
        #expect(answers(harness, publisher) == ["PUBACK 1 151", "PUBREC 2 151", "PUBACK 3 151"])
        #expect(!harness.broker.hasBatch)
        // The identifier of a refused message is free [MQTT-4.3.3-9].
        harness.broker.setDiskFull(false)
        harness.publish(publisher, "s", "2", qos: .exactlyOnce, packetIdentifier: 2)
        harness.settle()
        #expect(publisher.take().map(\.text) == ["PUBREC 2 0"])
    }

    @Test("messages that do not need the disk go on, and so does QoS 0")
    func goesOn() {
        let harness = harness()
        let subscriber = harness.connect("here")
        harness.subscribe(subscriber, "s", qos: .atMostOnce)
        harness.subscribe(subscriber, "t")
        let publisher = harness.connect("p")
        _ = answers(harness, subscriber) + answers(harness, publisher)
        harness.publish(publisher, "t", "1", qos: .atLeastOnce, packetIdentifier: 1)
        harness.publish(publisher, "s", "2")
        harness.publish(publisher, "s", "3", retain: true)
        #expect(answers(harness, publisher) == ["PUBACK 1 0"])
        #expect(subscriber.takeTexts() == ["1", "2", "3"])
    }

    @Test("what waited when the disk became full: QoS 1 is told, QoS 2 waits, and both are delivered")
    func waiting() {
        let harness = harness()
        harness.broker.setDiskFull(false)
        let publisher = harness.connect("p")
        _ = answers(harness, publisher)
        harness.publish(publisher, "s", "1", qos: .exactlyOnce, packetIdentifier: 1)
        harness.publish(publisher, "s", "2", qos: .atLeastOnce, packetIdentifier: 2)
        harness.broker.setDiskFull(true)
        harness.publish(publisher, "s", "3", qos: .atLeastOnce, packetIdentifier: 3)
        harness.publish(publisher, "s", "4", qos: .exactlyOnce, packetIdentifier: 4)
        #expect(answers(harness, publisher) == ["PUBACK 2 151", "PUBACK 3 151"])
        harness.broker.setDiskFull(false)
        harness.settle()
        #expect(publisher.take().map(\.text) == ["PUBREC 1 0", "PUBREC 4 151"])
        let client = harness.connect("stored", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(client.takeTexts() == ["1", "2"])
    }

    @Test("before MQTT 5.0 the acknowledgement waits until there is space")
    func older() {
        let harness = harness()
        let publisher = harness.connect("p", version: .v311)
        _ = answers(harness, publisher)
        harness.publish(publisher, "s", "1", qos: .atLeastOnce, packetIdentifier: 1)
        #expect(answers(harness, publisher) == [])
        harness.broker.setDiskFull(false)
        harness.settle()
        #expect(publisher.take().map(\.text) == ["PUBACK 1 0"])
    }

    @Test("with hold the acknowledgement waits for every version")
    func hold() {
        let harness = harness(.hold)
        let publisher = harness.connect("p")
        _ = answers(harness, publisher)
        harness.publish(publisher, "s", "1", qos: .atLeastOnce, packetIdentifier: 1)
        let session = harness.connect("new", cleanStart: false, expiry: 60)
        harness.subscribe(session, "a")
        #expect(answers(harness, publisher) == [] && answers(harness, session) == ["CONNACK 0 0"])
        harness.settle()
        #expect(publisher.take().map(\.text) == ["PUBACK 1 0"] && session.take().map(\.text) == ["SUBACK [2]"])
    }

    @Test("a session that would have to be stored is refused, with the return code of each version")
    func newSession() {
        let harness = harness()
        #expect(answers(harness, harness.connect("new", cleanStart: false, expiry: 60)) == ["CONNACK 0 151"])
        #expect(answers(harness, harness.connect("new", version: .v311, cleanStart: false)) == ["CONNACK 0 151"])
        #expect(answers(harness, harness.connect("new", cleanStart: true, expiry: 60)) == ["CONNACK 0 151"])
        #expect(answers(harness, harness.connect("stored", cleanStart: true)) == ["CONNACK 0 151"])
        #expect(answers(harness, harness.connect("new", cleanStart: true)) == ["CONNACK 0 0"])
        #expect(answers(harness, harness.connect("new", version: .v311)) == ["CONNACK 0 0"])
    }

    @Test("a stored session may be taken up, with a will or not, and what waits in it is delivered")
    func takenUp() {
        let harness = harness()
        harness.broker.setDiskFull(false)
        harness.publish(harness.connect("p"), "s", "1", qos: .atLeastOnce)
        harness.settle()
        harness.broker.setDiskFull(true)
        let will = Will(topic: "w", payload: [], qos: .atLeastOnce)
        let client = harness.connect("stored", cleanStart: false, expiry: 3600, will: will)
        #expect(answers(harness, client) == ["CONNACK 1 0", "PUBLISH 1 s"])
    }

    @Test("a subscription that would have to be stored is refused, one that is there already is not")
    func subscriptions() {
        let harness = harness()
        let client = harness.connect("stored", cleanStart: false, expiry: 3600)
        harness.subscribe(client, "other")
        harness.subscribe(client, "s")
        #expect(answers(harness, client) == ["CONNACK 1 0", "SUBACK [151]", "SUBACK [2]"])
        let older = harness.connect("stored", version: .v311, cleanStart: false)
        harness.subscribe(older, "other")
        #expect(answers(harness, older) == ["CONNACK 1 0", "SUBACK [151]"])
    }

    @Test("what a bridge would have to store is refused, what a rule hears is not")
    func inline() {
        final class Part: Client {
            var received = 0
            override func receive(_ message: Message, qos: QoS, retain: Bool) { received += 1 }
        }
        let harness = harness()
        let bridge = Part(takesInline: true, stores: true)
        let rule = Part(takesInline: true)
        for (part, name, filter) in [(bridge, "$bridge", "b"), (rule, "$rule", "+")] {
            harness.broker.attach(part, identifier: name)
            harness.broker.subscribe(
                part, filter: TopicFilter(filter)!, options: SubscriptionOptions(qos: .exactlyOnce), now: harness.now,
                wall: harness.wall)
        }
        let publisher = harness.connect("p")
        _ = answers(harness, publisher)
        harness.publish(publisher, "b", "1", qos: .atLeastOnce, packetIdentifier: 1)
        harness.publish(publisher, "x", "2", qos: .atLeastOnce, packetIdentifier: 2)
        harness.publish(publisher, "b", "3")
        #expect(answers(harness, publisher) == ["PUBACK 1 151", "PUBACK 2 0"])
        #expect(bridge.received == 1 && rule.received == 2)
    }
}
