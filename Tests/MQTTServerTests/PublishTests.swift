import Broker
import Core
import MQTTCodec
import Testing

@testable import MQTTServer

/// PUBLISH on its way from one client to another.
@Suite("PUBLISH")
struct PublishTests {
    private let server = ServerHarness()

    private static let userProperty: [UInt8] = [0x26] + Packets.field("k") + Packets.field("v")
    private static let contentType: [UInt8] = [0x03] + Packets.field("text/plain")
    private static let expiry: [UInt8] = [0x02, 0, 0, 0, 100]

    private static func alias(_ number: UInt8) -> [UInt8] { [0x23, 0, number] }

    // MARK: Topic alias

    @Test("a topic alias stands for the topic that it was set to, until it is set to another")
    func alias() throws {
        let subscriber = try server.open().connect("s")
        try subscriber.subscribe("#")
        let publisher = try server.open().connect("p")
        try publisher.publish("a", "1", properties: Self.alias(3))
        try publisher.publish("", "2", properties: Self.alias(3))
        try publisher.publish("b", "3", properties: Self.alias(3))
        try publisher.publish("", "4", properties: Self.alias(3))
        #expect(try subscriber.take() == ["PUBLISH a 1", "PUBLISH a 2", "PUBLISH b 3", "PUBLISH b 4"])
        #expect(publisher.isOpen)
    }

    @Test("a topic alias is the connection's own")
    func aliasOfAnother() throws {
        let first = try server.open().connect("first")
        try first.publish("a", "1", properties: Self.alias(1))
        let second = try server.open().connect("second")
        try second.publish("", "2", properties: Self.alias(1))
        #expect(try second.take() == ["DISCONNECT 130"])
        #expect(!second.isOpen)
        #expect(first.isOpen)
    }

    @Test("a topic alias of 0 or above the maximum is invalid", arguments: [0, 17] as [UInt8])
    func aliasOutOfRange(number: UInt8) throws {
        #expect(server.broker.limits.topicAliasMaximum == 16)
        let peer = try server.open().connect("p")
        try peer.publish("a", "1", properties: Self.alias(16))
        #expect(peer.isOpen)
        try peer.publish("a", "1", properties: Self.alias(number))
        #expect(try peer.take() == ["DISCONNECT 148"])
        #expect(!peer.isOpen)
    }

    // MARK: Properties

    @Test("properties of the message travel on, those of the hop between them do not")
    func properties() throws {
        let subscriber = try server.open().connect("s")
        try subscriber.subscribe("a")
        let publisher = try server.open().connect("p")
        try publisher.publish("a", "", properties: Self.userProperty + Self.alias(1) + Self.contentType + Self.userProperty)
        try publisher.publish("a", "", properties: Self.userProperty + Self.contentType)
        try publisher.publish("a", "")
        #expect(
            try subscriber.takeProperties() == [
                Self.userProperty + Self.contentType + Self.userProperty, Self.userProperty + Self.contentType, [],
            ])
    }

    @Test("an older client gets the message without its properties")
    func propertiesForOlder() throws {
        let subscriber = try server.open().connect("s", version: .v311)
        try subscriber.subscribe("a")
        let publisher = try server.open().connect("p")
        try publisher.publish("a", "text", properties: Self.userProperty + Self.expiry)
        #expect(try subscriber.take() == ["PUBLISH a text"])
    }

    @Test("the message expiry interval is what is left of it, and nothing is sent after its end")
    func expiry() throws {
        let subscriber = try server.open().connect("s")
        try subscriber.subscribe("a")
        let now = SystemClock.monotonic()
        for left in [Duration.milliseconds(41_900), .milliseconds(-1)] {
            let message = "a".utf8.withContiguousStorageIfAvailable { topic in
                Message.create(
                    topic: UnsafeRawBufferPointer(topic), payload: UnsafeRawBufferPointer(start: nil, count: 0), qos: .atMostOnce,
                    retain: false, expiresAt: now + left, publishedAt: SystemClock.wall())
            }
            server.broker.publish(try #require(message), now: now, wall: SystemClock.wall())
        }
        server.broker.flush()
        let properties = try subscriber.takeProperties()
        #expect(properties.first?.prefix(4) == [0x02, 0, 0, 0])
        // Rounded up; the machine may be slow.
        let seconds = try #require(properties.first?.last)
        #expect(30...42 ~= seconds)
        #expect(properties.count == 1)
    }

    @Test("a message carries the identifiers of the subscriptions that it matches")
    func subscriptionIdentifiers() throws {
        let subscriber = try server.open().connect("s")
        try subscriber.subscribe("a/b", identifier: 7)
        try subscriber.subscribe("c", identifier: 300)
        try subscriber.subscribe("d")
        let publisher = try server.open().connect("p")
        try publisher.publish("a/b", "", properties: Self.userProperty)
        try publisher.publish("c", "")
        try publisher.publish("d", "")
        #expect(try subscriber.takeProperties() == [[0x0B, 7] + Self.userProperty, [0x0B, 0xAC, 0x02], []])
    }

    // MARK: Size

    @Test("a message larger than the client takes counts as delivered")
    func tooLargeForClient() throws {
        var limits = BrokerLimits()
        // With one message in flight at a time, one that stays unacknowledged would hold up the next.
        limits.maximumInFlight = 1
        let server = ServerHarness(limits: limits)
        let subscriber = try server.open().connect("s", maximumPacketSize: 20)
        try subscriber.subscribe("a", qos: .exactlyOnce)
        let publisher = try server.open().connect("p")
        let large = String(repeating: "x", count: 100)
        try publisher.publish("a", large, qos: .atLeastOnce)
        try publisher.publish("a", large, qos: .exactlyOnce)
        try publisher.publish("a", large)
        try publisher.publish("a", "fits", qos: .atLeastOnce)
        #expect(try subscriber.take() == ["PUBLISH 3 a fits"])
        #expect(server.broker.statistics.dropped == 3)
    }
}
