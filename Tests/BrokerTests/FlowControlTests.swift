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

    @Test("our Receive Maximum, our Maximum QoS and Retain Available are for clients that were told")
    func limitsOfInternalClients() {
        var limits = BrokerLimits()
        limits.receiveMaximum = 2
        limits.maximumQoS = .atLeastOnce
        limits.retainAvailable = false
        let harness = BrokerHarness(limits: limits)
        let internalClient = RecordingClient()
        harness.broker.attach(internalClient, identifier: "$part")
        for number: UInt16 in 1...5 {
            harness.publish(internalClient, "a", "x", qos: .exactlyOnce, retain: true, packetIdentifier: number)
        }
        harness.settle()
        #expect(internalClient.take().map(\.text) == (1...5).map { "PUBREC \($0) 16" })
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

    /// Publishes messages of about 1,000 bytes until one is refused.
    ///
    /// - Returns: how many were taken.
    private func fill(_ topic: String, from publisher: RecordingClient, _ harness: BrokerHarness) -> Int {
        for number: UInt16 in 1...1_000 {
            harness.publish(publisher, topic, FlowControlTests.text, qos: .atLeastOnce, packetIdentifier: number)
            harness.settle()
            if publisher.take().map(\.text) == ["PUBACK \(number) 151"] { return Int(number) - 1 }
        }
        return .max
    }

    private static let text = String(repeating: "x", count: 1_000)

    @Test("when half of what may wait does, messages for whoever holds more than his share get Quota exceeded, and others go on")
    func fairShares() {
        var limits = BrokerLimits()
        limits.maximumWaitingBytes = 20_000
        let harness = BrokerHarness(limits: limits)
        for number in 1...3 { harness.leaveSession("s\(number)", "\(number)") }
        let reader = harness.connect("r")
        harness.subscribe(reader, "b")
        let publisher = harness.connect("p")
        harness.settle()
        _ = publisher.take()
        _ = reader.take()
        // Half of the limit; then half and a third of that half.
        #expect(fill("1", from: publisher, harness) == 10)
        #expect(fill("2", from: publisher, harness) == 4)
        #expect(fill("3", from: publisher, harness) == 3)
        for text in ["1", "2"] { harness.publish(publisher, "b", text) }
        harness.settle()
        #expect(reader.takeTexts() == ["1", "2"])
        #expect(harness.broker.statistics.dropped == 0)
        // It is what makes room.
        let back = harness.connect("s1", cleanStart: false, expiry: 3600)
        harness.settle()
        for publish in back.takePublishes() { harness.puback(back, publish.packetIdentifier) }
        #expect(fill("3", from: publisher, harness) > 0)
        #expect(harness.broker.checkInvariants() == [])
    }

    @Test("whoever holds more than his share costs neither other receivers nor the publisher anything", arguments: [ProtocolVersion.v5, .v311])
    func nobodyElseNotices(version: ProtocolVersion) {
        var limits = BrokerLimits()
        limits.maximumWaitingBytes = 20_000
        let harness = BrokerHarness(limits: limits)
        harness.leaveSession("away", "a")
        let reader = harness.connect("r")
        harness.subscribe(reader, "a", qos: .atLeastOnce)
        let publisher = harness.connect("p", version: version)
        harness.settle()
        _ = publisher.take()
        _ = reader.take()
        for number: UInt16 in 1...15 {
            harness.publish(publisher, "a", FlowControlTests.text, qos: .atLeastOnce, packetIdentifier: number)
            harness.settle()
            #expect(publisher.take().count == 1 && !publisher.isClosing)
            for publish in reader.takePublishes() { harness.puback(reader, publish.packetIdentifier) }
        }
        #expect(harness.broker.statistics.dropped == 5)
        let back = harness.connect("away", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(back.takeTexts().count == 10)
    }

    @Test("when all that may wait does, QoS 0 is dropped for those that do not keep up, and new sessions have to wait")
    func memoryBound() {
        var limits = BrokerLimits()
        limits.maximumWaitingBytes = 20_000
        let harness = BrokerHarness(limits: limits)
        for number in 1...10 { harness.leaveSession("s\(number)", "\(number)") }
        let publisher = harness.connect("p")
        let reader = harness.connect("r")
        harness.subscribe(reader, "b")
        harness.settle()
        _ = publisher.take()
        _ = reader.take()
        for number in 1...10 { _ = fill("\(number)", from: publisher, harness) }
        #expect(harness.broker.isOutOfMemory)
        for text in ["1", "2"] { harness.publish(publisher, "b", text) }
        harness.settle()
        #expect(reader.takeTexts() == ["1"])
        let new = harness.connect("new")
        harness.settle()
        #expect(new.take().map(\.text) == ["CONNACK 0 137"])
        // A session that is there goes on.
        let back = harness.connect("s1", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(back.takeTexts().count == 10)
    }

    @Test("at that bound what need not wait goes on, and a message for many sessions counts once")
    func memoryBoundIsNoStop() {
        var limits = BrokerLimits()
        limits.maximumWaitingBytes = 20_000
        let harness = BrokerHarness(limits: limits)
        for number in 1...30 { harness.leaveSession("s\(number)", "a") }
        let publisher = harness.connect("p")
        let reader = harness.connect("r")
        harness.subscribe(reader, "b")
        harness.settle()
        _ = publisher.take()
        _ = reader.take()
        for number: UInt16 in 1...15 { harness.publish(publisher, "a", FlowControlTests.text, qos: .atLeastOnce, packetIdentifier: number) }
        harness.settle()
        #expect(publisher.take().map(\.text) == (1...15).map { "PUBACK \($0) \($0 <= 10 ? 0 : 151)" })
        harness.publish(publisher, "b", "1", qos: .atLeastOnce, packetIdentifier: 20)
        harness.settle()
        harness.publish(publisher, "b", "2")
        harness.publish(publisher, "nobody", "3", qos: .atLeastOnce, packetIdentifier: 21)
        harness.settle()
        #expect(reader.takeTexts() == ["1", "2"])
        #expect(publisher.take().map(\.text) == ["PUBACK 20 0", "PUBACK 21 16"])
    }

    @Test("a smaller window after a reconnection leaves nothing behind in the queue")
    func smallerWindow() throws {
        let harness = BrokerHarness()
        let first = harness.connect("s", expiry: 3600, receiveMaximum: 10)
        harness.subscribe(first, "a", qos: .atLeastOnce)
        let publisher = harness.connect("p")
        for number: UInt16 in 1...3 { harness.publish(publisher, "a", "\(number)", qos: .atLeastOnce, packetIdentifier: number) }
        harness.settle()
        harness.puback(first, 2)
        harness.lose(first)
        let again = harness.connect("s", cleanStart: false, expiry: 3600, receiveMaximum: 1)
        harness.settle()
        for identifier: UInt16 in [1, 3] { harness.puback(again, identifier) }
        harness.settle()
        #expect(again.takeTexts() == ["1", "3"])
        #expect(try #require(again.session).queue.entries.isEmpty)
        #expect(harness.broker.checkInvariants() == [])
    }

    @Test("what waits is counted in all until it is gone")
    func memoryIsAccounted() {
        let harness = BrokerHarness()
        harness.leaveSession("s", "a")
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
