import Broker
import Core
import Logging
import MQTTCodec
import NIOCore

extension MQTTConnection {
    /// Writes a line about the connection. What somebody without a session can cause, and every breach of a rule, is not
    /// repeated for an address before some time has passed.
    ///
    /// - Parameter reason: lines with different reasons are different lines.
    func log(
        _ level: Logger.Level, _ message: StaticString, _ detail: @autoclosure () -> String = "", reason: ReasonCode? = nil
    ) {
        guard shared.logger.logLevel <= level else { return }
        if level >= .notice || session == nil && level == .info {
            let line = reason.map { "\(message), reason \($0.rawValue)" } ?? "\(message)"
            guard shared.refusalLog.admits(line, from: networkAddress?.site, now: SystemClock.monotonic()) else { return }
        }
        var metadata: Logger.Metadata = ["listener": "\(settings.name)"]
        if let address = source ?? context?.channel.remoteAddress { metadata["peer"] = "\(address)" }
        if let session { metadata["client"] = "\(session.clientIdentifier)" }
        let detail = detail()
        if !detail.isEmpty { metadata["detail"] = "\(detail)" }
        if let reason { metadata["reason"] = "\(reason.rawValue)" }
        shared.logger.log(level: level, "\(message)", metadata: metadata)
    }
}
