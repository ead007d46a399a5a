import Core
import MQTTClient
import MQTTCodec
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import Bridge

/// Writes down what it is told.
private final class Recorder: UpstreamOwner {
    var connects = 0
    var events: [String] = []
    var failure: UpstreamFailure?

    func upstreamConnectSent() { connects += 1 }
    func upstreamConnected(_ packet: ConnackPacket) { events.append("connected \(packet.sessionPresent)") }
    func upstreamSubscribed(_ packet: SubackPacket) { events.append("suback \(packet.packetIdentifier)") }
    func upstreamAcknowledged(_ packet: AcknowledgementPacket) { events.append("puback \(packet.packetIdentifier)") }
    func upstreamPublished(_ view: PublishView, _ body: UnsafeRawBufferPointer) {
        let topic = String(decoding: body[view.topic], as: UTF8.self)
        events.append("publish \(topic) \(String(decoding: body[view.payload], as: UTF8.self))")
    }
    func upstreamPong() {}
    func upstreamReleased(_ packet: AcknowledgementPacket) { events.append("pubrel \(packet.packetIdentifier)") }
    func upstreamTurn() { if events.last != "turn" { events.append("turn") } }
    func upstreamClosed(_ failure: UpstreamFailure) {
        events.append("closed")
        #expect(self.failure == nil)
        self.failure = failure
    }

    var withoutTurns: [String] { events.filter { $0 != "turn" } }
}

@Suite("UpstreamConnection")
struct UpstreamConnectionTests {
    private let owner = Recorder()
    private let channel = EmbeddedChannel()
    private let connection: UpstreamConnection<Recorder>

    init() throws {
        let packet = ConnectPacket(
            version: .v5, clientIdentifier: "box", cleanStart: false, keepAlive: 60, userName: "u", password: Array("p".utf8))
        connection = UpstreamConnection(
            packet: packet, answerTimeout: .seconds(10), maximumPacketSize: 1 << 16, owner: owner)
        try channel.pipeline.syncOperations.addHandler(connection)
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1883)).wait()
    }

    private func up() throws {
        _ = try channel.sentPackets()
        try channel.writeInbound(PacketBytes.connack(sessionPresent: true))
    }

    /// Everything that an upstream may send, one after the other.
    private static var conversation: [UInt8] {
        var bytes = PacketBytes.connack(sessionPresent: true)
        for var packet in [
            PacketBytes.suback(65_535, [.grantedQoS1]), PacketBytes.publish("a/b", "hello"),
            PacketBytes.acknowledgement(.puback, 7), PacketBytes.acknowledgement(.puback, 8, .quotaExceeded),
            PacketBytes.publish("c", String(repeating: "x", count: 300), qos: .exactlyOnce, identifier: 3),
            PacketBytes.acknowledgement(.pubrel, 3), PacketBytes.pingresp(), PacketBytes.publish("d", "", qos: .atMostOnce),
        ] { bytes.writeBuffer(&packet) }
        return Array(bytes.readableBytesView)
    }

    private static let told = [
        "connected true", "suback 65535", "publish a/b hello", "puback 7", "puback 8",
        "publish c \(String(repeating: "x", count: 300))", "pubrel 3", "publish d ",
    ]

    @Test("CONNECT goes out as soon as the channel is active")
    func connect() throws {
        let sent = try channel.sentPackets()
        #expect(sent.count == 1 && sent[0].map(\.type) == [.connect] && owner.connects == 1)
        let packet = try sent[0][0].body.withUnsafeBytes { try ConnectPacket.read(body: $0) }
        #expect(packet.clientIdentifier == "box" && !packet.cleanStart && packet.keepAlive == 60)
        #expect(packet.userName == "u" && packet.password == Array("p".utf8))
    }

    @Test("a whole conversation is told in order and ends in one turn")
    func conversation() throws {
        try channel.writeInbound(ByteBuffer(bytes: UpstreamConnectionTests.conversation))
        #expect(owner.events == UpstreamConnectionTests.told + ["turn"])
    }

    @Test("the same conversation in drips of any size says the same", arguments: [1, 2, 3, 7, 64])
    func drips(size: Int) throws {
        for piece in UpstreamConnectionTests.conversation.pieces(of: size) {
            try channel.writeInbound(ByteBuffer(bytes: piece))
        }
        #expect(owner.withoutTurns == UpstreamConnectionTests.told)
        #expect(owner.failure == nil)
    }

    @Test("a conversation cut at any byte ends without harm")
    func truncated() throws {
        let bytes = UpstreamConnectionTests.conversation
        for count in 0..<bytes.count {
            let owner = Recorder()
            let channel = EmbeddedChannel()
            let packet = ConnectPacket(version: .v5, clientIdentifier: "b", cleanStart: false, keepAlive: 60)
            try channel.pipeline.syncOperations.addHandler(
                UpstreamConnection(packet: packet, answerTimeout: .seconds(1), maximumPacketSize: 1 << 16, owner: owner))
            try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1883)).wait()
            try channel.writeInbound(ByteBuffer(bytes: bytes[..<count]))
            #expect(owner.failure == nil)
            _ = try channel.finish()
            #expect(owner.failure == .connection(.lost) && UpstreamConnectionTests.told.starts(with: owner.withoutTurns.dropLast()))
        }
    }

    @Test("flipped bits and random bytes close the connection or are understood, never more")
    func garbage() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for _ in 0..<2_000 {
            var bytes = UpstreamConnectionTests.conversation
            if random.next() % 4 == 0 {
                bytes = random.bytes(64)
            } else {
                for _ in 0...Int(random.next() % 3) {
                    bytes = bytes.flipping(bit: random.below(bytes.count * 8))
                }
            }
            let owner = Recorder()
            let channel = EmbeddedChannel()
            let packet = ConnectPacket(version: .v5, clientIdentifier: "b", cleanStart: false, keepAlive: 60)
            try channel.pipeline.syncOperations.addHandler(
                UpstreamConnection(packet: packet, answerTimeout: .seconds(1), maximumPacketSize: 1 << 16, owner: owner))
            try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1883)).wait()
            try channel.writeInbound(ByteBuffer(bytes: bytes))
            if let index = owner.events.firstIndex(of: "closed") {
                #expect(index == owner.events.count - 1, "seed \(seed): told after the end")
                #expect(!channel.isActive, "seed \(seed)")
            }
            _ = try? channel.finish()
        }
    }

    @Test("a refusal closes the connection with its reason")
    func refused() throws {
        try channel.writeInbound(PacketBytes.connack(.badUserNameOrPassword))
        #expect(owner.failure == .connection(.refused(.badUserNameOrPassword)) && !channel.isActive)
    }

    @Test("an upstream that takes only QoS 0 is of no use")
    func maximumQoS() throws {
        var properties = Properties()
        properties.maximumQoS = 0
        try channel.writeInbound(PacketBytes.connack(properties: properties))
        #expect(owner.failure == .qosNotSupported)
    }

    @Test("no answer to CONNECT in time closes the connection")
    func noAnswer() throws {
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(owner.failure == .connection(.noAnswer) && !channel.isActive)
    }

    @Test("before CONNACK nothing else is accepted")
    func earlyPublish() throws {
        try channel.writeInbound(PacketBytes.publish("a", "x"))
        #expect(owner.events == ["closed"])
        guard case .connection(.invalid(let error)) = owner.failure else {
            Issue.record("\(String(describing: owner.failure))")
            return
        }
        #expect(error.reasonCode == .protocolError)
    }

    @Test("an idle connection is pinged, and lives as long as it is answered")
    func ping() throws {
        try up()
        for _ in 0..<5 {
            channel.embeddedEventLoop.advanceTime(by: .seconds(60))
            let pings = try channel.sentPackets().flatMap { $0 }.filter { $0.type == .pingreq }
            #expect(pings.count == 1)
            try channel.writeInbound(PacketBytes.pingresp())
        }
        #expect(owner.failure == nil)
    }

    @Test("a link that went silent is given up within two keep-alives")
    func silent() throws {
        try up()
        channel.embeddedEventLoop.advanceTime(by: .seconds(120))
        #expect(owner.failure == .connection(.silent) && !channel.isActive)
    }

    @Test("the upstream's keep-alive counts")
    func serverKeepAlive() throws {
        var properties = Properties()
        properties.serverKeepAlive = 10
        _ = try channel.sentPackets()
        try channel.writeInbound(PacketBytes.connack(properties: properties))
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(try channel.sentPackets().flatMap { $0 }.map(\.type) == [.pingreq])
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(owner.failure == .connection(.silent))
    }

    @Test("what is sent in one turn goes out in one write")
    func coalesced() throws {
        try up()
        for identifier in 1...3 as ClosedRange<UInt16> {
            connection.send(AcknowledgementPacket(packetIdentifier: identifier), type: .puback)
        }
        #expect(try channel.sentPackets().isEmpty)
        connection.flush()
        connection.flush()
        #expect(try channel.sentPackets().map { $0.map(\.identifier) } == [[1, 2, 3]])
    }

    @Test("a connection that takes no more is not writable, and says when it is again")
    func backPressure() throws {
        try up()
        #expect(connection.isWritable)
        channel.isWritable = false
        #expect(!connection.isWritable)
        owner.events = []
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(owner.events == ["turn"])
    }

    @Test("the upstream's DISCONNECT says why")
    func disconnected() throws {
        try up()
        try channel.writeInbound(PacketBytes.disconnect(.sessionTakenOver))
        #expect(owner.failure == .connection(.disconnected(.sessionTakenOver)))
    }

    @Test("our end is said with DISCONNECT")
    func disconnect() throws {
        try up()
        connection.disconnect()
        #expect(try channel.sentPackets().flatMap { $0 }.map(\.type) == [.disconnect])
        #expect(owner.failure == .connection(.stopped) && !channel.isActive)
    }

    @Test("a larger packet than we take ends the connection and is answered with its reason")
    func tooLarge() throws {
        try up()
        try channel.writeInbound(PacketBytes.publish("a", String(repeating: "x", count: 1 << 16)))
        let sent = try channel.sentPackets().flatMap { $0 }
        #expect(sent.map(\.type) == [.disconnect] && sent.first?.body.first == ReasonCode.packetTooLarge.rawValue)
    }
}
