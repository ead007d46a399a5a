import Core
import Security

// The opening handshake of RFC 6455 §4.2: one HTTP request, one answer. Whoever asks for something else gets a short answer
// that says what is offered here, and the connection ends.
//
// There is no check of Origin: a browser's page gets no further than its user name and password do.

/// What an HTTP request on a WebSocket listener is answered with.
enum WebSocketHandshake {
    enum Result: Equatable {
        case needMoreBytes
        /// - length: bytes of the request; what follows is WebSocket already.
        case accepted(answer: String, length: Int)
        /// - status: for the log, with what the client is told.
        case refused(answer: String, status: String)
    }

    /// Bytes of the longest request.
    static let maximumLength = 8 * 1024

    private static let end = Array("\r\n\r\n".utf8)

    /// Reads a request from what has come so far.
    ///
    /// - Parameter path: the path at which WebSockets are opened.
    static func read(_ bytes: UnsafeRawBufferPointer, path: String) -> Result {
        // Something else than HTTP may wait for an answer for ever: it is told at once.
        if let first = bytes.first, !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) {
            return refused("400 Bad Request", "This port speaks WebSocket.")
        }
        let head = UnsafeRawBufferPointer(rebasing: bytes.prefix(maximumLength))
        guard let length = indexAfterEnd(of: head) else {
            if bytes.count < maximumLength { return .needMoreBytes }
            return refused("431 Request Header Fields Too Large", "The request has more than \(maximumLength) bytes.")
        }
        guard let request = HTTPRequestHead(UnsafeRawBufferPointer(rebasing: head[..<(length - 2)])) else {
            return refused("400 Bad Request", "This is not an HTTP request.")
        }
        return answer(to: request, path: path, length: length)
    }

    private static func answer(to request: HTTPRequestHead, path: String, length: Int) -> Result {
        guard request.version == "HTTP/1.1" else {
            return refused("505 HTTP Version Not Supported", "WebSockets are opened with HTTP/1.1.")
        }
        guard request.path == path else {
            return refused("404 Not Found", "WebSockets are opened at \(path), not at \(request.path.inQuotes).")
        }
        guard request.method == "GET" else {
            return refused("405 Method Not Allowed", "WebSockets are opened with GET.", "Allow: GET")
        }
        guard request.has("upgrade", "websocket"), request.has("connection", "upgrade") else {
            return refused("426 Upgrade Required", "Here is MQTT over WebSocket only.", "Upgrade: websocket", "Connection: Upgrade")
        }
        // RFC 6455 §4.4
        guard request.has("sec-websocket-version", "13") else {
            return refused("426 Upgrade Required", "The version of WebSocket must be 13.", "Sec-WebSocket-Version: 13")
        }
        let keys = request.values(of: "sec-websocket-key")
        guard keys.count == 1, Base64.isSixteenBytes(keys[0]), request.values(of: "host").count == 1 else {
            return refused("400 Bad Request", "Host and Sec-WebSocket-Key must be there, once each.")
        }
        // [MQTT-6.0.0-3] the client offers "mqtt"; those from before MQTT 3.1.1 know another name.
        let offered = request.values(of: "sec-websocket-protocol")
        guard let chosen = ["mqtt", "mqttv3.1"].first(where: offered.contains) else {
            return refused("400 Bad Request", "The subprotocol (Sec-WebSocket-Protocol) must be mqtt.")
        }
        // [MQTT-6.0.0-4] and the server says which.
        return .accepted(
            answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(accept(key: keys[0]))\r\nSec-WebSocket-Protocol: \(chosen)\r\n\r\n",
            length: length)
    }

    /// RFC 6455 §4.2.2, number 5.4
    static func accept(key: String) -> String {
        Base64.encoded(Hash.sha1.digest(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    private static func refused(_ status: String, _ text: String, _ headers: String...) -> Result {
        var lines = ["HTTP/1.1 \(status)"] + headers
        if !headers.contains(where: { $0.hasPrefix("Connection:") }) { lines.append("Connection: close") }
        lines += ["Content-Type: text/plain; charset=utf-8", "Content-Length: \(text.utf8.count + 1)"]
        return .refused(answer: lines.joined(separator: "\r\n") + "\r\n\r\n\(text)\n", status: "\(status): \(text)")
    }

    private static func indexAfterEnd(of bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= end.count else { return nil }
        for index in 0...(bytes.count - end.count) where bytes[index] == end[0] {
            if bytes[index..<(index + end.count)].elementsEqual(end) { return index + end.count }
        }
        return nil
    }
}

/// The request line and the headers of an HTTP/1.1 request (RFC 9112 §3, §5).
struct HTTPRequestHead {
    let method: String
    /// Without the query.
    let path: String
    let version: String
    /// Names in lower case.
    private let headers: [(name: String, value: String)]

    /// - Parameter bytes: lines that each end with CR LF.
    init?(_ bytes: UnsafeRawBufferPointer) {
        // No control characters but the ends of lines and tabs within.
        var lines: [String] = []
        var start = bytes.startIndex
        while start < bytes.endIndex {
            guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "\r")), end + 1 < bytes.endIndex,
                bytes[end + 1] == UInt8(ascii: "\n")
            else { return nil }
            let line = bytes[start..<end]
            guard line.allSatisfy({ $0 == 9 || ($0 >= 32 && $0 != 127) }) else { return nil }
            lines.append(String(decoding: line, as: UTF8.self))
            start = end + 2
        }
        guard let first = lines.first else { return nil }
        let parts = first.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[2].hasPrefix("HTTP/"), !parts[1].isEmpty else { return nil }
        method = String(parts[0])
        path = String(parts[1].prefix { $0 != "?" })
        version = String(parts[2])
        var headers: [(name: String, value: String)] = []
        for line in lines.dropFirst() {
            // A name has no space before the colon, and a line that goes on in the next one is not HTTP/1.1 any more.
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex,
                !line[..<colon].contains(where: { $0 == " " || $0 == "\t" })
            else { return nil }
            headers.append((line[..<colon].lowercased(), HTTPRequestHead.trimmed(line[line.index(after: colon)...])))
        }
        self.headers = headers
    }

    /// The elements of all headers of that name, which may each be a list.
    func values(of name: String) -> [String] {
        headers.filter { $0.name == name }.flatMap { $0.value.split(separator: ",").map(HTTPRequestHead.trimmed) }
    }

    /// Whether a header has this element, in upper or lower case.
    func has(_ name: String, _ value: String) -> Bool { values(of: name).contains { $0.lowercased() == value } }

    private static func trimmed(_ text: Substring) -> String {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        guard let first = text.firstIndex(where: { !isSpace($0) }), let last = text.lastIndex(where: { !isSpace($0) }) else {
            return ""
        }
        return String(text[first...last])
    }
}
