extension MartletConfiguration.Bridge {
    public enum Transport: String, Sendable, CaseIterable {
        case tcp, tls, websocket, wss

        public var usesTLS: Bool { self == .tls || self == .wss }
        public var usesWebSocket: Bool { self == .websocket || self == .wss }
    }

    /// A further upstream broker.
    public struct Server: Sendable, Hashable {
        public var host: String
        /// nil for the bridge's.
        public var port: Int?

        public init(host: String, port: Int? = nil) {
            self.host = host
            self.port = port
        }

        /// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`; nil for anything else.
        init?(_ text: String) {
            var name = Substring(text)
            var port: Substring?
            if name.first == "[" {
                guard let end = name.firstIndex(of: "]") else { return nil }
                let rest = name[name.index(after: end)...]
                guard rest.isEmpty || rest.first == ":" else { return nil }
                if !rest.isEmpty { port = rest.dropFirst() }
                name = name[name.index(after: name.startIndex)..<end]
                guard name.contains(":") else { return nil }
            } else if IPAddress(text) == nil, let colon = name.lastIndex(of: ":") {
                port = name[name.index(after: colon)...]
                name = name[..<colon]
                guard !name.contains(":") else { return nil }
            }
            if let port {
                guard port.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let number = Int(port),
                    (1...65_535).contains(number)
                else { return nil }
                self.port = number
            }
            host = String(name)
        }

        var text: String {
            let name = host.contains(":") ? "[\(host)]" : host
            return port.map { "\(name):\($0)" } ?? host
        }
    }
}

extension ValueType where Value == MartletConfiguration.Bridge.Server {
    /// A host, and a port if it has one of its own.
    static var server: Self {
        Self(name: "server", allowed: "\"HOST\", \"HOST:PORT\", \"[IPv6 address]:PORT\"") { value throws(Refusal) in
            guard case .string(let text) = value.content else { throw .kind("a string", value) }
            guard let server = MartletConfiguration.Bridge.Server(text), ValueType<String>.isHost(server.host) else {
                throw Refusal("\(text.quotedForMessage) is not a server such as \"broker.example.com\", \"192.0.2.1:8883\" or \"[2001:db8::1]:8883\"")
            }
            return server
        } write: {
            $0.text.tomlLiteral
        }
    }
}
