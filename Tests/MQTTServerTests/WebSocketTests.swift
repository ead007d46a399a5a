import Broker
import Core
import MQTTCodec
import NIOCore
import NIOEmbedded
import Testing

@testable import MQTTServer

@Suite("MQTT over WebSocket")
struct WebSocketTests {
    /// A client's end of a WebSocket.
    private final class Browser {
        let server: ServerHarness
        let channel: EmbeddedChannel

        init(_ server: ServerHarness = ServerHarness()) throws {
            self.server = server
            channel = EmbeddedChannel(loop: server.loop)
            try channel.pipeline.syncOperations.addHandlers([
                WebSocketHandler(listener: server.listener, path: "/mqtt"), MQTTConnection(listener: server.listener),
            ])
            channel.connect(to: try SocketAddress(ipAddress: "192.0.2.1", port: 40_000), promise: nil)
            server.settle()
        }

        deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

        func send(_ bytes: [UInt8]) throws {
            try channel.writeInbound(ByteBuffer(bytes: bytes))
            server.settle()
        }

        func take() throws -> [UInt8] {
            var all: [UInt8] = []
            while let buffer = try channel.readOutbound(as: ByteBuffer.self) { all += Array(buffer.readableBytesView) }
            return all
        }

        func open() throws -> Browser {
            try send(WebSocketHandshakeTests.request())
            #expect(String(decoding: try take(), as: UTF8.self).hasPrefix("HTTP/1.1 101 "))
            return self
        }

        func connected() throws -> Browser {
            try send(WebSocketFrameTests.frame(2, try Packets.connect("c", version: .v311)))
            #expect(try take() == [0x82, 4, 0x20, 2, 0, 0])
            return self
        }
    }

    // [MQTT-6.0.0-1], [MQTT-6.0.0-2]
    @Test("a client connects, packets need not be aligned to frames, and each write comes in one binary frame")
    func connect() throws {
        let browser = try Browser().open().connected()
        // Two packets in a frame, and one over two frames.
        let ping = Packets.pingreq
        try browser.send(WebSocketFrameTests.frame(2, ping + ping))
        #expect(try browser.take() == [0x82, 4, 0xD0, 0, 0xD0, 0])
        try browser.send(WebSocketFrameTests.frame(2, [ping[0]]))
        try browser.send(WebSocketFrameTests.frame(2, [ping[1]]))
        #expect(try browser.take() == [0x82, 2, 0xD0, 0])
        try browser.send(WebSocketFrameTests.frame(2, try Packets.subscribe("#", version: .v311)))
        _ = try browser.take()
        for (count, head) in [(200, [0x82, 126]), (70_000, [0x82, 127])] as [(Int, [UInt8])] {
            try browser.send(WebSocketFrameTests.frame(2, Packets.publish("a", String(repeating: "x", count: count), version: .v311)))
            let frame = try browser.take()
            #expect(Array(frame.prefix(2)) == head)
            #expect(frame.count > count && frame.suffix(count).allSatisfy { $0 == UInt8(ascii: "x") })
        }
    }

    @Test("[MQTT-6.0.0-2] the request may come byte by byte, with frames right behind it")
    func pieces() throws {
        let browser = try Browser()
        let bytes = WebSocketHandshakeTests.request() + WebSocketFrameTests.frame(2, try Packets.connect("c", version: .v311))
        for byte in bytes { try browser.send([byte]) }
        #expect(try browser.take().suffix(6) == [0x82, 4, 0x20, 2, 0, 0])
        let other = try Browser()
        try other.send(bytes)
        #expect(try other.take().suffix(6) == [0x82, 4, 0x20, 2, 0, 0])
    }

    @Test("PING is answered with its payload, CLOSE with its code")
    func control() throws {
        let browser = try Browser().open().connected()
        try browser.send(WebSocketFrameTests.frame(9, [1, 2, 3]))
        #expect(try browser.take() == [0x8A, 3, 1, 2, 3])
        try browser.send(WebSocketFrameTests.frame(10, [9]))
        #expect(try browser.take() == [])
        try browser.send(WebSocketFrameTests.frame(8, [0x03, 0xE9]))
        #expect(try browser.take() == [0x88, 2, 0x03, 0xE9])
        #expect(!browser.channel.isActive)
        #expect(browser.server.broker.clientCount == 0)
    }

    @Test("PINGs are not answered while the client takes nothing")
    func pingFlood() throws {
        let browser = try Browser().open().connected()
        browser.channel.isWritable = false
        for _ in 0..<100 { try browser.send(WebSocketFrameTests.frame(9, [1])) }
        #expect(try browser.take() == [])
        #expect(browser.channel.isActive)
    }

    @Test("[MQTT-6.0.0-1] a text frame closes the connection")
    func text() throws {
        let browser = try Browser().open().connected()
        try browser.send(WebSocketFrameTests.frame(1, Packets.pingreq))
        #expect(try browser.take() == [0x88, 2, 0x03, 0xEB])
        #expect(!browser.channel.isActive)
    }

    @Test("when MQTT ends the connection, so does WebSocket")
    func disconnect() throws {
        let browser = try Browser().open().connected()
        try browser.send(WebSocketFrameTests.frame(2, Packets.disconnect))
        #expect(try browser.take() == [0x88, 2, 0x03, 0xE8])
        #expect(!browser.channel.isActive)
    }

    @Test("another request is answered, and the connection closed")
    func refused() throws {
        let browser = try Browser()
        try browser.send(Array("GET / HTTP/1.1\r\nHost: box\r\n\r\n".utf8))
        #expect(String(decoding: try browser.take(), as: UTF8.self).hasPrefix("HTTP/1.1 404 Not Found\r\n"))
        #expect(!browser.channel.isActive)
        #expect(browser.server.listener.connectionCount == 0)
    }

    @Test("without a request, or without CONNECT after it, the connection is closed in time")
    func silence() throws {
        let server = ServerHarness()
        let silent = try Browser(server)
        let open = try Browser(server).open()
        let connected = try Browser(server).open().connected()
        server.tick(after: .seconds(11))
        #expect(!silent.channel.isActive && !open.channel.isActive && connected.channel.isActive)
    }
}
