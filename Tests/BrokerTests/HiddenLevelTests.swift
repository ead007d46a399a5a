import Broker
import Core
import MQTTCodec
import Testing

/// A client below a prefix sees no topic that begins with `$` through a filter that begins with a wildcard.
@Suite("Wildcards below a prefix")
struct HiddenLevelTests {
    private static func subscribe(_ harness: BrokerHarness, _ client: Client, _ filter: String) {
        let request = SubscribePacket.Request(
            filter: filter, options: SubscriptionOptions(qos: .atLeastOnce), isWildcardBelowPrefix: true)
        harness.broker.subscribe(
            SubscribePacket(packetIdentifier: 1, requests: [request]), from: client, now: harness.now, wall: harness.wall)
    }

    private static func topics(_ client: RecordingClient) -> [String] { client.takePublishes().map(\.message.topic) }

    @Test("a session that is away and a restart do not change that", arguments: ["p/#", "p/+/a"])
    func away(filter: String) {
        let harness = BrokerHarness()
        let client = harness.connect("s", expiry: 3600)
        Self.subscribe(harness, client, filter)
        harness.settle()
        harness.lose(client)
        harness.settle()
        for _ in 1...2 {
            let publisher = harness.connect("p")
            for topic in ["p/x/a", "p/$x/a"] { harness.publish(publisher, topic, "", qos: .atLeastOnce) }
            harness.settle()
            harness.restart()
        }
        let again = harness.connect("s", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(Self.topics(again) == ["p/x/a", "p/x/a"])
    }

    @Test("nor do retained messages that come little by little, before and after a restart")
    func fed() {
        var limits = BrokerLimits()
        limits.maximumQueuedMessages = 10
        let harness = BrokerHarness(limits: limits)
        let publisher = harness.connect("p")
        for number in 0..<30 { harness.publish(publisher, "p/\(number % 2 == 0 ? "$" : "x")\(number)", "1", qos: .atLeastOnce, retain: true) }
        var client = harness.connect("s", expiry: 3600, receiveMaximum: 2)
        Self.subscribe(harness, client, "p/#")
        harness.settle()
        #expect(Self.topics(client) == ["p/x1", "p/x3"])
        harness.restart()
        client = harness.connect("s", cleanStart: false, expiry: 3600, receiveMaximum: 2)
        var received: [String] = []
        for _ in 0..<100 {
            harness.settle()
            for publish in client.takePublishes() {
                received.append(publish.message.topic)
                harness.puback(client, publish.packetIdentifier)
            }
        }
        #expect(Set(received) == Set((0..<15).map { "p/x\($0 * 2 + 1)" }))
        // What overtakes is not brought by the filter either.
        harness.publish(harness.connect("q"), "p/$0", "2", qos: .atLeastOnce, retain: true)
        harness.settle()
        #expect(Self.topics(client).isEmpty)
    }

    @Test("of a shared subscription only the members that see the topic take turns")
    func shared() {
        let harness = BrokerHarness()
        let inside = harness.connect("inside")
        let outside = harness.connect("outside")
        Self.subscribe(harness, inside, "$share/g/p/#")
        harness.subscribe(outside, "$share/g/p/#")
        let publisher = harness.connect("p")
        for _ in 0..<4 { harness.publish(publisher, "p/$x", "") }
        for _ in 0..<4 { harness.publish(publisher, "p/x", "") }
        harness.flush()
        #expect(Self.topics(inside) == ["p/x", "p/x"])
        #expect(Self.topics(outside) == ["p/$x", "p/$x", "p/$x", "p/$x", "p/x", "p/x"])
    }
}
