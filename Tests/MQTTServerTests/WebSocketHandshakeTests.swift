import Security
import Testing

@testable import MQTTServer

@Suite("Opening a WebSocket")
struct WebSocketHandshakeTests {
    private static let headers = [
        "Host": "box", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "mqtt",
    ]

    static func request(_ line: String = "GET /mqtt HTTP/1.1", changing: [String: String?] = [:]) -> [UInt8] {
        let headers = headers.merging(changing.compactMapValues { $0 }) { $1 }.filter { changing[$0.key] != .some(nil) }
        return Array((line + "\r\n" + headers.map { "\($0.key): \($0.value)\r\n" }.joined() + "\r\n").utf8)
    }

    private static func answer(_ request: [UInt8]) -> WebSocketHandshake.Result {
        request.withUnsafeBytes { WebSocketHandshake.read($0, path: "/mqtt") }
    }

    /// The status line's code.
    private static func status(_ request: [UInt8]) -> String {
        switch answer(request) {
        case .needMoreBytes: "more"
        case .accepted(let answer, _), .refused(let answer, _): String(answer.split(separator: " ")[1])
        }
    }

    @Test("SHA-1 and base 64 are those of the standards")
    func digests() {
        func hexadecimal(_ text: String) -> String {
            Hash.sha1.digest(Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        #expect(hexadecimal("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(hexadecimal("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            hexadecimal("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
        #expect(hexadecimal(String(repeating: "a", count: 1000)) == "291e9a6c66994949b57ba5e650361e98fc36b1ba")
        #expect(["", "f", "fo", "foo", "foob"].map { Base64.encoded(Array($0.utf8)) } == ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="])
        // RFC 6455 §1.3
        #expect(WebSocketHandshake.accept(key: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test("[MQTT-6.0.0-4] a good request is accepted with the subprotocol, once it is whole")
    func accepted() {
        let request = Self.request()
        for count in 0..<request.count { #expect(Self.answer(Array(request.prefix(count))) == .needMoreBytes) }
        let expected = WebSocketHandshake.Result.accepted(
            answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
            length: request.count)
        #expect(Self.answer(request) == expected)
        #expect(Self.answer(request + [0x82, 0x80]) == expected)
    }

    @Test("what browsers and proxies write differently is accepted too", arguments: [
        ["Upgrade": "WebSocket", "Connection": "keep-alive, Upgrade"],
        ["Sec-WebSocket-Protocol": "chat,mqttv3.1 , mqtt"],
        ["Sec-WebSocket-Protocol": "mqttv3.1"],
        ["Origin": "https://elsewhere.example", "Sec-WebSocket-Extensions": "permessage-deflate"],
        ["X": "\t"],
    ])
    func variants(changing: [String: String]) {
        #expect(Self.status(Self.request("GET /mqtt?token=1 HTTP/1.1", changing: changing)) == "101")
    }

    // [MQTT-6.0.0-3] without the subprotocol.
    @Test("other requests get the status that says what is wrong", arguments: [
        ("GET / HTTP/1.1", [:], "404"),
        ("GET /mqtt/ HTTP/1.1", [:], "404"),
        ("POST /mqtt HTTP/1.1", [:], "405"),
        ("GET /mqtt HTTP/1.0", [:], "505"),
        ("GET /mqtt", [:], "400"),
        ("GET  /mqtt HTTP/1.1", [:], "400"),
        ("GET /mqtt HTTP/1.1", ["Upgrade": nil], "426"),
        ("GET /mqtt HTTP/1.1", ["Connection": "close"], "426"),
        ("GET /mqtt HTTP/1.1", ["Upgrade": "h2c"], "426"),
        ("GET /mqtt HTTP/1.1", ["Sec-WebSocket-Version": "8"], "426"),
        ("GET /mqtt HTTP/1.1", ["Sec-WebSocket-Version": nil], "426"),
        ("GET /mqtt HTTP/1.1", ["Sec-WebSocket-Key": "short"], "400"),
        ("GET /mqtt HTTP/1.1", ["Sec-WebSocket-Key": nil], "400"),
        ("GET /mqtt HTTP/1.1", ["Host": nil], "400"),
        ("GET /mqtt HTTP/1.1", ["Sec-WebSocket-Protocol": nil], "400"),
        ("GET /mqtt HTTP/1.1", ["Sec-WebSocket-Protocol": "MQTT, soap"], "400"),
        ("GET /mqtt HTTP/1.1", ["X": "a\u{7}b"], "400"),
        ("GET /mqtt HTTP/1.1", ["X y": "z"], "400"),
        ("GET /mqtt HTTP/1.1", ["X": "\r\n folded"], "400"),
        ("GET /mqtt HTTP/1.1", ["X": String(repeating: "x", count: 8192)], "431"),
    ] as [(String, [String: String?], String)])
    func refused(line: String, changing: [String: String?], status: String) {
        #expect(Self.status(Self.request(line, changing: changing)) == status)
    }

    @Test("what is not HTTP is refused at its first byte", arguments: [[0x10], [0x16, 0x03], [0x00], [0x0D, 0x0A]] as [[UInt8]])
    func garbage(bytes: [UInt8]) {
        #expect(Self.status(bytes) == "400")
    }
}
