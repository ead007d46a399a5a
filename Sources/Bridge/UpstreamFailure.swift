public import MQTTCodec

/// Why there is no connection to the upstream.
public enum UpstreamFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// No TCP connection, or its name does not resolve; with the system's words.
    case unreachable(String)
    /// The password file cannot be read.
    case passwordFile(String)
    /// CONNECT was not answered in time.
    case noAnswer
    /// CONNECT was refused.
    case refused(ReasonCode)
    /// The upstream takes only QoS 0: it could not acknowledge anything.
    case qosNotSupported
    /// The connection ended.
    case lost
    /// The upstream ended the connection and said why.
    case disconnected(ReasonCode)
    /// Nothing arrived for a keep-alive.
    case silent
    /// The upstream takes messages and does not acknowledge them.
    case stalled
    /// What arrived is not MQTT, or not what a server may send.
    case invalid(DecodeError)
    /// The local broker cannot take more now.
    case backlogged
    /// Stopped by us.
    case stopped

    public var description: String {
        switch self {
        case .unreachable(let text): "no connection: \(text)"
        case .passwordFile(let text): "password-file: \(text)"
        case .noAnswer: "CONNECT was not answered"
        case .refused(let reason): "refused: \(UpstreamFailure.text(reason))"
        case .qosNotSupported: "the upstream takes QoS 0 only, so nothing would be acknowledged"
        case .lost: "connection lost"
        case .disconnected(let reason): "closed by the upstream: \(UpstreamFailure.text(reason))"
        case .silent: "nothing arrived for a keep-alive"
        case .stalled: "the upstream does not acknowledge"
        case .invalid(let error): "\(error)"
        case .backlogged: "the local disk cannot keep up"
        case .stopped: "stopped"
        }
    }

    static func text(_ reason: ReasonCode) -> String {
        let name: String? =
            switch reason {
            case .clientIdentifierNotValid: "client-identifier not valid"
            case .badUserNameOrPassword: "bad user-name or password"
            case .notAuthorized: "not authorized"
            case .unsupportedProtocolVersion: "protocol version not supported"
            case .serverUnavailable: "server unavailable"
            case .serverBusy: "server busy"
            case .banned: "banned"
            case .serverShuttingDown: "server shutting down"
            case .keepAliveTimeout: "keep-alive time-out"
            case .sessionTakenOver: "another connection has the same client-identifier"
            case .topicNameInvalid: "topic name invalid"
            case .packetTooLarge: "packet too large"
            case .quotaExceeded: "quota exceeded"
            case .payloadFormatInvalid: "payload format invalid"
            case .receiveMaximumExceeded: "receive maximum exceeded"
            case .administrativeAction: "administrative action"
            default: nil
            }
        let code = "0x" + String(reason.rawValue, radix: 16, uppercase: true)
        return name.map { "\($0) (\(code))" } ?? code
    }
}
