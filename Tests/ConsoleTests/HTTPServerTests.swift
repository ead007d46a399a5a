import Core
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestSupport
import Testing

@testable import Console

/// A connection to a server whose handlers are made here.
private final class HTTPPeer {
    let channel = EmbeddedChannel()
    private(set) var asked: [HTTPRequest] = []

    init(_ limits: HTTPLimits = HTTPLimits(), slow: EventLoopPromise<HTTPResponse>? = nil) throws {
        var router = HTTPRouter()
        router.add(.GET, "/hello") { _, loop in
            loop.makeSucceededFuture(HTTPResponse(contentType: "text/plain", body: Array("hello".utf8)))
        }
        router.add(.POST, "/echo") { request, loop in
            loop.makeSucceededFuture(HTTPResponse(contentType: "text/plain", body: Array(request.body.readableBytesView)))
        }
        router.add(.GET, "/query") { request, loop in
            loop.makeSucceededFuture(HTTPResponse(contentType: "text/plain", body: Array((request.query ?? "none").utf8)))
        }
        router.add(.GET, "/broken") { _, loop in loop.makeFailedFuture(ChannelError.eof) }
        let server = HTTPServer(place: .network(address: "127.0.0.1", port: 0), router: router, limits: limits, logger: Logger(label: "test"))
        try server.configure(channel.pipeline.syncOperations)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    deinit { _ = try? channel.finish() }

    func send(_ text: String) { _ = try? channel.writeInbound(ByteBuffer(string: text)) }

    /// What has come back since the last call, without the Date header.
    func take() -> String {
        var text = ""
        while let buffer = try? channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text.split(separator: "\r\n", omittingEmptySubsequences: false)
            .filter { !$0.lowercased().hasPrefix("date:") && !$0.lowercased().hasPrefix("x-content") }
            .joined(separator: "\r\n")
    }

    var isOpen: Bool { channel.isActive }
}

@Suite("HTTP server")
struct HTTPServerTests {
    @Test("a request is answered and the connection stays")
    func keepAlive() throws {
        let peer = try HTTPPeer()
        for _ in 0..<3 {
            peer.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = peer.take()
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("\r\n\r\nhello"))
            #expect(answer.contains("Content-Length: 5"))
        }
        #expect(peer.isOpen)
    }

    @Test("a client that wants the connection to end gets that", arguments: [
        "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET /hello HTTP/1.0\r\n\r\n",
    ])
    func close(request: String) throws {
        let peer = try HTTPPeer()
        peer.send(request)
        #expect(peer.take().hasSuffix("hello"))
        #expect(!peer.isOpen)
    }

    @Test("HEAD is GET without the body")
    func head() throws {
        let peer = try HTTPPeer()
        peer.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        let answer = peer.take()
        #expect(answer.contains("Content-Length: 5") && answer.hasSuffix("\r\n\r\n"))
    }

    @Test("an unknown path is 404, a known one with another method 405 and says what there is")
    func routes() throws {
        let peer = try HTTPPeer()
        peer.send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(peer.take().hasPrefix("HTTP/1.1 404 Not Found\r\n"))
        peer.send("DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        let answer = peer.take()
        #expect(answer.hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n") && answer.contains("Allow: GET, HEAD"))
        peer.send("GET /query?a=1&b HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(peer.take().hasSuffix("a=1&b"))
        peer.send("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(peer.take().hasPrefix("HTTP/1.1 500 "))
    }

    @Test("pipelined requests are answered in order")
    func pipelining() throws {
        let peer = try HTTPPeer()
        peer.send("GET /query?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /query?2 HTTP/1.1\r\nHost: x\r\n\r\nGET /query?3 HTTP/1.1\r\nHost: x\r\n\r\n")
        let answer = peer.take()
        #expect(answer.split(separator: "\r\n\r\n").dropFirst().map { $0.first } == ["1", "2", "3"])
    }

    @Test("a request that comes byte by byte is taken, with its body")
    func drip() throws {
        let peer = try HTTPPeer()
        for byte in "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345" { peer.send(String(byte)) }
        #expect(peer.take().hasSuffix("\r\n\r\n12345"))
        peer.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        #expect(peer.take().hasSuffix("\r\n\r\nabcde"))
    }

    @Test("a head above the limit is 431, however it comes", arguments: [1, 7, 100_000])
    func headLimit(piece: Int) throws {
        var limits = HTTPLimits()
        limits.maximumHeadSize = 1000
        let peer = try HTTPPeer(limits)
        let request = Array(("GET /hello?" + String(repeating: "x", count: 5000)).utf8)
        for start in stride(from: 0, to: request.count, by: piece) where peer.isOpen {
            _ = try? peer.channel.writeInbound(ByteBuffer(bytes: request[start..<min(start + piece, request.count)]))
        }
        #expect(peer.take().hasPrefix("HTTP/1.1 431 "))
        #expect(!peer.isOpen)
    }

    @Test("a body above the limit is 413, announced or not", arguments: [
        "Content-Length: 5000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nfff\r\n",
    ])
    func bodyLimit(headers: String) throws {
        var limits = HTTPLimits()
        limits.maximumBodySize = 100
        let peer = try HTTPPeer(limits)
        peer.send("POST /echo HTTP/1.1\r\nHost: x\r\n\(headers)" + String(repeating: "x", count: 200))
        #expect(peer.take().hasPrefix("HTTP/1.1 413 "))
        #expect(!peer.isOpen)
    }

    @Test("a request that does not come, or not to its end, ends the connection in time", arguments: ["", "GET /he"])
    func timeout(begun: String) throws {
        let peer = try HTTPPeer()
        peer.send(begun)
        peer.channel.embeddedEventLoop.advanceTime(by: .seconds(29))
        #expect(peer.isOpen)
        peer.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!peer.isOpen)
    }

    @Test("an idle connection ends some time after its last response")
    func idle() throws {
        let peer = try HTTPPeer()
        peer.channel.embeddedEventLoop.advanceTime(by: .seconds(20))
        peer.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        peer.channel.embeddedEventLoop.advanceTime(by: .seconds(20))
        #expect(peer.isOpen)
        peer.channel.embeddedEventLoop.advanceTime(by: .seconds(11))
        #expect(!peer.isOpen)
    }

    @Test("garbage is 400 and the end", arguments: ["\u{16}\u{3}\u{1}", "GET\r\n\r\n", "GET / HTTP/9\r\n\r\n", "POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n"])
    func garbage(text: String) throws {
        let peer = try HTTPPeer()
        peer.send(text)
        #expect(peer.take().hasPrefix("HTTP/1.1 400 "))
        #expect(!peer.isOpen)
    }

    @Test("random bytes never do harm")
    func randomBytes() throws {
        var random = SeededRandom(seed: 5)
        for _ in 0..<300 {
            let peer = try HTTPPeer()
            for _ in 0..<4 where peer.isOpen {
                var bytes = Array("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".utf8)
                for _ in 0..<Int.random(in: 0...6, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                _ = try? peer.channel.writeInbound(ByteBuffer(bytes: bytes))
            }
        }
    }

    @Test("dates are those of the standard", arguments: [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT"),
    ])
    func dates(seconds: Int64, text: String) {
        #expect(HTTPDate.text(Timestamp(milliseconds: seconds * 1000)) == text)
    }
}
