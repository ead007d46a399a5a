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
    /// CONNECT was refused because of its version, 5.0.
    case versionNotTaken
    /// The connection ended without an answer to a CONNECT of MQTT 5.0.
    case endedAtConnect

    public var description: String {
        switch self {
        case .connection(let failure): failure.description
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

    /// The same failure of an attempt with MQTT 5.0, in words that say so if the version may be the reason.
    var ofVersion5: UpstreamFailure {
        switch self {
        case .connection(.refused(.unsupportedProtocolVersion, _)): .versionNotTaken
        case .connection(.lost): .endedAtConnect
        default: self
        }
    }
}
