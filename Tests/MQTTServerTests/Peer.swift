import Core
import MQTTCodec
import NIOCore
import NIOEmbedded

@testable import MQTTServer

/// The client's end of a connection.
final class Peer {
    let channel: EmbeddedChannel
    let connection: MQTTConnection
    let wire = Wire()
    private let harness: ServerHarness
    /// What it reads packets as.
    var version = ProtocolVersion.v311
    private var unread = ByteBuffer()

    /// Counts what the server does to the socket.
    final class Wire: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        private(set) var writes = 0
        private(set) var flushes = 0
        private(set) var reads = 0
        /// Called at the next flush, before it returns.
        var duringFlush: (() -> Void)?

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            writes += 1
            context.write(data, promise: promise)
        }

        func flush(context: ChannelHandlerContext) {
            flushes += 1
            context.flush()
            let call = duringFlush
            duringFlush = nil
            call?()
        }

        func read(context: ChannelHandlerContext) {
            reads += 1
            context.read()
        }
    }

    /// - Parameter listener: the one that it comes through; the harness's own if nil.
    init(_ harness: ServerHarness, listener: OpenListener? = nil) throws {
        self.harness = harness
        channel = EmbeddedChannel(loop: harness.loop)
        connection = MQTTConnection(listener: listener ?? harness.listener)
        try channel.pipeline.syncOperations.addHandlers([wire, connection])
        channel.connect(to: try SocketAddress(ipAddress: "192.0.2.1", port: 40_000), promise: nil)
        harness.loop.run()
    }

    deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

    /// Sends bytes in one piece, and lets the server end its turn.
    func send(_ bytes: [UInt8]) throws {
        try arrive(bytes)
        harness.settle()
    }

    /// Sends bytes in one piece; the server's turn goes on.
    func arrive(_ bytes: [UInt8]) throws {
        guard channel.isActive else { return }
        try channel.writeInbound(ByteBuffer(bytes: bytes))
    }

    /// Sends CONNECT; the answer is still to be taken.
    func sendConnect(_ packet: ConnectPacket) throws {
        version = packet.version
        var buffer = ByteBuffer()
        try packet.write(into: &buffer)
        try send(Array(buffer.readableBytesView))
    }

    /// Sends CONNECT, and gives the CONNACK.
    func answer(to packet: ConnectPacket) throws -> ConnackPacket? {
        try sendConnect(packet)
        guard let first = try takePackets().first, first.type == .connack else { return nil }
        return try first.body.withUnsafeBytes { body throws(DecodeError) in
            try ConnackPacket.read(body: body, version: version)
        }
    }

    /// Sends CONNECT, and forgets its CONNACK unless it is a refusal.
    @discardableResult
    func connect(
        _ identifier: String, version: ProtocolVersion = .v5, expiry: UInt32? = nil, keepAlive: UInt16 = 0,
        will: Will? = nil, maximumPacketSize: UInt32? = nil
    ) throws -> Peer {
        self.version = version
        try send(
            Packets.connect(
                identifier, version: version, expiry: expiry, keepAlive: keepAlive, will: will,
                maximumPacketSize: maximumPacketSize))
        let answer = try take()
        precondition(answer == ["CONNACK 0 0"], "\(answer)")
        return self
    }

    func subscribe(_ filter: String, qos: QoS = .atMostOnce, identifier: UInt32? = nil) throws {
        try send(Packets.subscribe(filter, qos: qos, identifier: identifier, version: version))
        let answer = try take()
        precondition(answer == ["SUBACK 1 \(qos.rawValue)"], "\(answer)")
    }

    func publish(
        _ topic: String, _ payload: String, qos: QoS = .atMostOnce, packetIdentifier: UInt16 = 1, properties: [UInt8] = []
    ) throws {
        try send(
            Packets.publish(
                topic, payload, qos: qos, packetIdentifier: packetIdentifier, properties: properties, version: version))
    }

    // MARK: The transport

    /// The connection breaks.
    func lose() {
        channel.close(promise: nil)
        harness.settle()
    }

    /// Whether the client takes what is sent to it.
    var isTaking: Bool {
        get { channel.isWritable }
        set {
            channel.isWritable = newValue
            channel.pipeline.fireChannelWritabilityChanged()
        }
    }

    /// What the channel does when it has delivered all that it had received.
    func askToRead() { channel.read() }

    // MARK: What the server sent

    /// The packets that came since the last call, each as a short text.
    func take(version: ProtocolVersion? = nil) throws -> [String] {
        let version = version ?? self.version
        return try takePackets(version: version).map { try Packets.text(of: $0, version: version) }
    }

    /// The properties of the PUBLISH packets that came since the last call.
    func takeProperties() throws -> [[UInt8]] {
        try takePackets().compactMap { packet in
            guard packet.type == .publish else { return nil }
            let view = try packet.body.withUnsafeBytes { body throws(DecodeError) in
                try PublishView.read(body: body, flags: packet.flags, version: version)
            }
            return Array(packet.body[view.properties])
        }
    }

    /// Topic and topic alias of the PUBLISH packets that came since the last call.
    func takeAliases() throws -> [String] {
        try takePackets().compactMap { packet in
            guard packet.type == .publish else { return nil }
            let view = try packet.body.withUnsafeBytes { body throws(DecodeError) in
                try PublishView.read(body: body, flags: packet.flags, version: version)
            }
            return String(decoding: packet.body[view.topic], as: UTF8.self) + " " + (view.topicAlias.map { "\($0)" } ?? "nil")
        }
    }

    /// The packets that came since the last call.
    func takePackets(version: ProtocolVersion? = nil) throws -> [ReceivedPacket] {
        while var buffer = try channel.readOutbound(as: ByteBuffer.self) { unread.writeBuffer(&buffer) }
        var packets: [ReceivedPacket] = []
        while unread.readableBytes > 0 {
            let result = unread.withUnsafeReadableBytes {
                FrameReader.read($0, maximumPacketSize: FrameReader.maximumPacketSize, version: version ?? self.version)
            }
            guard case .frame(let frame) = result, let bytes = unread.readBytes(length: frame.totalLength) else {
                throw UnreadableOutput(result: "\(result)")
            }
            packets.append(ReceivedPacket(type: frame.type, flags: frame.flags, body: Array(bytes[frame.body])))
        }
        return packets
    }

    var isOpen: Bool { channel.isActive }
}

struct ReceivedPacket {
    let type: PacketType
    let flags: UInt8
    let body: [UInt8]
}

struct UnreadableOutput: Error {
    let result: String
}
