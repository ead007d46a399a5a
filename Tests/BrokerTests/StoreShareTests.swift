import Core
import MQTTCodec
import Testing

@testable import Broker

@Suite("Shares of what waits for the disk")
struct StoreShareTests {
    private final class HeldClient: Client {
        var timesLetGo = 0

        override func flush() { while popOutbound() != nil {} }
        override func goOn() { timesLetGo += 1 }
    }

    private let harness: BrokerHarness

    init() {
        var limits = BrokerLimits()
        limits.maximumPendingBytes = 640_000
        harness = BrokerHarness(limits: limits)
        let subscriber = harness.connect("s", expiry: 3600)
        harness.subscribe(subscriber, "#", qos: .atLeastOnce)
        harness.settle()
    }

    private func connect(_ identifier: String, keepAlive: UInt16 = 0) -> HeldClient {
        let client = HeldClient()
        harness.broker.connect(
            client, packet: ConnectPacket(version: .v5, clientIdentifier: identifier, cleanStart: true, keepAlive: keepAlive),
            now: harness.now, wall: harness.wall)
        return client
    }

    private func publish(_ client: Client, bytes: Int) {
        harness.publish(client, "a", String(repeating: "x", count: bytes), qos: .atLeastOnce)
    }

    @Test("a client is beyond its share when a 64th of what may wait is its own, until that is on disk")
    func beyond() {
        let heavy = connect("heavy")
        let light = connect("light")
        publish(heavy, bytes: 9_000)
        publish(light, bytes: 100)
        #expect(!harness.broker.isBeyondStoreShare(heavy))
        publish(heavy, bytes: 2_000)
        #expect(harness.broker.isBeyondStoreShare(heavy))
        #expect(!harness.broker.isBeyondStoreShare(light))
        harness.broker.hold(heavy, now: harness.now)
        #expect(harness.broker.isCommitUrgent)
        harness.settle()
        #expect(!harness.broker.isBeyondStoreShare(heavy))
        #expect(heavy.timesLetGo == 1)
    }

    @Test("what waits in a batch that is under way counts with what is in the next one")
    func twoBatches() throws {
        let heavy = connect("heavy")
        publish(heavy, bytes: 6_000)
        let first = try #require(harness.broker.takeBatch())
        publish(heavy, bytes: 6_000)
        #expect(harness.broker.isBeyondStoreShare(heavy))
        harness.broker.committed(first.number, now: harness.now)
        #expect(!harness.broker.isBeyondStoreShare(heavy))
    }

    @Test("many clients have equal parts of half of what may wait")
    func many() {
        let clients = (0..<100).map { connect("\($0)") }
        for client in clients { publish(client, bytes: 3_300) }
        #expect(clients.allSatisfy { harness.broker.isBeyondStoreShare($0) })
        #expect(!harness.broker.isBacklogged)
        let light = connect("light")
        publish(light, bytes: 1_000)
        #expect(!harness.broker.isBeyondStoreShare(light))
    }

    @Test("nobody is held for longer than half of his Keep Alive, though the disk takes nothing")
    func heldNotForEver() {
        let heavy = connect("heavy", keepAlive: 20)
        publish(heavy, bytes: 20_000)
        harness.broker.hold(heavy, now: harness.now)
        harness.advance(.seconds(9))
        #expect(heavy.timesLetGo == 0)
        harness.advance(.seconds(1))
        #expect(heavy.timesLetGo == 1)
    }
}
