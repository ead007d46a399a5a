import ArgumentParser
import MQTTClient
import MQTTCodec

/// Why a client's command does not do what it is asked to.
enum ClientError: Error, CustomStringConvertible {
    /// The options do not say what can be done.
    case usage(String)
    /// A file cannot be read.
    case file(String)
    /// There is no connection, or it ended.
    case connection(ConnectionFailure)
    /// The broker refuses a message or a subscription.
    case refused(String)
    /// The time is up.
    case timeout

    var description: String {
        switch self {
        case .usage(let text), .file(let text), .refused(let text): text
        case .connection(let failure): failure.description
        case .timeout: "time-out"
        }
    }

    /// The status that the program ends with.
    var exitCode: ExitCode {
        switch self {
        case .usage: .validationFailure
        case .file: ExitCode(1)
        case .connection(.refused): ExitCode(5)
        case .connection: ExitCode(1)
        case .refused: ExitCode(5)
        // As mosquitto's clients.
        case .timeout: ExitCode(27)
        }
    }
}
