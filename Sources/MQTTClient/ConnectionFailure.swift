public import MQTTCodec

/// Why there is no connection to a broker, or none any more.
public enum ConnectionFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// No transport: the name does not resolve, nobody listens, TLS or WebSocket failed; in words.
    case unreachable(String)
    /// CONNECT was not answered in time.
    case noAnswer
    /// CONNECT was refused; with the server's own words if it said any.
    case refused(ReasonCode, String? = nil)
    /// The connection ended without a word.
    case lost
    /// The server ended the connection and said why.
    case disconnected(ReasonCode, String? = nil)
    /// Nothing arrived for a keep-alive.
    case silent
    /// What arrived is not MQTT, or not what a server may send.
    case invalid(DecodeError)
    /// The server cannot do what is needed; in words.
    case unsuitable(String)
    /// Ended by us.
    case stopped

    public var description: String {
        switch self {
        case .unreachable(let text): "no connection: \(text)"
        case .noAnswer: "CONNECT was not answered"
        case .refused(let reason, let text): "refused: \(reason)" + ConnectionFailure.behind(text)
        case .lost: "connection lost"
        case .disconnected(let reason, let text): "closed by the server: \(reason)" + ConnectionFailure.behind(text)
        case .silent: "nothing arrived for a keep-alive"
        case .invalid(let error): "\(error)"
        case .unsuitable(let text): text
        case .stopped: "stopped"
        }
    }

    private static func behind(_ text: String?) -> String { text.map { ": \($0)" } ?? "" }
}
