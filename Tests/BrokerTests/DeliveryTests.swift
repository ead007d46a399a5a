import Broker
import Core
import MQTTCodec
import Testing

@Suite("Delivery")
struct DeliveryTests {
    @Test("one flush sends all that a batch of packets led to")
    func oneFlush() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "#")
        let publisher = harness.connect("p")
        harness.settle()
        let before = subscriber.flushes
        for number in 1...50 { harness.publish(publisher, "t\(number)", "x") }
        harness.flush()
        #expect(subscriber.flushes == before + 1)
        #expect(subscriber.takePublishes().count == 50)
    }

    @Test("overlapping subscriptions deliver once, with the highest QoS and all identifiers")
    func overlapping() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "a/#", qos: .atMostOnce, identifier: 3)
        harness.subscribe(subscriber, "a/+", qos: .atLeastOnce, identifier: 4)
        let publisher = harness.connect("p")
        harness.publish(publisher, "a/b", "x", qos: .atLeastOnce)
        harness.settle()
        let received = subscriber.takePublishes()
        #expect(received.count == 1)
        #expect(received.first?.qos == .atLeastOnce)
        #expect(received.first?.subscriptionIdentifiers?.sorted() == [3, 4])
    }

    @Test("No Local keeps a client's own messages from it")
    func noLocal() {
        let harness = BrokerHarness()
        let client = harness.connect("c")
        harness.subscribe(client, "a", noLocal: true)
        harness.publish(client, "a", "own")
        harness.publish(harness.connect("p"), "a", "other")
        harness.settle()
        #expect(client.takeTexts() == ["other"])
    }

    @Test("a bridge of MQTT 3.1.1 gets nothing back of its own, and the retain flag as it was published")
    func bridge() {
        let harness = BrokerHarness()
        let bridge = RecordingClient()
        var packet = ConnectPacket(version: .v311, clientIdentifier: "b", cleanStart: true, keepAlive: 0)
        packet.isBridge = true
        harness.broker.connect(bridge, packet: packet, now: harness.now, wall: harness.wall)
        harness.subscribe(bridge, "a")
        harness.publish(bridge, "a", "own")
        harness.publish(harness.connect("p"), "a", "other", retain: true)
        harness.settle()
        let received = bridge.takePublishes()
        #expect(received.map { String(decoding: $0.message.payload, as: UTF8.self) } == ["other"])
        #expect(received.first?.retain == true)
    }

    @Test("a subscription that ends, ends at once")
    func unsubscribe() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "a/+")
        let publisher = harness.connect("p")
        harness.publish(publisher, "a/b", "1")
        harness.broker.unsubscribe(UnsubscribePacket(packetIdentifier: 2, filters: ["a/+", "never"]), from: subscriber)
        harness.publish(publisher, "a/b", "2")
        harness.settle()
        let sent = subscriber.take()
        #expect(sent.contains { $0.text == "UNSUBACK [0, 17]" })
        #expect(!sent.contains { if case .publish(let publish) = $0 { publish.message.payload == Array("2".utf8) } else { false } })
    }

    @Test("a message of the program's own with too many levels is dropped and counted")
    func deepMessageOfOurOwn() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "#")
        harness.settle()
        _ = subscriber.take()
        let topic = String(repeating: "/", count: 65_535)
        let message = Message.create(topic: topic, payload: [1], qos: .atLeastOnce, retain: true, publishedAt: harness.wall)
        harness.broker.publish(message, now: harness.now, wall: harness.wall)
        harness.settle()
        #expect(subscriber.take().isEmpty)
        #expect(harness.broker.statistics.dropped == 1)
    }

    @Test("a retained message comes to later subscribers with its flag, and an empty one removes it")
    func retained() {
        let harness = BrokerHarness()
        let publisher = harness.connect("p")
        harness.publish(publisher, "a/b", "old", retain: true)
        harness.publish(publisher, "a/b", "new", retain: true)
        harness.publish(publisher, "$x/b", "hidden", retain: true)
        harness.settle()
        harness.restart()
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "+/b")
        harness.settle()
        let received = subscriber.takePublishes()
        #expect(received.map { String(decoding: $0.message.payload, as: UTF8.self) } == ["new"])
        #expect(received.map(\.retain) == [true])
        let again = harness.connect("p")
        harness.publish(again, "a/b", "", retain: true)
        harness.settle()
        let late = harness.connect("l")
        harness.subscribe(late, "#")
        harness.settle()
        #expect(late.takePublishes().isEmpty)
    }

    @Test("the retain flag of a live message is cleared unless the subscription wants it as published")
    func retainAsPublished() {
        let harness = BrokerHarness()
        let plain = harness.connect("s1")
        harness.subscribe(plain, "a")
        let asPublished = harness.connect("s2")
        harness.subscribe(asPublished, "a", retainAsPublished: true)
        harness.publish(harness.connect("p"), "a", "x", retain: true)
        harness.settle()
        #expect(plain.takePublishes().map(\.retain) == [false])
        #expect(asPublished.takePublishes().map(\.retain) == [true])
    }

    @Test("retain handling decides whether a subscription brings retained messages")
    func retainHandling() {
        let harness = BrokerHarness()
        harness.publish(harness.connect("p"), "a", "kept", retain: true)
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "a", handling: .doNotSend)
        harness.settle()
        #expect(subscriber.takeTexts() == [])
        harness.subscribe(subscriber, "a", handling: .sendIfNew)
        harness.settle()
        #expect(subscriber.takeTexts() == [])
        harness.subscribe(subscriber, "a", handling: .sendAtSubscribe)
        harness.settle()
        #expect(subscriber.takeTexts() == ["kept"])
    }

    @Test("a message whose time has passed is not delivered")
    func messageExpiry() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.subscribe(subscriber, "a")
        harness.settle()
        harness.lose(subscriber)
        let publisher = harness.connect("p")
        harness.publish(publisher, "a", "short", qos: .atLeastOnce, expiry: 5)
        harness.publish(publisher, "a", "long", qos: .atLeastOnce, packetIdentifier: 2, expiry: 500)
        harness.settle()
        harness.advance(.seconds(6))
        let again = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(again.takeTexts() == ["long"])
    }

    @Test("a retained message goes when its time has passed, and one without an end stays")
    func retainedExpiry() {
        let harness = BrokerHarness()
        let publisher = harness.connect("p")
        harness.publish(publisher, "a/short", "1", retain: true, expiry: 5)
        harness.publish(publisher, "a/long", "2", retain: true, expiry: 50)
        harness.publish(publisher, "a/forever", "3", retain: true)
        harness.advance(.seconds(6))
        harness.advance(.seconds(60))
        harness.settle()
        harness.restart()
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "a/+")
        harness.settle()
        #expect(subscriber.takeTexts() == ["3"])
    }

    @Test("a slow client's QoS 0 messages are dropped beyond the limit, and nobody else's")
    func slowConsumer() {
        final class StuckClient: Client {}
        var limits = BrokerLimits()
        limits.maximumOutboxBytes = 2_050
        let harness = BrokerHarness(limits: limits)
        let stuck = StuckClient()
        harness.broker.connect(
            stuck, packet: ConnectPacket(version: .v311, clientIdentifier: "slow", cleanStart: true, keepAlive: 0),
            now: harness.now, wall: harness.wall)
        harness.subscribe(stuck, "a")
        let quick = harness.connect("quick")
        harness.subscribe(quick, "a")
        let publisher = harness.connect("p")
        for _ in 0..<100 {
            harness.publish(publisher, "a", "0123456789")
            harness.flush()
        }
        #expect(stuck.outboxBytes <= 2_050)
        #expect(quick.takePublishes().count == 100)
        #expect(harness.broker.statistics.dropped == 90)
    }

    @Test("what an in-process client derives from a message is covered by the same acknowledgement")
    func generated() throws {
        final class Deriving: Client {
            unowned let broker: Broker
            init(broker: Broker) {
                self.broker = broker
                super.init(takesInline: true)
            }
            override func receive(_ message: Message, qos: QoS, retain: Bool) {
                broker.generate(Message.create(topic: "derived", payload: message.payload, qos: .atLeastOnce, publishedAt: message.publishedAt))
            }
        }
        let harness = BrokerHarness()
        let deriving = Deriving(broker: harness.broker)
        harness.broker.attach(deriving, identifier: "$rule")
        let filter = try #require(TopicFilter("source"))
        harness.broker.subscribe(deriving, filter: filter, options: SubscriptionOptions(qos: .exactlyOnce), now: harness.now, wall: harness.wall)
        let away = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.subscribe(away, "derived")
        harness.settle()
        harness.lose(away)
        let publisher = harness.connect("p")
        harness.settle()
        _ = publisher.take()
        harness.publish(publisher, "source", "x", qos: .atLeastOnce)
        harness.flush()
        #expect(publisher.take().isEmpty, "the derived message is not on disk yet")
        harness.settle()
        #expect(publisher.take().map(\.text) == ["PUBACK 1 0"])
    }

    @Test("two rules that feed each other stop after a bounded number of messages")
    func loopIsCut() throws {
        final class Echo: Client {
            unowned let broker: Broker
            let topic: String
            init(broker: Broker, topic: String) {
                self.broker = broker
                self.topic = topic
                super.init(takesInline: true)
            }
            override func receive(_ message: Message, qos: QoS, retain: Bool) {
                broker.generate(Message.create(topic: topic, payload: message.payload, qos: .atMostOnce, publishedAt: message.publishedAt))
            }
        }
        let harness = BrokerHarness()
        for (from, to) in [("a", "b"), ("b", "a")] {
            let echo = Echo(broker: harness.broker, topic: to)
            harness.broker.attach(echo, identifier: "$\(from)")
            let filter = try #require(TopicFilter(from))
            harness.broker.subscribe(echo, filter: filter, options: SubscriptionOptions(qos: .atMostOnce), now: harness.now, wall: harness.wall)
        }
        harness.publish(harness.connect("p"), "a", "x")
        #expect(harness.broker.statistics.received == 9)
        #expect(harness.broker.statistics.dropped == 1)
    }
}
