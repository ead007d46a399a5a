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
