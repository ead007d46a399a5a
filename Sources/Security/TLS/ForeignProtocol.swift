/// Another protocol than the one of the port, known by the first bytes of a connection: somebody has configured a client for
/// another port.
public enum ForeignProtocol: Sendable, Equatable {
    /// A TLS client hello (RFC 8446 §4.1.2).
    case tls
    case http
    /// MQTT: CONNECT, which has type 1 and no flags (MQTT 5.0 §3.1.1).
    case mqtt

    /// nil if it is none of them, or too little has come.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        if bytes.count >= 3, bytes[0] == 0x16, bytes[1] == 3, bytes[2] <= 4 {
            self = .tls
        } else if bytes.first == 0x10 {
            self = .mqtt
        } else if ForeignProtocol.methods.contains(where: { bytes.starts(with: $0.utf8) }) {
            self = .http
        } else {
            return nil
        }
    }

    private static let methods = ["GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "CONNECT "]

    /// What is wrong at a port for MQTT over TCP, and what to do; nil if nothing is.
    public var atMQTTPort: String? {
        switch self {
        case .tls: "the client speaks TLS, and this port has none: give the listener a certificate-file, or the client another port"
        case .http: "the client speaks HTTP or WebSocket, and this port MQTT: a listener for it has transport = \"websocket\""
        case .mqtt: nil
        }
    }

    /// What is wrong at a port for TLS; nil if nothing is.
    var atTLSPort: String? {
        switch self {
        case .tls: nil
        case .http: "the client speaks HTTP or WebSocket without TLS: let it use https or wss, or another port"
        case .mqtt: "the client speaks MQTT without TLS: let it use TLS, or another port"
        }
    }

    /// What is wrong at a port for WebSocket; nil if nothing is.
    public var atWebSocketPort: String? {
        switch self {
        case .tls: "the client speaks TLS, and this port has none: give the listener a certificate-file, or the client another port"
        case .http: nil
        case .mqtt: "the client speaks MQTT without WebSocket: a listener for it has transport = \"tcp\""
        }
    }
}
