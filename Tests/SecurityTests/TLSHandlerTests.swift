import Core
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import Security

/// The handler in a channel, with an engine in place of the peer.
@Suite("TLS handler")
struct TLSHandlerTests {
    @Test("the end of the handshake is told before the first data, with the peer")
    func completion() throws {
        let line = try HandlerLine()
        try line.exchange()
        #expect(line.log == ["completed"])
        try line.peer.send([1, 2])
        try line.exchange()
        #expect(line.log == ["completed", "data 2"])
        #expect(line.handler.peer?.version == .v13)
    }

    @Test("what is written before a flush leaves in one write and one record")
    func coalescing() throws {
        let line = try HandlerLine()
        try line.exchange()
        for byte: UInt8 in 1...3 { line.channel.write(ByteBuffer(bytes: [byte]), promise: nil) }
        #expect(try line.channel.readOutbound(as: ByteBuffer.self) == nil)
        line.channel.flush()
        let sent = try #require(try line.channel.readOutbound(as: ByteBuffer.self))
        #expect(try line.channel.readOutbound(as: ByteBuffer.self) == nil)
        // A record's header is 5 bytes, the type 1 and the tag 16.
        #expect(sent.readableBytes == 3 + 22)
        #expect(try line.peer.receive(sent.bytes) == [1, 2, 3])
    }

    @Test("data written before the end of the handshake is sent after it, and every promise is kept")
    func early() throws {
        let line = try HandlerLine()
        let first = line.channel.writeAndFlush(ByteBuffer(bytes: [1]))
        let second = line.channel.writeAndFlush(ByteBuffer(bytes: [2]))
        try line.exchange()
        try first.wait()
        try second.wait()
        #expect(line.received == [1, 2])
    }

    @Test("much data without a flush is passed on, so that the channel can count it")
    func countsWithoutFlush() throws {
        let line = try HandlerLine()
        try line.exchange()
        line.channel.write(ByteBuffer(repeating: 1, count: 200_000), promise: nil)
        // Without the flush it is not sent, but no longer the handler's.
        #expect(line.handler.pendingBytes == 0)
        line.channel.flush()
        try line.exchange()
        #expect(line.received.count == 200_000)
    }

    @Test("closing says goodbye after what was written")
    func goodbye() throws {
        let line = try HandlerLine()
        try line.exchange()
        line.channel.write(ByteBuffer(bytes: [5]), promise: nil)
        line.channel.close(promise: nil)
        try line.exchange()
        #expect(line.received == [5])
        #expect(line.peer.state == .closed)
        #expect(!line.channel.isActive)
    }

    @Test("the peer's goodbye closes the channel, after the data before it")
    func peerGoodbye() throws {
        let line = try HandlerLine()
        try line.exchange()
        try line.peer.send([9])
        line.peer.close()
        try line.exchange()
        #expect(line.log == ["completed", "data 1", "inactive"])
        #expect(!line.channel.isActive)
    }

    @Test("a connection that ends in the handshake is told as an error")
    func endInHandshake() throws {
        let line = try HandlerLine()
        _ = line.channel.close()
        line.channel.embeddedEventLoop.run()
        #expect(line.log == ["error TLS handshake failed: the peer closed the connection", "inactive"])
    }

    @Test("plain MQTT on a TLS port is refused in words, and the channel closes")
    func plainText() throws {
        let line = try HandlerLine()
        try line.receive([0x10, 0x0C, 0x00, 0x04, 0x4D, 0x51, 0x54, 0x54, 0x04, 0x02, 0x00, 0x3C, 0x00, 0x00])
        #expect(line.log.first?.hasPrefix("error TLS handshake failed: the client speaks MQTT without TLS") == true, "\(line.log)")
        #expect(!line.channel.isActive)
    }

    @Test("a first message that claims to be very large is refused before memory is set aside for it")
    func largeHello() throws {
        let line = try HandlerLine()
        for byte: UInt8 in [22, 3, 1, 0x40, 0, 1, 1, 0xF0, 0] { try line.receive([byte]) }
        #expect(line.log.first?.contains("claims to be larger") == true, "\(line.log)")
        #expect(!line.channel.isActive)
    }

    @Test("while nobody reads, nothing is asked of the channel; a record in two parts is waited for")
    func reading() throws {
        let line = try HandlerLine(autoRead: false)
        try line.exchange()
        let counter = line.reads
        counter.count = 0
        try line.peer.send([1])
        let record = try #require(line.peer.takeOutput()).bytes
        line.channel.read()
        #expect(counter.count == 1)
        try line.receive(Array(record[..<10]))
        // The first part is no data, so the handler asks again by itself.
        #expect(counter.count == 2)
        try line.receive(Array(record[10...]))
        #expect(line.log == ["completed", "data 1"])
        #expect(counter.count == 2)
    }
}

/// A channel with a server's handler, and the client that it speaks to.
final class HandlerLine {
    let fixture: TLSFixture
    let channel = EmbeddedChannel()
    let handler: TLSHandler
    let peer: TLSEngine
    let reads = ReadCounter()
    private let recorder = Recorder()
    /// What the peer has received.
    private(set) var received: [UInt8] = []

    var log: [String] { recorder.log }

    init(autoRead: Bool = true, fixture: TLSFixture = TLSFixture()) throws {
        self.fixture = fixture
        handler = TLSHandler(context: try fixture.serverContext())
        peer = try TLSEngine(context: fixture.clientContext(), serverName: "localhost")
        try channel.pipeline.syncOperations.addHandlers([reads, handler, recorder])
        if !autoRead { try channel.setOption(.autoRead, value: false).wait() }
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

    /// Carries bytes both ways until neither has more to say.
    func exchange() throws {
        try peer.start()
        var isIdle = false
        while !isIdle {
            isIdle = true
            if let output = peer.takeOutput() {
                isIdle = false
                try receive(output.bytes)
            }
            while let output = try channel.readOutbound(as: ByteBuffer.self) {
                isIdle = false
                received += try peer.receive(output.bytes)
            }
        }
    }

    /// Bytes come from the network.
    func receive(_ bytes: [UInt8]) throws {
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes))
        channel.pipeline.fireChannelReadComplete()
        channel.embeddedEventLoop.run()
    }

    final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    private final class Recorder: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var log: [String] = []

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { log.append("data \(unwrapInboundIn(data).readableBytes)") }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event is TLSHandshakeCompleted { log.append("completed") }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { log.append("error \(error)") }

        func channelInactive(context: ChannelHandlerContext) { log.append("inactive") }
    }
}
