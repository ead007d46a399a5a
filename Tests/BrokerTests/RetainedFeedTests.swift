import Core
import MQTTCodec
import Testing

@testable import Broker

/// More retained messages than a queue takes.
@Suite("Retained messages that there is no room for at once")
struct RetainedFeedTests {
    private let harness: BrokerHarness
    private let publisher: RecordingClient
    /// More than are looked for at one time.
    private static let count = 2_500

    init() {
        var limits = BrokerLimits()
        limits.maximumQueuedMessages = 100
        harness = BrokerHarness(limits: limits)
        publisher = harness.connect("p")
        for number in 1...RetainedFeedTests.count { retain("r/\(number)", "\(number)", qos: .atLeastOnce) }
    }

    private func retain(_ topic: String, _ payload: String, qos: QoS) {
        harness.publish(publisher, topic, payload, qos: qos, retain: true)
        harness.settle()
        _ = publisher.take()
    }

    private static let all = (1...count).map(String.init)

    /// Takes and acknowledges what comes, a turn at a time, until nothing comes.
    private func receive(_ client: RecordingClient, atMost most: Int = .max) -> [OutboundPublish] {
        var received: [OutboundPublish] = []
        while received.count < most {
            harness.settle()
            let publishes = client.takePublishes()
            if publishes.isEmpty { break }
            received += publishes
            for publish in publishes where publish.qos == .atLeastOnce { harness.puback(client, publish.packetIdentifier) }
            let queued = client.session?.queue.count ?? 0
            #expect(queued <= 100)
        }
        #expect(harness.broker.checkInvariants() == [])
        return received
    }

    private func texts(_ publishes: [OutboundPublish]) -> [String] {
        publishes.map { String(decoding: $0.message.payload, as: UTF8.self) }
    }

    @Test("all of them come, in the order in which they were retained, and none is dropped", arguments: [nil, 3600] as [UInt32?])
    func allCome(expiry: UInt32?) {
        let subscriber = harness.connect("s", expiry: expiry)
        harness.subscribe(subscriber, "r/#", qos: .atLeastOnce)
        let received = receive(subscriber)
        #expect(texts(received) == RetainedFeedTests.all)
        #expect(received.allSatisfy { $0.retain })
        #expect(harness.broker.statistics.dropped == 0)
        #expect(subscriber.session?.feeds.isEmpty == true)
    }

    @Test("at QoS 0 they come as the connection takes them")
    func unacknowledged() {
        final class SlowClient: Client {
            var texts: [String] = []
            /// Takes a few.
            func take() {
                for _ in 0..<10 {
                    guard case .publish(let publish)? = popOutbound() else { continue }
                    texts.append(String(decoding: publish.message.payload, as: UTF8.self))
                }
            }
        }
        harness.broker.limits.maximumOutboxBytes = 80_000
        let slow = SlowClient()
        harness.broker.connect(
            slow, packet: ConnectPacket(version: .v311, clientIdentifier: "slow", cleanStart: true, keepAlive: 0),
            now: harness.now, wall: harness.wall)
        harness.subscribe(slow, "r/#", qos: .atMostOnce)
        for _ in 0..<1_000 where slow.texts.count < RetainedFeedTests.count {
            harness.settle()
            #expect(slow.outboxBytes <= 80_000)
            slow.take()
            harness.broker.outboxWritten(of: slow, now: harness.now)
        }
        #expect(slow.texts == RetainedFeedTests.all)
        #expect(harness.broker.statistics.dropped == 0)
    }

    @Test("those that have room come at once")
    func room() {
        harness.broker.limits.maximumQueuedMessages = RetainedFeedTests.count
        let subscriber = harness.connect("s")
        harness.subscribe(subscriber, "r/#", qos: .atLeastOnce)
        #expect(subscriber.session?.queue.count == RetainedFeedTests.count)
        #expect(subscriber.session?.feeds.isEmpty == true)
    }

    @Test("what is replaced or removed before its turn does not come, and what replaces it comes once, as a live message")
    func changes() {
        let subscriber = harness.connect("s", receiveMaximum: 10)
        harness.subscribe(subscriber, "r/#", qos: .atLeastOnce)
        var received = receive(subscriber, atMost: 20)
        retain("r/2000", "new", qos: .atLeastOnce)
        retain("r/2001", "", qos: .atLeastOnce)
        retain("r/one more", "more", qos: .atLeastOnce)
        received += receive(subscriber)
        let live = received.filter { !$0.retain }
        #expect(texts(live) == ["new", "", "more"])
        #expect(texts(received.filter { $0.retain }) == RetainedFeedTests.all.filter { $0 != "2000" && $0 != "2001" })
    }

    @Test("[MQTT-4.6.0-6] what is retained of a topic comes before a live message of that topic, and once")
    func liveStaysBehind() {
        let subscriber = harness.connect("s", receiveMaximum: 10)
        harness.subscribe(subscriber, "r/#", qos: .atLeastOnce)
        harness.settle()
        harness.publish(publisher, "r/2000", "live", qos: .atLeastOnce)
        let received = receive(subscriber)
        #expect(texts(received.filter { $0.message.topic == "r/2000" }) == ["2000", "live"])
        #expect(received.count == RetainedFeedTests.count + 1)
        // Live messages do not wait for all that is retained.
        #expect(received.firstIndex { !$0.retain }.map { $0 < 200 } == true)
    }

    @Test("a session whose client goes away is sent the rest when it comes back")
    func resumed() {
        let subscriber = harness.connect("s", expiry: 3600)
        harness.subscribe(subscriber, "r/#", qos: .atLeastOnce)
        var received = receive(subscriber, atMost: 300)
        harness.lose(subscriber)
        harness.settle()
        let again = harness.connect("s", cleanStart: false, expiry: 3600)
        received += receive(again)
        var seen: Set<String> = []
        #expect(texts(received).filter { seen.insert($0).inserted } == RetainedFeedTests.all)
        #expect(received.count < RetainedFeedTests.count + 100, "only what was not acknowledged comes again")
    }

    @Test("after a power cut they begin anew, and when they have come they do not come again")
    func restarted() {
        let subscriber = harness.connect("s", expiry: 3600)
        harness.subscribe(subscriber, "r/#", qos: .atLeastOnce)
        _ = receive(subscriber, atMost: 300)
        harness.restart()
        let again = harness.connect("s", cleanStart: false, expiry: 3600)
        #expect(Set(texts(receive(again))) == Set(RetainedFeedTests.all))
        harness.restart()
        let last = harness.connect("s", cleanStart: false, expiry: 3600)
        #expect(receive(last).isEmpty)
    }

    @Test("no more of them come once the subscription or the session has ended")
    func ended() {
        let subscriber = harness.connect("s", receiveMaximum: 10)
        harness.subscribe(subscriber, "r/#", qos: .atLeastOnce)
        harness.broker.unsubscribe(UnsubscribePacket(packetIdentifier: 2, filters: ["r/#"]), from: subscriber)
        #expect(receive(subscriber).count <= 100)
        harness.subscribe(subscriber, "r/#", qos: .atLeastOnce)
        harness.settle()
        harness.lose(subscriber)
        harness.settle()
        #expect(harness.broker.checkInvariants() == [])
        #expect(harness.broker.account.byteCount == 0)
    }

    @Test("a subscription that is made again while they come begins anew")
    func madeAgain() {
        let subscriber = harness.connect("s", receiveMaximum: 10)
        harness.subscribe(subscriber, "r/#", qos: .atLeastOnce)
        _ = receive(subscriber, atMost: 500)
        harness.subscribe(subscriber, "r/#", qos: .atLeastOnce)
        #expect(subscriber.session?.feeds.count == 1)
        #expect(Set(texts(receive(subscriber))) == Set(RetainedFeedTests.all))
    }
}
