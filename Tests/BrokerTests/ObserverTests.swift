import Broker
import Core
import MQTTCodec
import Testing

/// Writes each event down as a short text.
private final class RecordingObserver: BrokerObserver {
    private(set) var events: [String] = []

    var unwanted: BrokerEvent.Kind?

    func wants(_ kind: BrokerEvent.Kind) -> Bool { kind != unwanted }

    func observe(_ event: BrokerEvent) {
        switch event {
        case .connected(let client, let connection):
            events.append(
                "\(client.clientIdentifier) connected v\(connection.version) clean \(connection.cleanStart) "
                    + "present \(connection.sessionPresent) keep-alive \(connection.keepAlive)")
        case .refused(let client, let reason):
            events.append("\(client.clientIdentifier) refused \(reason.rawValue)")
        case .disconnected(let client, let cause):
            events.append("\(client.clientIdentifier) disconnected \(cause)")
        case .subscribed(let client, let filter, let options):
            events.append("\(client.clientIdentifier) subscribed \(filter) \(options.qos.rawValue)")
        case .unsubscribed(let client, let filter):
            events.append("\(client.clientIdentifier) unsubscribed \(filter)")
        case .dropped(let client, let reason, let topic, let count):
            events.append("\(client ?? "-") dropped \(count) \(reason.name) \(topic)")
        case .banned(let subject, let seconds, let reason):
            events.append("\(subject) banned \(seconds) \(reason)")
        }
    }

    func take() -> [String] {
        defer { events.removeAll() }
        return events
    }
}

@Suite("The broker's observer")
struct ObserverTests {
    private let observer = RecordingObserver()

    private func harness(_ limits: BrokerLimits = BrokerLimits()) -> BrokerHarness {
        let harness = BrokerHarness(limits: limits)
        harness.broker.observer = observer
        return harness
    }

    @Test("is told of a connection, with what the client asked for")
    func connected() {
        _ = harness().connect("a", keepAlive: 30)
        #expect(observer.take() == ["a connected vv5 clean true present false keep-alive 30"])
    }

    @Test("is not told what it does not want to know")
    func unwanted() {
        observer.unwanted = .connected
        let harness = harness()
        let client = harness.connect("a")
        harness.lose(client)
        #expect(observer.take() == ["a disconnected \(DisconnectCause.connectionLost)"])
        #expect(harness.broker.statistics.connections == 1)
    }

    @Test("is told why a connection was refused")
    func refused() {
        var limits = BrokerLimits()
        limits.maximumConnections = 1
        let harness = harness(limits)
        _ = harness.connect("a")
        _ = observer.take()
        _ = harness.connect("b")
        #expect(observer.take() == ["b refused \(ReasonCode.serverBusy.rawValue)"])
        #expect(harness.broker.statistics.refusals == [.serverBusy: 1])
    }

    @Test("is told how a connection ended")
    func disconnected() {
        let harness = harness()
        let left = harness.connect("left")
        let lost = harness.connect("lost")
        _ = harness.connect("taken")
        _ = harness.connect("silent", keepAlive: 2)
        _ = observer.take()
        harness.broker.disconnect(left, packet: DisconnectPacket(reasonCode: .success), now: harness.now, wall: harness.wall)
        harness.lose(lost)
        _ = harness.connect("taken")
        harness.advance(.seconds(4))
        let ends = observer.take().filter { $0.contains("disconnected") }
        #expect(
            ends == [
                "left disconnected \(DisconnectCause.byClient(.success))", "lost disconnected \(DisconnectCause.connectionLost)",
                "taken disconnected \(DisconnectCause.byBroker(.sessionTakenOver))",
                "silent disconnected \(DisconnectCause.byBroker(.keepAliveTimeout))",
            ])
        let statistics = harness.broker.statistics
        #expect(statistics.departures == [.success: 1] && statistics.connectionsLost == 1)
        #expect(statistics.closings == [.sessionTakenOver: 1, .keepAliveTimeout: 1])
    }

    @Test("is told of subscriptions made and ended")
    func subscriptions() {
        let harness = harness()
        let client = harness.connect("a")
        _ = observer.take()
        harness.subscribe(client, "x/#", qos: .atLeastOnce)
        harness.broker.unsubscribe(UnsubscribePacket(packetIdentifier: 2, filters: ["x/#", "y"]), from: client)
        #expect(observer.take() == ["a subscribed x/# 1", "a unsubscribed x/#"])
    }

    @Test("is told of dropped messages once a second for each session and reason")
    func drops() {
        var limits = BrokerLimits()
        limits.maximumQueuedMessages = 2
        let harness = harness(limits)
        let subscriber = harness.connect("sub", expiry: 100)
        harness.subscribe(subscriber, "x", qos: .atLeastOnce)
        harness.lose(subscriber)
        let publisher = harness.connect("pub")
        _ = observer.take()
        for number in 0..<10 {
            harness.publish(publisher, "x", "\(number)", qos: .atLeastOnce, packetIdentifier: UInt16(number + 1))
        }
        #expect(observer.take() == [])
        harness.advance(.seconds(1))
        #expect(observer.take() == ["sub dropped 8 queue-full x"])
        harness.advance(.seconds(1))
        #expect(observer.take() == [])
        #expect(harness.broker.statistics.drops[.queueFull] == 8)
    }

    @Test("hears nothing of the program's own parts")
    func internalClients() {
        let harness = harness()
        let part = RecordingClient()
        harness.broker.attach(part, identifier: "$part")
        harness.broker.subscribe(
            part, filter: TopicFilter("#")!, options: SubscriptionOptions(qos: .atMostOnce), now: harness.now,
            wall: harness.wall)
        #expect(observer.take() == [])
        #expect(harness.broker.census() == BrokerCensus())
    }

    @Test("a census counts what is there")
    func census() {
        let harness = harness()
        let subscriber = harness.connect("sub", expiry: 100)
        harness.subscribe(subscriber, "x")
        harness.subscribe(subscriber, "y")
        let publisher = harness.connect("pub")
        harness.publish(publisher, "x", "12345", qos: .atLeastOnce, retain: true)
        harness.settle()
        harness.publish(publisher, "y", "12345", qos: .atLeastOnce, packetIdentifier: 2)
        let census = harness.broker.census()
        #expect(census.clients == 2 && census.sessions == 2 && census.subscriptions == 2)
        #expect(census.retainedMessages == 1 && census.retainedBytes == 6)
        #expect(census.queuedMessages == 2 && census.queuedBytes == 12 && census.inFlight == 2)
        #expect(harness.broker.statistics.maximumClients == 2)
    }
}
