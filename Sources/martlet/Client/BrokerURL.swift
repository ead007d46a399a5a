/// A broker's address in one piece: `mqtt[s]://[user[:password]@]host[:port][/topic]` and `ws[s]://…[/path]`.
struct BrokerURL: Equatable {
    enum Scheme: String {
        case mqtt, mqtts, ws, wss

        var usesTLS: Bool { self == .mqtts || self == .wss }
        var usesWebSocket: Bool { self == .ws || self == .wss }
    }

    var scheme: Scheme
    var userName: String?
    var password: String?
    var host: String
    var port: Int?
    /// Without the slash in front; nil if there is none.
    var path: String?

    /// nil if the text is no such URL.
    init?(_ text: String) {
        guard let mark = text.firstRange(of: "://"), let scheme = Scheme(rawValue: String(text[..<mark.lowerBound])) else {
            return nil
        }
        self.scheme = scheme
        var rest = text[mark.upperBound...]
        // RFC 3986 §3.2: the authority ends at the first slash.
        if let slash = rest.firstIndex(of: "/") {
            let tail = rest[rest.index(after: slash)...]
            path = tail.isEmpty ? nil : String(tail)
            rest = rest[..<slash]
        }
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            rest = rest[rest.index(after: at)...]
            guard let name = BrokerURL.decoded(parts[0]) else { return nil }
            userName = name
            if parts.count == 2 {
                guard let decoded = BrokerURL.decoded(parts[1]) else { return nil }
                password = decoded
            }
        }
        if rest.first == "[" {
            // IPv6
            guard let end = rest.firstIndex(of: "]") else { return nil }
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            rest = rest[rest.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { return nil }
        } else {
            let end = rest.firstIndex(of: ":") ?? rest.endIndex
            host = String(rest[..<end])
            rest = rest[end...]
        }
        guard !host.isEmpty else { return nil }
        if rest.first == ":" {
            guard let number = Int(rest.dropFirst()), (1...65_535).contains(number) else { return nil }
            port = number
        }
    }

    /// A text with %XX decoded; nil if that is not UTF-8.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
