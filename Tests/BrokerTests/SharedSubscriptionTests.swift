import Core
import MQTTCodec
import Testing

@testable import Broker

/// `$share/{name}/{filter}`: MQTT 5.0 §4.8.2.
@Suite("Shared subscriptions")
struct SharedSubscriptionTests {
    private let harness = BrokerHarness()

    private func member(
        _ identifier: String, _ filter: String = "$share/g/a", qos: QoS = .exactlyOnce, version: ProtocolVersion = .v5,
        expiry: UInt32? = nil, receiveMaximum: UInt16? = nil
    ) -> RecordingClient {
        let client = harness.connect(identifier, version: version, expiry: expiry, receiveMaximum: receiveMaximum)
        harness.subscribe(client, filter, qos: qos)
        harness.settle()
        _ = client.take()
        return client
    }

    private func publish(_ range: ClosedRange<UInt16>, qos: QoS = .atMostOnce) {
        let publisher = harness.connect("publisher")
        for number in range {
            harness.publish(publisher, "a", "\(number)", qos: qos, packetIdentifier: number)
        }
        harness.settle()
    }

    @Test("each message goes to one member, in turn", arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func inTurn(qos: QoS) {
        let members = ["x", "y", "z"].map { member($0) }
        publish(1...9, qos: qos)
        let arrived = members.map { $0.takeTexts() }
        #expect(arrived.map(\.count) == [3, 3, 3])
        #expect(Set(arrived.joined()) == Set((1...9).map(String.init)))
    }

    @Test("groups of other names and ordinary subscriptions get their own copies")
    func groupsAreApart() {
        let first = member("x", "$share/g/a")
        let second = member("y", "$share/h/a")
        let ordinary = member("z", "a")
        publish(1...4)
        for client in [first, second, ordinary] { #expect(client.takeTexts() == ["1", "2", "3", "4"]) }
    }

    @Test("filters with wildcards are shared too, and a topic that begins with $ is not theirs")
    func wildcards() {
        let below = member("x", "$share/g/#")
        let level = member("y", "$share/g/+")
        let publisher = harness.connect("publisher")
        harness.publish(publisher, "a", "1")
        harness.publish(publisher, "a/b", "2")
        harness.publish(publisher, "$other/a", "3")
        harness.settle()
        #expect(below.takeTexts() == ["1", "2"])
        #expect(level.takeTexts() == ["1"])
    }

    @Test("clients of MQTT 3.1.1 take part")
    func olderClients() {
        let old = member("x", version: .v311)
        let new = member("y")
        publish(1...4)
        #expect(old.takeTexts().count == 2)
        #expect(new.takeTexts().count == 2)
    }

    @Test("nobody waits for a member whose window is full while another has room")
    func slowMember() {
        let slow = member("slow", receiveMaximum: 1)
        let quick = member("quick")
        publish(1...10, qos: .atLeastOnce)
        #expect(slow.takeTexts().count == 1)
        #expect(quick.takeTexts().count == 9)
    }

    @Test("[MQTT-4.8.2-3] a member gets a message with the quality of service that its own subscription granted")
    func ownQoS() {
        let low = member("low", qos: .atMostOnce)
        let high = member("high", qos: .atLeastOnce)
        publish(1...4, qos: .exactlyOnce)
        #expect(low.takePublishes().allSatisfy { $0.qos == .atMostOnce })
        #expect(high.takePublishes().allSatisfy { $0.qos == .atLeastOnce })
    }

    @Test("retained messages are not sent for a shared subscription")
    func retained() {
        let publisher = harness.connect("publisher")
        harness.publish(publisher, "a", "kept", retain: true)
        harness.settle()
        let client = harness.connect("x")
        harness.subscribe(client, "$share/g/a")
        harness.settle()
        #expect(client.takeTexts().isEmpty)
    }

    @Test("what a member that goes for good had not acknowledged is sent to another")
    func goneMember() {
        let first = member("x", qos: .atLeastOnce, receiveMaximum: 2)
        publish(1...5, qos: .atLeastOnce)
        #expect(first.takeTexts() == ["1", "2"])
        let second = member("y", qos: .atLeastOnce)
        harness.puback(first, 1)
        harness.settle()
        harness.lose(first)
        harness.settle()
        #expect(Set(second.takeTexts()) == ["2", "3", "4", "5"])
        #expect(harness.broker.account.byteCount >= 0)
    }

    @Test("[MQTT-4.8.2-5] a QoS 2 message that was sent to a session that has ended is not sent to another")
    func unfinishedQoS2() {
        let first = member("x")
        publish(1...1, qos: .exactlyOnce)
        #expect(first.takeTexts() == ["1"])
        let second = member("y")
        harness.lose(first)
        harness.settle()
        #expect(second.takeTexts().isEmpty)
    }

    @Test("a message waits for a session that outlives its connection when no member is there")
    func awayMembers() {
        let first = member("x", expiry: 3600)
        harness.lose(first)
        harness.settle()
        publish(1...3, qos: .atLeastOnce)
        let again = harness.connect("x", cleanStart: false, expiry: 3600)
        harness.settle()
        #expect(again.takeTexts() == ["1", "2", "3"])
    }

    @Test("the last member that unsubscribes ends the group")
    func ended() {
        let only = member("x")
        harness.broker.unsubscribe(UnsubscribePacket(packetIdentifier: 1, filters: ["$share/g/a"]), from: only)
        harness.settle()
        #expect(only.take().map(\.text) == ["UNSUBACK [0]"])
        publish(1...2)
        #expect(only.takeTexts().isEmpty)
        #expect(harness.broker.census().sharedSubscriptions == 0)
    }
}
