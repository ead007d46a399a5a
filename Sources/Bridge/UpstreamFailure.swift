import Glibc
public import MQTTClient
import MQTTCodec

/// Why there is no connection to the upstream.
public enum UpstreamFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The connection could not be made, or ended.
    case connection(ConnectionFailure)
    /// The password file cannot be read.
    case passwordFile(String)
    /// What TLS needs cannot be used; the text names the file.
    case tls(String)
    /// The upstream takes only QoS 0: it could not acknowledge anything.
    case qosNotSupported
    /// The upstream takes messages and does not acknowledge them.
    case stalled
    /// The local broker cannot take more now.
    case backlogged
    /// The upstream's form wants a new connection, or cannot make one.
    case form(String)
    /// The first server answers again.
    case returning
    /// The connection could not be made, and what to look at.
    case advised(ConnectionFailure, String)
    /// CONNECT was refused because of its version, 5.0.
    case versionNotTaken
    /// The connection ended without an answer to a CONNECT of MQTT 5.0.
    case endedAtConnect

    public var description: String {
        switch self {
        case .connection(let failure): failure.description
        case .advised(let failure, let advice): "\(failure): \(advice)"
        case .passwordFile(let text): "password-file: \(text)"
        case .tls(let text): text
        case .qosNotSupported: "the upstream takes QoS 0 only, so nothing would be acknowledged"
        case .stalled: "the upstream does not acknowledge"
        case .form(let text): text
        case .backlogged: "the local disk cannot keep up"
        case .returning: "the first server answers again"
        case .versionNotTaken: "the upstream does not take MQTT 5.0: set protocol = \"3.1.1\" in its [[bridge]]"
        case .endedAtConnect:
            "connection lost before CONNECT was answered; if the upstream does not take MQTT 5.0, "
                + "set protocol = \"3.1.1\" in its [[bridge]]"
        }
    }

    /// The same failure of an attempt that was not accepted, with what to look at where that is known.
    ///
    /// - Parameter hasForm: the form logs in, with what its own table names.
    func advised(_ server: ClientTransport, hasForm: Bool) -> UpstreamFailure {
        guard case .connection(let failure) = self else { return self }
        switch failure {
        case .refused(.notAuthorized, _), .refused(.badUserNameOrPassword, _):
            return hasForm ? self : .advised(failure, "look at user-name and password-file in its [[bridge]]")
        case .unreachable(let text) where text.hasSuffix(String(cString: strerror(ECONNRESET))):
            let spoken =
                switch (server.tls != nil, server.webSocketPath != nil) {
                case (false, false): "plain MQTT"
                case (true, false): "MQTT in TLS"
                case (false, true): "WebSocket"
                case (true, true): "WebSocket in TLS"
                }
            return .advised(failure, "perhaps \(spoken) is not spoken at this port; look at port and transport in its [[bridge]]")
        default: return self
        }
    }

    /// The same failure of an attempt with MQTT 5.0, in words that say so if the version may be the reason.
    var ofVersion5: UpstreamFailure {
        switch self {
        case .connection(.refused(.unsupportedProtocolVersion, _)): .versionNotTaken
        case .connection(.lost): .endedAtConnect
        default: self
        }
    }
}
