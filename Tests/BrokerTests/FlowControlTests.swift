import Core
import MQTTCodec
import Testing

@testable import Broker

/// How much a client may have under way, and how much may wait in all.
@Suite("Flow control")
struct FlowControlTests {
    @Test("[MQTT-3.3.4-9] an MQTT 5.0 client that has more unacknowledged than our Receive Maximum is closed with 0x93")
    func receiveMaximum() {
        var limits = BrokerLimits()
        limits.receiveMaximum = 3
        let harness = BrokerHarness(limits: limits)
        let away = harness.connect("s", expiry: 3600)
        harness.subscribe(away, "a", qos: .atLeastOnce)
        let publisher = harness.connect("p")
        harness.settle()
        _ = publisher.take()
        // Their acknowledgements wait for the disk.
        harness.publish(publisher, "a", "1", qos: .atLeastOnce, packetIdentifier: 1)
        harness.publish(publisher, "a", "2", qos: .exactlyOnce, packetIdentifier: 2)
        harness.publish(publisher, "a", "3", qos: .atLeastOnce, packetIdentifier: 3)
        harness.flush()
        #expect(publisher.take().isEmpty)
        harness.publish(publisher, "a", "4", qos: .atLeastOnce, packetIdentifier: 4)
        harness.flush()
        #expect(publisher.take().map(\.text) == ["DISCONNECT 147"])
    }

    @Test("acknowledged messages count no more against our Receive Maximum")
    func acknowledgedCountsNoMore() {
        var limits = BrokerLimits()
        limits.receiveMaximum = 2
        let harness = BrokerHarness(limits: limits)
        let away = harness.connect("s", expiry: 3600)
        harness.subscribe(away, "a", qos: .atLeastOnce)
        let publisher = harness.connect("p")
        harness.settle()
        _ = publisher.take()
        for number: UInt16 in 1...20 {
            harness.publish(publisher, "a", "x", qos: .atLeastOnce, packetIdentifier: number)
            harness.settle()
        }
        #expect(publisher.take().map(\.text) == (1...20).map { "PUBACK \($0) 0" })
    }

    @Test("when too much waits in all queues together, QoS 1 and 2 get Quota exceeded, QoS 0 is dropped, new sessions wait")
    func memoryBound() {
        var limits = BrokerLimits()
        limits.maximumWaitingBytes = 10_000
        let harness = BrokerHarness(limits: limits)
        for number in 1...4 {
            let away = harness.connect("s\(number)", expiry: 3600)
            harness.subscribe(away, "a", qos: .atLeastOnce)
            harness.lose(away)
        }
        let publisher = harness.connect("p")
        let reader = harness.connect("r")
        harness.subscribe(reader, "b")
        harness.settle()
        _ = publisher.take()
        _ = reader.take()
        let text = String(repeating: "x", count: 1_000)
        for number: UInt16 in 1...5 {
            harness.publish(publisher, "a", text, qos: .atLeastOnce, packetIdentifier: number)
            harness.settle()
        }
        #expect(publisher.take().map(\.text) == ["PUBACK 1 0", "PUBACK 2 0", "PUBACK 3 0", "PUBACK 4 151", "PUBACK 5 151"])
        harness.publish(publisher, "b", "y")
        harness.settle()
        #expect(reader.takeTexts().isEmpty)
        #expect(harness.connect("new").take().isEmpty)
        // A session that is there goes on: it is what makes room.
        let back = harness.connect("s1", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(back.takeTexts().count == 3)
        for identifier: UInt16 in 1...3 { harness.puback(back, identifier) }
        harness.publish(publisher, "a", text, qos: .atLeastOnce, packetIdentifier: 6)
        harness.settle()
        #expect(publisher.take().map(\.text) == ["PUBACK 6 0"])
    }

    @Test("what waits is counted in all until it is gone")
    func memoryIsAccounted() {
        let harness = BrokerHarness()
        let away = harness.connect("s", expiry: 3600)
        harness.subscribe(away, "a", qos: .atLeastOnce)
        harness.lose(away)
        let publisher = harness.connect("p")
        for number: UInt16 in 1...10 { harness.publish(publisher, "a", "text", qos: .atLeastOnce, packetIdentifier: number) }
        harness.settle()
        #expect(harness.broker.account.byteCount == 50)
        let again = harness.connect("s", cleanStart: true)
        harness.settle()
        _ = again.take()
        #expect(harness.broker.account.byteCount == 0)
    }
}
