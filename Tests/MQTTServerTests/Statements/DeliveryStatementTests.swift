import Broker
import Core
import MQTTCodec
import Testing

@testable import MQTTServer

/// MQTT 5.0 §4.3 to §4.9: deliveries, their order and their flow.
@Suite("Statements: delivery")
struct DeliveryStatementTests {
    private let server = ServerHarness()
    private static let lasting = ConnectPacket.of("s", clean: false, expiry: 100)

    private func subscriber(_ packet: ConnectPacket = lasting) throws -> Peer {
        let peer = try server.client(packet)
        try peer.subscribe(to: ["a"])
        _ = try peer.take()
        return peer
    }

    /// The packets that come when the client is back, without CONNACK.
    private func reconnect(_ packet: ConnectPacket = lasting) throws -> Peer {
        let peer = try server.open()
        try peer.sendConnect(packet)
        return peer
    }

    private func publish(_ payloads: String..., qos: QoS) throws {
        let publisher = try server.client(.of("p"))
        for (number, payload) in payloads.enumerated() {
            try publisher.publish("a", payload, flags: qos.rawValue << 1, packetIdentifier: UInt16(number + 1))
        }
    }

    // MARK: Sending

    @Test("[MQTT-4.3.1-1] [MQTT-2.2.1-2] a message of QoS 0 has neither DUP nor a packet identifier", arguments: [ProtocolVersion.v31, .v311, .v5])
    func qos0(version: ProtocolVersion) throws {
        let peer = try subscriber(.of("s", version: version))
        try publish("x", qos: .atMostOnce)
        let packet = try #require(try peer.takePackets().first)
        #expect(packet.flags == 0)
        // [MQTT-2.2.2-1] with MQTT 5.0 the length of no properties is there.
        #expect(packet.body == [0, 1, 0x61] + (version == .v5 ? [0] : []) + [0x78])
    }

    @Test("[MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-2.2.1-4] new messages have packet identifiers of their own, and no DUP")
    func packetIdentifiers() throws {
        let peer = try subscriber()
        try publish("1", "2", "3", qos: .atLeastOnce)
        try publish("4", "5", "6", qos: .exactlyOnce)
        let received = try peer.messages()
        #expect(received.map(\.qos) == [1, 1, 1, 2, 2, 2])
        #expect(received.allSatisfy { !$0.duplicate && $0.packetIdentifier != 0 })
        #expect(Set(received.map(\.packetIdentifier)).count == 6)
    }

    @Test("[MQTT-4.3.2-3] [MQTT-4.4.0-1] [MQTT-3.3.1-1] what got no PUBACK is sent again on the next connection, with DUP and its packet identifier, and not before")
    func qos1Again() throws {
        let first = try subscriber()
        try publish("1", "2", "3", qos: .atLeastOnce)
        #expect(try first.payloads() == ["1", "2", "3"])
        try first.acknowledge(.puback, 2)
        server.tick(after: .seconds(3600))
        #expect(try first.take() == [])
        first.lose()
        let again = try reconnect()
        let received = try again.messages()
        // [MQTT-4.6.0-1] in the order of the first time.
        #expect(received.map { "\($0.packetIdentifier) \($0.payload) \($0.duplicate)" } == ["1 1 true", "3 3 true"])
    }

    @Test("[MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1] QoS 2 goes on where it was: PUBLISH without PUBREC, PUBREL without PUBCOMP")
    func qos2Again() throws {
        let first = try subscriber()
        try publish("1", "2", "3", qos: .exactlyOnce)
        _ = try first.take()
        try first.acknowledge(.pubrec, 1)
        try first.acknowledge(.pubrec, 2)
        #expect(try first.take() == ["PUBREL 1 0", "PUBREL 2 0"])
        try first.acknowledge(.pubcomp, 1)
        first.lose()
        let second = try reconnect()
        let expected = ["CONNACK 1 0", "PUBLISH 3 a 3", "PUBREL 2 0"]
        #expect(try second.take().sorted() == expected)
        second.lose()
        let third = try reconnect()
        #expect(try third.take().sorted() == expected)
        try third.acknowledge(.pubcomp, 2)
        try third.acknowledge(.pubrec, 3)
        try third.acknowledge(.pubcomp, 3)
        third.lose()
        #expect(try reconnect().take() == ["CONNACK 1 0"])
    }

    @Test("[MQTT-4.4.0-2] what a client refuses is over", arguments: [QoS.atLeastOnce, .exactlyOnce])
    func refused(qos: QoS) throws {
        let first = try subscriber()
        try publish("1", qos: qos)
        _ = try first.take()
        try first.refuse(qos == .atLeastOnce ? .puback : .pubrec, 1)
        #expect(try first.take() == [])
        first.lose()
        #expect(try reconnect().take() == ["CONNACK 1 0"])
    }

    @Test("[MQTT-3.3.2-5] [MQTT-3.3.2-6] a message waits no longer than its interval, and says what is left of it")
    func expiry() throws {
        let first = try subscriber()
        first.lose()
        let now = SystemClock.monotonic()
        for (payload, left) in [("gone", Duration.milliseconds(-1)), ("short", .seconds(40)), ("long", .seconds(4000))] {
            let message = "a".utf8.withContiguousStorageIfAvailable { topic in
                payload.utf8.withContiguousStorageIfAvailable { payload in
                    Message.create(
                        topic: UnsafeRawBufferPointer(topic), payload: UnsafeRawBufferPointer(payload), qos: .atLeastOnce,
                        retain: false, expiresAt: now + left, publishedAt: SystemClock.wall())
                }
            }
            server.broker.publish(try #require(message ?? nil), now: now, wall: SystemClock.wall())
        }
        let received = try reconnect().messages()
        #expect(received.map(\.payload) == ["short", "long"])
        for (message, most) in zip(received, [40, 4000] as [UInt32]) {
            let left = try #require(message.messageExpiryInterval)
            #expect((most - 30)...most ~= left)
        }
    }

    @Test("[MQTT-4.3.3-13] a message of QoS 2 is acknowledged to its end though its time passes at once")
    func expiredAtOnce() throws {
        let subscriber = try subscriber()
        let publisher = try server.client(.of("p"))
        try publisher.publish("a", "x", flags: 0b100, properties: [0x02, 0, 0, 0, 0])
        #expect(try publisher.take() == ["PUBREC 1 0"])
        try publisher.acknowledge(.pubrel, 1)
        #expect(try publisher.take() == ["PUBCOMP 1 0"])
        #expect(try subscriber.payloads() == [])
    }

    // MARK: Receiving

    @Test("[MQTT-4.3.2-5] after PUBACK a PUBLISH with the same packet identifier is another message, with DUP or without", arguments: [0b0010, 0b1010] as [UInt8])
    func qos1Twice(flags: UInt8) throws {
        let peer = try subscriber()
        let publisher = try server.client(.of("p"))
        try publisher.publish("a", "1", flags: 0b0010)
        try publisher.publish("a", "2", flags: flags)
        #expect(try publisher.take() == ["PUBACK 1 0", "PUBACK 1 0"])
        #expect(try peer.payloads() == ["1", "2"])
    }

    @Test("[MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12] until PUBREL the packet identifier means the same message, after PUBCOMP a new one")
    func qos2Twice() throws {
        let peer = try subscriber()
        let packet = ConnectPacket.of("p", clean: false, expiry: 100)
        let publisher = try server.client(packet)
        try publisher.publish("a", "1", flags: 0b0100, packetIdentifier: 7)
        try publisher.publish("a", "1", flags: 0b1100, packetIdentifier: 7)
        #expect(try publisher.take() == ["PUBREC 7 0", "PUBREC 7 0"])
        publisher.lose()
        let again = try server.client(packet)
        try again.publish("a", "1", flags: 0b1100, packetIdentifier: 7)
        try again.acknowledge(.pubrel, 7)
        #expect(try again.take() == ["PUBREC 7 0", "PUBCOMP 7 0"])
        #expect(try peer.payloads() == ["1"])
        try again.publish("a", "2", flags: 0b0100, packetIdentifier: 7)
        #expect(try peer.payloads() == ["2"])
    }

    @Test("[MQTT-3.7.2-1] [MQTT-3.6.2-1] acknowledgements for messages that are unknown get the code for it")
    func unknownPacketIdentifiers() throws {
        let peer = try server.client(.of("c"))
        try peer.acknowledge(.pubrel, 9)
        try peer.acknowledge(.pubrec, 9)
        try peer.acknowledge(.puback, 9)
        try peer.acknowledge(.pubcomp, 9)
        #expect(try peer.take() == ["PUBCOMP 9 146", "PUBREL 9 146"])
        #expect(peer.isOpen)
    }

    // MARK: Order and flow

    @Test("[MQTT-4.6.0-5] [MQTT-4.6.0-6] messages of a topic arrive in the order in which they came, also from the queue", arguments: QoS.allCases)
    func order(qos: QoS) throws {
        let peer = try subscriber()
        let publisher = try server.client(.of("p"))
        for number in 1...50 { try publisher.publish("a", "\(number)", flags: qos.rawValue << 1, packetIdentifier: UInt16(number)) }
        #expect(try peer.payloads() == (1...50).map(String.init))
        guard qos != .atMostOnce else { return }
        peer.lose()
        for number in 51...90 { try publisher.publish("a", "\(number)", flags: qos.rawValue << 1, packetIdentifier: UInt16(number)) }
        #expect(try reconnect().payloads() == (1...90).map(String.init))
    }

    @Test("[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] at most Receive Maximum messages of QoS 1 and 2 together are unacknowledged")
    func receiveMaximum() throws {
        let peer = try subscriber(.of("s") { $0.receiveMaximum = 3 })
        try publish("1", "2", qos: .atLeastOnce)
        try publish("3", "4", "5", "6", qos: .exactlyOnce)
        #expect(try peer.payloads() == ["1", "2", "3"])
        try peer.acknowledge(.pubrec, 3)
        // PUBREC does not end it, PUBCOMP does.
        #expect(try peer.take() == ["PUBREL 3 0"])
        try peer.acknowledge(.pubcomp, 3)
        #expect(try peer.payloads() == ["4"])
        try peer.acknowledge(.puback, 1)
        #expect(try peer.payloads() == ["5"])
        try peer.refuse(.pubrec, 4)
        #expect(try peer.payloads() == ["6"])
    }

    @Test("[MQTT-3.3.4-10] [MQTT-4.9.0-3] with nothing left of the quota everything else is sent and answered")
    func quotaUsedUp() throws {
        let peer = try subscriber(.of("s") { $0.receiveMaximum = 1 })
        try publish("1", "2", qos: .atLeastOnce)
        try publish("3", qos: .atMostOnce)
        #expect(try peer.payloads() == ["1", "3"])
        try peer.publish("b", "", flags: 0b0100, packetIdentifier: 5)
        try peer.acknowledge(.pubrel, 5)
        try peer.send(Packets.pingreq)
        try peer.unsubscribe(from: ["never"])
        try peer.subscribe(to: ["b"])
        #expect(try peer.take() == ["PUBREC 5 16", "PUBCOMP 5 0", "PINGRESP", "UNSUBACK 2 17", "SUBACK 1 2"])
    }
}
