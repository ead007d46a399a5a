import Core
import MQTTCodec
import Store
import Testing

@testable import Broker

@Suite("Bounds on memory")
struct BoundTests {
    @Test("what has been acknowledged is let go while an older message is not")
    func doneEntriesHoldNoMessage() {
        let harness = BrokerHarness()
        let subscriber = harness.connect("s", expiry: 60)
        harness.subscribe(subscriber, "a", qos: .atLeastOnce)
        let publisher = harness.connect("p")
        for number: UInt16 in 1...100 {
            harness.publish(publisher, "a", "message \(number)", qos: .atLeastOnce, packetIdentifier: number)
            if number > 1 { harness.puback(subscriber, number) }
        }
        let entries = subscriber.session?.queue.entries
        #expect(entries?.count == 100)
        #expect(entries?.dropFirst().allSatisfy { $0.state == .done && $0.message == nil } == true)
        #expect(subscriber.session?.queue.count == 1)
    }

    @Test("small messages for a client that does not read cost what they take in memory")
    func outboxCountsItsEntries() {
        final class StuckClient: Client {}
        var limits = BrokerLimits()
        limits.maximumOutboxBytes = 64_000
        let harness = BrokerHarness(limits: limits)
        let stuck = StuckClient()
        harness.broker.connect(
            stuck, packet: ConnectPacket(version: .v311, clientIdentifier: "slow", cleanStart: true, keepAlive: 0),
            now: harness.now, wall: harness.wall)
        harness.subscribe(stuck, "a")
        let publisher = harness.connect("p")
        for _ in 0..<10_000 { harness.publish(publisher, "a", "") }
        #expect(stuck.outbox.count <= 64_000 / MemoryLayout<Outbound>.stride)
        while stuck.popOutbound() != nil {}
        #expect(stuck.outboxBytes == 0)
    }

    @Test("long topics do not fill the memory with routes")
    func routesAreBoundedInBytes() {
        var table = RouteTable()
        for number in 0..<2_000 {
            let topic = Array("\(number)/".utf8) + [UInt8](repeating: 0x78, count: 60_000)
            let hash = topic.withUnsafeBytes { table.hash($0) }
            topic.withUnsafeBytes {
                table.insert(Route(topic: $0, hash: hash, number: UInt64(number) + 1, targets: [], groups: []))
            }
            #expect(table.byteCount <= RouteTable.maximumBytes)
            #expect(topic.withUnsafeBytes { table.find($0, hash: hash) } != nil)
        }
        #expect(table.count < 1_000)
    }

    @Test("while the disk takes nothing, what waits for it is bounded in bytes, and QoS 0 messages go on")
    func pendingBytes() {
        var limits = BrokerLimits()
        limits.maximumPendingBytes = 10_000
        let harness = BrokerHarness(limits: limits)
        let subscriber = harness.connect("s", expiry: 3600)
        harness.subscribe(subscriber, "a")
        let publisher = harness.connect("p")
        harness.settle()
        _ = publisher.take()
        _ = subscriber.take()
        let text = String(repeating: "x", count: 1_000)
        for number: UInt16 in 1...100 {
            harness.publish(publisher, "a", text, qos: .atLeastOnce, retain: true, packetIdentifier: number)
            harness.publish(publisher, "a", text, retain: true)
        }
        #expect(harness.broker.operationBytes <= 11_100)
        harness.flush()
        #expect(subscriber.takePublishes().count { $0.qos == .atMostOnce } == 100)
        harness.settle()
        // In the order in which they were due, so after those that waited for the disk.
        #expect(publisher.take().contains { $0.text == "PUBACK 100 151" })
        #expect(harness.broker.operationBytes == 0)
        harness.publish(publisher, "a", text, qos: .atLeastOnce, packetIdentifier: 101)
        harness.settle()
        #expect(publisher.take().contains { $0.text == "PUBACK 101 0" })
    }

    @Test("this program's own messages do not pile up for a disk that takes nothing")
    func ownMessages() {
        var limits = BrokerLimits()
        limits.maximumPendingBytes = 10_000
        let harness = BrokerHarness(limits: limits)
        let subscriber = harness.connect("s", expiry: 3600)
        harness.subscribe(subscriber, "a", qos: .atLeastOnce)
        harness.settle()
        let payload = [UInt8](repeating: 1, count: 1_000)
        for number in 0..<100 {
            let message = Array("a".utf8).withUnsafeBytes { topic in
                payload.withUnsafeBytes { payload in
                    Message.create(topic: topic, payload: payload, qos: .atLeastOnce, retain: false, publishedAt: harness.wall)
                }
            }
            harness.broker.publish(message, now: harness.now, wall: harness.wall)
            // The disk fails; what was for it comes back.
            if number % 10 == 0, let batch = harness.broker.takeBatch() { harness.broker.commitFailed(batch.operations) }
        }
        #expect(harness.broker.operationBytes <= 21_100)
        #expect(harness.broker.statistics.dropped > 70)
    }

    @Test("a retained message is replaced by one of its size when there is no room for another")
    func retainedReplacement() {
        var limits = BrokerLimits()
        limits.maximumRetainedBytes = 100
        let harness = BrokerHarness(limits: limits)
        let publisher = harness.connect("p")
        harness.publish(publisher, "a", String(repeating: "1", count: 90), retain: true)
        harness.publish(publisher, "a", String(repeating: "2", count: 90), retain: true)
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "#")
        harness.settle()
        #expect(subscriber.takeTexts() == [String(repeating: "2", count: 90)])
    }

    private static func full() -> BrokerHarness {
        var limits = BrokerLimits()
        limits.maximumRetainedMessages = 2
        limits.maximumRetainedBytes = 30
        let harness = BrokerHarness(limits: limits)
        let publisher = harness.connect("first")
        harness.publish(publisher, "a", "old", retain: true)
        harness.publish(publisher, "b", "old", retain: true)
        return harness
    }

    /// What is retained, as `topic payload`.
    private static func retained(_ harness: BrokerHarness) -> [String] {
        harness.broker.retained.contents.map { "\($0.message.topic) \(String(decoding: $0.message.payload, as: UTF8.self))" }.sorted()
    }

    @Test("a message that cannot be retained is refused where MQTT has a way to say so, and changes nothing", arguments: [
        QoS.atLeastOnce, .exactlyOnce,
    ])
    func unretained(qos: QoS) {
        let harness = Self.full()
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "#", handling: .doNotSend)
        let publisher = harness.connect("p")
        harness.settle()
        _ = (publisher.take(), subscriber.take())
        harness.publish(publisher, "c", "new", qos: qos, retain: true, packetIdentifier: 1)
        harness.publish(publisher, "a", String(repeating: "x", count: 29), qos: qos, retain: true, packetIdentifier: 2)
        harness.settle()
        let answer = qos == .atLeastOnce ? "PUBACK" : "PUBREC"
        #expect(publisher.take().map(\.text) == ["\(answer) 1 151", "\(answer) 2 151"])
        #expect(subscriber.takePublishes().isEmpty)
        #expect(Self.retained(harness) == ["a old", "b old"])
        #expect(harness.broker.statistics.retainedRefused == 2)
        // Another of its topic, an end of a topic, and what is not to be retained.
        harness.publish(publisher, "a", "new", qos: qos, retain: true, packetIdentifier: 3)
        harness.publish(publisher, "b", "", qos: qos, retain: true, packetIdentifier: 4)
        harness.publish(publisher, "d", "d", qos: qos, packetIdentifier: 5)
        harness.publish(publisher, "c", "new", qos: qos, retain: true, packetIdentifier: 6)
        harness.settle()
        #expect(publisher.take().map(\.text) == (3...6).map { "\(answer) \($0) 0" })
        #expect(Self.retained(harness) == ["a new", "c new"])
        #expect(harness.broker.statistics.retainedRefused == 2)
        // What never can be retained is delivered all the same: whoever tries again and again would do so for ever.
        _ = subscriber.take()
        harness.publish(publisher, "a", String(repeating: "x", count: 30), qos: qos, retain: true, packetIdentifier: 7)
        harness.settle()
        #expect(publisher.take().map(\.text) == ["\(answer) 7 0"] && subscriber.takePublishes().count == 1)
        #expect(Self.retained(harness) == ["c new"])
        #expect(harness.broker.statistics.retainedRefused == 3)
    }

    @Test("a publisher that cannot be told has its message delivered, and the loss is counted", arguments: [
        (ProtocolVersion.v311, QoS.atLeastOnce), (.v5, .atMostOnce),
    ])
    func unretainedUntold(version: ProtocolVersion, qos: QoS) {
        let harness = Self.full()
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "#", handling: .doNotSend)
        let publisher = harness.connect("p", version: version)
        harness.settle()
        _ = (publisher.take(), subscriber.take())
        harness.publish(publisher, "c", "new", qos: qos, retain: true)
        // What was retained of the topic is not true any more.
        harness.publish(publisher, "a", String(repeating: "x", count: 30), qos: qos, retain: true)
        harness.settle()
        #expect(publisher.take().map(\.text) == (qos == .atMostOnce ? [] : ["PUBACK 1 0", "PUBACK 1 0"]))
        #expect(subscriber.takePublishes().map(\.message.topic) == ["c", "a"])
        #expect(Self.retained(harness) == ["b old"])
        #expect(harness.broker.statistics.retainedRefused == 2)
    }

    @Test("what comes from an upstream is delivered though it cannot be retained")
    func unretainedUpstream() {
        let harness = Self.full()
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "c")
        let bridge = RecordingClient()
        harness.broker.attach(bridge, identifier: "$bridge")
        harness.settle()
        _ = subscriber.take()
        harness.publish(bridge, "c", "new", qos: .atLeastOnce, retain: true)
        harness.settle()
        #expect(bridge.take().map(\.text) == ["PUBACK 1 0"] && subscriber.takeTexts() == ["new"])
        #expect(harness.broker.statistics.retainedRefused == 1)
    }

    @Test("a trail that the message gets here counts before it is refused or taken")
    func unretainedTrail() {
        for limit in 60...110 {
            var limits = BrokerLimits()
            limits.maximumRetainedBytes = limit
            let harness = BrokerHarness(limits: limits)
            harness.broker.trail = MessageTrail(name: "box", maximumHops: 4, run: 1)
            let publisher = harness.connect("p")
            _ = publisher.take()
            harness.publish(publisher, "a", String(repeating: "x", count: 30), qos: .atLeastOnce, retain: true)
            harness.settle()
            let isRefused = publisher.take().map(\.text).contains("PUBACK 1 151")
            #expect(isRefused == Self.retained(harness).isEmpty, "\(limit) bytes")
        }
    }

    @Test("the limits of clients' topics and retained messages are not used up by the broker's own, nor bind them")
    func ownTopics() {
        var limits = BrokerLimits()
        limits.maximumTopicLevels = 3
        limits.maximumRetainedMessages = 1
        limits.maximumRetainedBytes = 30
        let harness = BrokerHarness(limits: limits)
        for payload in ["1", "2", ""] {
            for topic in ["$SYS/broker/load/1/2", "$SYS/broker/x"] {
                let message = Array(topic.utf8).withUnsafeBytes { topic in
                    Array(payload.utf8).withUnsafeBytes { payload in
                        Message.create(topic: topic, payload: payload, qos: .atMostOnce, retain: true, publishedAt: harness.wall)
                    }
                }
                harness.broker.publish(message, now: harness.now, wall: harness.wall)
            }
            let reader = harness.connect("r")
            harness.subscribe(reader, "$SYS/broker/#")
            harness.settle()
            #expect(reader.takeTexts() == (payload.isEmpty ? [] : [payload, payload]))
        }
        let publisher = harness.connect("p")
        for topic in ["a", "b"] { harness.publish(publisher, topic, "x", retain: true) }
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "#")
        harness.settle()
        #expect(subscriber.takePublishes().count == 1)
        #expect(harness.broker.statistics.retainedRefused == 1)
    }
}
