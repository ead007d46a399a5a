import Core
import MQTTCodec
import Testing

@testable import Broker

/// What clients may do with the broker.
@Suite("Access")
struct AccessTests {
    private func broker(_ rules: [AccessRule], default access: DefaultAccess = .deny) -> BrokerHarness {
        let harness = BrokerHarness()
        harness.broker.setAccessRules(
            AccessRules(rules: rules, defaultAccess: access), now: harness.now, wall: harness.wall)
        return harness
    }

    private func allow(_ topic: String?, _ actions: AccessActions = .all, user: String? = nil) -> AccessRule {
        var rule = AccessRule(allows: true, actions: actions, topic: topic)
        rule.userName = user
        return rule
    }

    private func deny(_ topic: String?, _ actions: AccessActions = .all, user: String? = nil) -> AccessRule {
        var rule = AccessRule(allows: false, actions: actions, topic: topic)
        rule.userName = user
        return rule
    }

    private func texts(_ client: RecordingClient, _ harness: BrokerHarness) -> [String] {
        harness.settle()
        return client.take().map(\.text)
    }

    /// Forgets what came so far.
    private func skip(_ harness: BrokerHarness, _ clients: RecordingClient...) {
        harness.settle()
        for client in clients { _ = client.take() }
    }

    @Test("a publish that is not allowed is refused to an MQTT 5.0 client and reaches nobody")
    func publishDenied() {
        let harness = broker([allow("ok/#")])
        let reader = harness.connect("reader", user: "r")
        harness.subscribe(reader, "ok/#")
        let client = harness.connect("c", user: "u")
        skip(harness, reader, client)
        for topic in ["no/a", "ok/a", "no/a"] {
            harness.publish(client, topic, "x", qos: .atMostOnce, retain: true)
            harness.publish(client, topic, "x", qos: .atLeastOnce, packetIdentifier: 1)
            harness.publish(client, topic, "x", qos: .exactlyOnce, packetIdentifier: 2)
            harness.settle()
            let codes = topic == "ok/a" ? ["PUBACK 1 0", "PUBREC 2 0"] : ["PUBACK 1 135", "PUBREC 2 135"]
            #expect(texts(client, harness) == codes)
            harness.broker.pubrel(AcknowledgementPacket(packetIdentifier: 2), from: client)
            harness.settle()
            skip(harness, client)
        }
        #expect(reader.takePublishes().map(\.message.topic) == ["ok/a", "ok/a", "ok/a"])
        #expect(harness.broker.statistics.drops[.notAuthorized] == 6)
        #expect(harness.broker.retained.all.count == 1)
    }

    @Test("[MQTT-3.3.5-2] of MQTT 3.1.1: what an older client may not publish is acknowledged and dropped")
    func publishDeniedOlder() {
        let harness = broker([])
        let client = harness.connect("c", version: .v311, user: "u")
        skip(harness, client)
        harness.publish(client, "a", "x", qos: .atLeastOnce, packetIdentifier: 1)
        harness.publish(client, "a", "x", qos: .exactlyOnce, packetIdentifier: 2)
        harness.settle()
        #expect(texts(client, harness) == ["PUBACK 1 0", "PUBREC 2 0"])
        #expect(harness.broker.statistics.drops[.notAuthorized] == 2)
    }

    @Test("a client publishes to several topics by turns, each by its own right")
    func byTurns() {
        let harness = broker([allow("a"), allow("b")])
        let client = harness.connect("c", user: "u")
        for _ in 0..<3 { for topic in ["a", "b", "c"] { harness.publish(client, topic, "x") } }
        #expect(harness.broker.statistics.drops[.notAuthorized] == 3)
        // Somebody's subscription makes every route new.
        harness.subscribe(client, "a")
        for topic in ["a", "b", "c"] { harness.publish(client, topic, "x") }
        #expect(harness.broker.statistics.drops[.notAuthorized] == 4)
    }

    @Test("no network client publishes to $SYS and $events", arguments: [nil, "u"] as [String?])
    func reserved(user: String?) {
        let harness = broker([], default: .allow)
        let client = harness.connect("c", user: user)
        skip(harness, client)
        for topic in ["$SYS", "$SYS/a", "$events/x", "$events", "$SYSTEM/a", "$other"] {
            harness.publish(client, topic, "x", qos: .atLeastOnce)
        }
        harness.settle()
        let denied = "PUBACK 1 135"
        #expect(texts(client, harness) == [denied, denied, denied, denied, "PUBACK 1 16", "PUBACK 1 16"])
        let willing = harness.connect("w", will: Will(topic: "$SYS/a", payload: []), user: user)
        #expect(texts(willing, harness) == ["CONNACK 0 135"])
    }

    @Test("a subscription that is not allowed is refused")
    func subscribeDenied() {
        let harness = broker([allow("a/#", .subscribe)])
        let client = harness.connect("c", user: "u")
        let older = harness.connect("d", version: .v311, user: "u")
        skip(harness, client, older)
        for filter in ["a/+", "#"] {
            harness.subscribe(client, filter)
            harness.subscribe(older, filter)
        }
        #expect(texts(client, harness) == ["SUBACK [2]", "SUBACK [135]"])
        #expect(texts(older, harness) == ["SUBACK [2]", "SUBACK [135]"])
    }

    @Test("what may not be received is neither delivered nor sent from what is retained")
    func receiveDenied() {
        let harness = broker([deny("a/secret", .receive, user: "r"), allow("#")])
        let publisher = harness.connect("p", user: "p")
        harness.publish(publisher, "a/secret", "old", retain: true)
        harness.publish(publisher, "a/open", "old", retain: true)
        let reader = harness.connect("r", user: "r")
        harness.subscribe(reader, "a/#")
        let other = harness.connect("o", user: "o")
        harness.subscribe(other, "a/secret")
        harness.publish(publisher, "a/secret", "new")
        harness.publish(publisher, "a/open", "new")
        harness.settle()
        #expect(reader.takePublishes().map(\.message.topic) == ["a/open", "a/open"])
        #expect(other.takeTexts() == ["old", "new"])
    }

    @Test("a CONNECT whose will is not allowed is refused")
    func willDenied() {
        let harness = broker([allow("wills/%c")])
        let client = harness.connect("c", will: Will(topic: "wills/d", payload: []), user: "u")
        #expect(texts(client, harness) == ["CONNACK 0 135"])
        #expect(texts(harness.connect("c", will: Will(topic: "wills/c", payload: []), user: "u"), harness) == ["CONNACK 0 0"])
    }

    @Test("an identifier that the broker gives is the one that %c stands for")
    func assignedIdentifier() {
        let harness = broker([allow("%c")])
        let client = harness.connect("", user: "u")
        harness.publish(client, client.session?.clientIdentifier ?? "", "x")
        #expect(harness.broker.statistics.drops[.notAuthorized] == 0)
        harness.publish(client, "other", "x")
        #expect(harness.broker.statistics.drops[.notAuthorized] == 1)
    }

    @Test("new rules hold at once: for publishing, subscribing, receiving and wills")
    func changed() {
        let harness = broker([allow("#")])
        let reader = harness.connect("r", user: "r")
        harness.subscribe(reader, "a/#")
        let client = harness.connect("c", will: Will(topic: "a/will", payload: []), user: "u")
        harness.publish(client, "a/b", "1")
        harness.broker.setAccessRules(
            AccessRules(rules: [allow("a/b"), allow("#", user: "r")], defaultAccess: .deny), now: harness.now, wall: harness.wall)
        harness.publish(client, "a/b", "2")
        harness.publish(client, "a/c", "3")
        harness.broker.setAccessRules(
            AccessRules(rules: [allow("a/c"), allow("#", user: "c")], defaultAccess: .deny), now: harness.now, wall: harness.wall)
        harness.publish(client, "a/b", "4")
        harness.publish(client, "a/c", "5")
        harness.lose(client)
        harness.settle()
        #expect(reader.takeTexts() == ["1", "2", "5"])
        #expect(harness.broker.statistics.drops[.notAuthorized] == 3)
    }

    @Test("whoever is not known any more after a change is disconnected")
    func unknown() {
        let harness = broker([allow("#")])
        let gone = harness.connect("g", user: "gone")
        let here = harness.connect("h", user: "here")
        skip(harness, gone, here)
        harness.broker.setAccessRules(
            AccessRules(rules: [allow("#")], defaultAccess: .deny), isKnown: { $0.userName == "here" }, now: harness.now,
            wall: harness.wall)
        harness.flush()
        #expect(texts(gone, harness) == ["DISCONNECT 135"])
        #expect(texts(here, harness) == [])
    }

    @Test("what waits for a client is delivered only as far as it may receive it when it comes back")
    func queued() {
        let harness = broker([allow("#")])
        let reader = harness.connect("r", cleanStart: false, expiry: 100, user: "ann")
        harness.subscribe(reader, "a/#", qos: .atLeastOnce)
        let publisher = harness.connect("p", user: "p")
        harness.settle()
        harness.lose(reader)
        for topic in ["a/1", "a/2", "a/3"] { harness.publish(publisher, topic, topic, qos: .atLeastOnce) }
        harness.settle()
        harness.broker.setAccessRules(
            AccessRules(rules: [deny("a/2", user: "ann"), allow("#")], defaultAccess: .deny), now: harness.now, wall: harness.wall)
        harness.publish(publisher, "a/2", "a/2", qos: .atLeastOnce)
        let back = harness.connect("r", cleanStart: false, expiry: 100, user: "ann")
        harness.settle()
        #expect(back.takeTexts() == ["a/1", "a/3"])
    }

    @Test("after a restart too")
    func queuedOverRestart() {
        let harness = broker([allow("#")])
        let reader = harness.connect("r", cleanStart: false, expiry: 100, user: "ann")
        harness.subscribe(reader, "a/#", qos: .atLeastOnce)
        harness.settle()
        harness.lose(reader)
        let publisher = harness.connect("p", user: "p")
        for topic in ["a/1", "a/2"] { harness.publish(publisher, topic, topic, qos: .atLeastOnce) }
        harness.settle()
        harness.restart()
        harness.broker.setAccessRules(
            AccessRules(rules: [deny("a/1", user: "ann"), allow("#")], defaultAccess: .deny), now: harness.now, wall: harness.wall)
        let back = harness.connect("r", cleanStart: false, expiry: 100, user: "ann")
        harness.settle()
        #expect(back.takeTexts() == ["a/2"])
    }

    @Test("a session is its user's: another one under the same identifier begins anew")
    func foreignSession() {
        let harness = broker([], default: .allow)
        let reader = harness.connect("r", cleanStart: false, expiry: 100, user: "ann")
        harness.subscribe(reader, "a", qos: .atLeastOnce)
        harness.settle()
        harness.lose(reader)
        harness.publish(harness.connect("p", user: "p"), "a", "for ann", qos: .atLeastOnce)
        harness.settle()
        let other = harness.connect("r", cleanStart: false, expiry: 100, user: "bob")
        #expect(texts(other, harness) == ["CONNACK 0 0"])
        harness.lose(other)
        #expect(texts(harness.connect("r", cleanStart: false, expiry: 100, user: "bob"), harness) == ["CONNACK 1 0"])
    }

    @Test("parts of the program are not restricted")
    func insideClients() {
        let harness = broker([])
        let inside = RecordingClient()
        harness.broker.attach(inside, identifier: "$inside")
        harness.broker.subscribe(
            inside, filter: TopicFilter("#")!, options: SubscriptionOptions(qos: .atMostOnce), now: harness.now, wall: harness.wall)
        harness.publish(inside, "$SYS/a", "x", qos: .atLeastOnce)
        harness.publish(inside, "a", "x")
        harness.settle()
        #expect(inside.takeTexts() == ["x"])
        #expect(harness.broker.statistics.drops[.notAuthorized] == 0)
    }
}
