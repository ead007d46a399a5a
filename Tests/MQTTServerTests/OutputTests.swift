import Broker
import Core
import MQTTCodec
import Testing

@testable import MQTTServer

/// What the broker has to say, and a channel that takes it or does not.
@Suite("Output")
struct OutputTests {
    private let server = ServerHarness()

    @Test("the messages of one turn leave in one write")
    func coalesced() throws {
        let subscriber = try server.open().connect("s")
        try subscriber.subscribe("a")
        let publisher = try server.open().connect("p")
        let before = (subscriber.wire.writes, subscriber.wire.flushes, publisher.wire.writes)
        let messages = (0..<100).map { Packets.publish("a", "\($0)", qos: .atLeastOnce, packetIdentifier: $0 + 1, version: .v5) }
        try publisher.send(Array(messages.joined()))
        #expect(subscriber.wire.writes - before.0 == 1)
        #expect(subscriber.wire.flushes - before.1 == 1)
        #expect(publisher.wire.writes - before.2 == 1)
        #expect(try subscriber.take() == (0..<100).map { "PUBLISH a \($0)" })
        #expect(try publisher.take() == (0..<100).map { "PUBACK \($0 + 1) 0" })
    }

    @Test("a channel that takes more while it is being written to gets nothing twice")
    func writableWithinWrite() throws {
        let subscriber = try server.open().connect("s")
        try subscriber.subscribe("a")
        let publisher = try server.open().connect("p")
        let text = String(repeating: "x", count: 1000)
        for number in 0..<600 { try publisher.arrive(Packets.publish("a", "\(number) \(text)", version: .v5)) }
        #expect(!subscriber.connection.outbox.isEmpty)
        subscriber.wire.duringFlush = {
            subscriber.isTaking = false
            subscriber.isTaking = true
        }
        server.settle()
        #expect(try subscriber.take() == (0..<600).map { "PUBLISH a \($0) \(text)" })
    }

    @Test("a long queue of messages too large for a client is passed over, and the others come")
    func manyTooLarge() throws {
        let first = try server.open().connect("s", expiry: 3600)
        try first.subscribe("a", qos: .atLeastOnce)
        first.lose()
        let publisher = try server.open().connect("p")
        let text = String(repeating: "x", count: 200)
        for number in 0..<9_000 {
            let payload = number % 3_000 == 2_999 ? "small \(number)" : text
            let identifier = UInt16(number % 900 + 1)
            try publisher.send(Packets.publish("a", payload, qos: .atLeastOnce, packetIdentifier: identifier, version: .v5))
        }
        _ = try publisher.take()
        var packet = ConnectPacket(version: .v5, clientIdentifier: "s", cleanStart: false, keepAlive: 0)
        packet.properties.sessionExpiryInterval = 3600
        packet.properties.maximumPacketSize = 100
        let again = try server.open()
        try again.sendConnect(packet)
        server.settle()
        let messages = [3_000, 6_000, 9_000].map { "PUBLISH \($0) a small \($0 - 1)" }
        let taken = try again.take()
        #expect(taken == ["CONNACK 1 0"] + messages)
    }

    @Test("much to say leaves in pieces, in order")
    func pieces() throws {
        let subscriber = try server.open().connect("s")
        try subscriber.subscribe("a")
        let publisher = try server.open().connect("p")
        let before = subscriber.wire.writes
        let text = String(repeating: "x", count: 1000)
        for number in 0..<800 { try publisher.arrive(Packets.publish("a", "\(number) \(text)", version: .v5)) }
        server.settle()
        #expect(try subscriber.take() == (0..<800).map { "PUBLISH a \($0) \(text)" })
        #expect(subscriber.wire.writes - before == 4)
    }

    @Test("a channel that takes nothing keeps its messages, and gets them when it takes data again")
    func notWritable() throws {
        let subscriber = try server.open().connect("s")
        try subscriber.subscribe("a")
        let publisher = try server.open().connect("p")
        subscriber.isTaking = false
        for number in 0..<3 { try publisher.publish("a", "\(number)") }
        #expect(try subscriber.take() == [])
        #expect(subscriber.connection.outbox.count == 3)
        subscriber.isTaking = true
        #expect(try subscriber.take() == ["PUBLISH a 0", "PUBLISH a 1", "PUBLISH a 2"])
        #expect(subscriber.connection.outbox.isEmpty)
        #expect(subscriber.connection.outboxBytes == 0)
    }

    @Test("messages of QoS 0 for a channel that takes nothing are dropped beyond the limit")
    func outboxLimit() throws {
        var limits = BrokerLimits()
        // Two messages with what each costs beside its bytes.
        limits.maximumOutboxBytes = 500
        let server = ServerHarness(limits: limits)
        let subscriber = try server.open().connect("s")
        try subscriber.subscribe("a")
        let publisher = try server.open().connect("p")
        subscriber.isTaking = false
        for number in 0..<10 { try publisher.publish("a", "012345678\(number)") }
        #expect(server.broker.statistics.dropped == 8)
        subscriber.isTaking = true
        #expect(try subscriber.take() == ["PUBLISH a 0123456780", "PUBLISH a 0123456781"])
    }

    @Test("a client that does not take the answers is not read from until it does")
    func backedUp() throws {
        let peer = try server.open().connect("c")
        peer.isTaking = false
        let read = { () -> Int in
            let before = peer.wire.reads
            peer.askToRead()
            return peer.wire.reads - before
        }
        try peer.send(Array(repeatElement(Packets.pingreq, count: ServerContext.maximumBackedUp - 1).joined()))
        #expect(read() == 1)
        try peer.send(Packets.pingreq)
        #expect(peer.connection.outbox.count == ServerContext.maximumBackedUp)
        #expect(read() == 0)
        #expect(read() == 0)
        let before = peer.wire.reads
        peer.isTaking = true
        #expect(peer.wire.reads == before + 1)
        #expect(try peer.take().count == ServerContext.maximumBackedUp)
        #expect(read() == 1)
    }

    @Test("a connection that was given up and takes nothing is closed five seconds later")
    func stuck() throws {
        let peer = try server.open().connect("c")
        peer.isTaking = false
        try peer.send(Packets.connect("c"))
        server.pass(seconds: 4)
        #expect(peer.isOpen)
        server.pass(seconds: 2)
        #expect(!peer.isOpen)
        #expect(try peer.take() == [])
    }

    @Test("an acknowledgement of what has to be on disk waits for the commit")
    func acknowledgementWaits() throws {
        let subscriber = try server.open().connect("s", expiry: 600)
        try subscriber.subscribe("a", qos: .atLeastOnce)
        let publisher = try server.open().connect("p")
        try publisher.arrive(Packets.publish("a", "x", qos: .atLeastOnce, version: .v5))
        server.broker.flush()
        #expect(try publisher.take() == [])
        let batch = try #require(server.broker.takeBatch())
        server.broker.committed(batch.number, now: SystemClock.monotonic())
        server.broker.flush()
        #expect(try publisher.take() == ["PUBACK 1 0"])
    }
}
