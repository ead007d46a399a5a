import CAllocationCount
import Core
import MQTTCodec
import Testing

@testable import Broker

/// A client that takes everything at once and keeps nothing.
private final class CountingClient: Client {
    private(set) var count = 0

    override func deliver(_ publication: inout Publication, _ delivery: Delivery) { count += 1 }
    override func send(_ outbound: Outbound) {}
    override func flush() {}
}

@Suite("Memory of a routing step", .enabled(if: martlet_counts_allocations()))
struct AllocationTests {
    /// What a QoS 1 delivery and its acknowledgement allocate in a build that is not optimized, where generic containers box
    /// what is moved in and out of them. An optimized build allocates nothing for them:
    ///
    ///     swift test -c release -Xswiftc -enable-testing --filter AllocationTests
    private static let unoptimized: UInt64 = {
        #if DEBUG
            return 4
        #else
            return 0
        #endif
    }()

    private let broker = Broker(limits: BrokerLimits(), seed: 7)
    private let now = MonotonicTime(nanoseconds: 1_000_000_000)
    private let wall = Timestamp(milliseconds: 1_700_000_000_000)

    private func connect(_ identifier: String, _ filter: String? = nil, qos: QoS = .atMostOnce) -> CountingClient {
        let client = CountingClient()
        broker.connect(
            client, packet: ConnectPacket(version: .v5, clientIdentifier: identifier, cleanStart: true, keepAlive: 0),
            now: now, wall: wall)
        if let filter {
            let request = SubscribePacket.Request(filter: filter, options: SubscriptionOptions(qos: qos))
            broker.subscribe(SubscribePacket(packetIdentifier: 1, requests: [request]), from: client, now: now, wall: wall)
        }
        return client
    }

    /// Allocations of so many publishes to `t`, in turns of 100, after some that make room.
    private func allocations(_ count: Int, qos: QoS, from client: Client, acknowledgedBy receivers: [Client] = []) -> UInt64 {
        let topic: StaticString = "t"
        let payload: StaticString = "0123456789012345678901234567890123456789"
        // Identifiers go on from one call to the next; a session that has only just begun is at 1.
        func publish(_ count: Int, from first: Int) {
            for number in first..<(first + count) {
                broker.publish(
                    Broker.Publish(
                        topic: UnsafeRawBufferPointer(start: topic.utf8Start, count: topic.utf8CodeUnitCount),
                        properties: UnsafeRawBufferPointer(start: nil, count: 0),
                        payload: UnsafeRawBufferPointer(start: payload.utf8Start, count: payload.utf8CodeUnitCount), qos: qos,
                        retain: false, packetIdentifier: qos == .atMostOnce ? 0 : 1, messageExpiryInterval: nil),
                    from: client, now: now, wall: wall)
                for receiver in receivers {
                    broker.puback(
                        AcknowledgementPacket(packetIdentifier: UInt16(number % 65_535 + 1)), from: receiver, now: now)
                }
                if number % 100 == 0 { broker.flush() }
            }
            broker.flush()
        }
        publish(200, from: 0)
        let before = martlet_allocation_count()
        publish(count, from: 200)
        return martlet_allocation_count() - before
    }

    @Test("a QoS 0 delivery allocates nothing, whatever the number of receivers")
    func fanOut() {
        let publisher = connect("publisher")
        let one = connect("r0", "t")
        let forOne = allocations(10_000, qos: .atMostOnce, from: publisher)
        let others = (1..<200).map { connect("r\($0)", "t") }
        let forAll = allocations(10_000, qos: .atMostOnce, from: publisher)
        #expect(one.count == 2 * 10_200 && others.allSatisfy { $0.count == 10_200 })
        // A publish and a receiver's turn may allocate once: there are 10,000 publishes and 100 turns of 200 receivers.
        #expect(forOne <= 10_000 + 100 * 4, "\(forOne) allocations of 10,000 deliveries")
        #expect(forAll <= 10_000 + 100 * 220, "\(forAll) allocations of 2,000,000 deliveries")
    }

    @Test("a QoS 1 delivery that is acknowledged in time allocates nothing either")
    func acknowledged() {
        let publisher = connect("publisher")
        let receivers = (0..<20).map { connect("r\($0)", "t", qos: .atLeastOnce) }
        let allocations = allocations(10_000, qos: .atLeastOnce, from: publisher, acknowledgedBy: receivers)
        #expect(receivers.allSatisfy { $0.count == 10_200 })
        #expect(
            allocations <= 10_000 + 100 * 20 + 200_000 * AllocationTests.unoptimized,
            "\(allocations) allocations of 200,000 deliveries in 100 turns")
    }

    // MARK: Matching

    /// A broker with so many subscriptions of which each of ``topics`` matches one.
    private func subscribed(_ count: Int) -> Broker {
        let broker = Broker(limits: BrokerLimits(), seed: 7)
        for start in stride(from: 0, to: count, by: 500) {
            let client = CountingClient()
            broker.connect(
                client, packet: ConnectPacket(version: .v5, clientIdentifier: "\(start)", cleanStart: true, keepAlive: 0),
                now: now, wall: wall)
            let requests = (start..<(start + 500)).map {
                SubscribePacket.Request(filter: "site/\($0 % 100)/\($0)/+/value", options: SubscriptionOptions(qos: .atMostOnce))
            }
            broker.subscribe(SubscribePacket(packetIdentifier: 1, requests: requests), from: client, now: now, wall: wall)
        }
        return broker
    }

    private func match(_ topics: [[UInt8]], in broker: Broker) {
        var hits = 0
        for topic in topics { hits += topic.withUnsafeBytes { broker.subscriptions.route($0).targets.count } }
        #expect(hits == topics.count)
    }

    @Test("matching a new topic among 100,000 subscriptions costs at most twice what it costs among 1,000")
    func matching() {
        let few = subscribed(1_000)
        let many = subscribed(100_000)
        var best = (ratio: Double.infinity, allocations: UInt64.max)
        // The machine has other things to do: the best of some rounds, each with topics that are not in the route table.
        for round in 0..<20 where best.ratio > 2 || best.allocations > 1 {
            let topics = (0..<1_000).map { Array("site/\($0 % 100)/\($0)/\(round)/value".utf8) }
            let start = martlet_allocation_count()
            let timeOfFew = ContinuousClock().measure { match(topics, in: few) }
            let middle = martlet_allocation_count()
            let timeOfMany = ContinuousClock().measure { match(topics, in: many) }
            let end = martlet_allocation_count()
            best.ratio = min(best.ratio, timeOfMany / timeOfFew)
            best.allocations = min(best.allocations, (end - middle) / (middle - start))
        }
        #expect(best.ratio <= 2, "\(best.ratio) times the time")
        #expect(best.allocations <= 1, "\(best.allocations) times the allocations")
    }
}
