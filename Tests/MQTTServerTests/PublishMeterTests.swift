import Broker
import Core
import MQTTCodec
import Testing

@testable import MQTTServer

@Suite("How fast a client may publish")
struct PublishMeterTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)
    private let address = NetworkAddress(bytes: [192, 0, 2, 1])!

    private var limits: PublishLimits {
        var limits = PublishLimits()
        limits.messages = 10
        return limits
    }

    @Test("whoever connects again goes on with what it has spent")
    func reconnection() {
        var meters = PublishMeters()
        let first = meters.meter(limits, of: "c", at: address, now: start)
        for _ in 0..<20 { _ = first?.count(bytes: 1, now: start) }
        let again = meters.meter(limits, of: "c", at: address, now: start)
        #expect(again?.count(bytes: 1, now: start) == .milliseconds(1_100))
    }

    @Test("others have meters of their own, also those that use the same client identifier elsewhere")
    func others() {
        var meters = PublishMeters()
        let first = meters.meter(limits, of: "c", at: address, now: start)
        for _ in 0..<20 { _ = first?.count(bytes: 1, now: start) }
        let elsewhere = meters.meter(limits, of: "c", at: NetworkAddress(bytes: [192, 0, 2, 2]), now: start)
        let other = meters.meter(limits, of: "d", at: address, now: start)
        #expect(elsewhere?.count(bytes: 1, now: start) == .zero)
        #expect(other?.count(bytes: 1, now: start) == .zero)
    }

    @Test("a pause ends within half of the client's Keep Alive, however far it is beyond its rate")
    func pauseEndsInTime() throws {
        var publish = PublishLimits()
        publish.bytes = 10
        let server = ServerHarness()
        server.context.access = AccessControl(
            broker: server.broker, logger: server.context.logger, publishLimits: publish)
        let peer = try server.open().connect("c", keepAlive: 10)
        try peer.send(
            Packets.publish("a", String(repeating: "x", count: 10_000), qos: .atLeastOnce, packetIdentifier: 1, version: .v5)
                + [0xC0, 0])
        #expect(try peer.take(version: .v5) == ["PUBACK 1 16"])
        server.pass(seconds: 4)
        #expect(try peer.take(version: .v5) == [])
        server.pass(seconds: 1)
        #expect(try peer.take(version: .v5) == ["PINGRESP"])
        #expect(peer.isOpen)
    }
}
