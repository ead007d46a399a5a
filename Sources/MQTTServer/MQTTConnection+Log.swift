import Broker
import Core
import Logging
import MQTTCodec
import NIOCore

extension MQTTConnection {
    /// Writes a line about the connection. What somebody without a session can cause, and every breach of a rule, is not
    /// repeated for an address before some time has passed.
    ///
    /// - Parameters:
    ///   - cause: lines with different causes are different lines; so are those with different reasons.
    ///   - subject: whom or what it is about.
    func log(
        _ level: Logger.Level, _ message: StaticString, _ cause: @autoclosure () -> String = "",
        about subject: @autoclosure () -> String = "", reason: ReasonCode? = nil
    ) {
        guard shared.logger.logLevel <= level else { return }
        let cause = cause()
        if level >= .notice || session == nil && level == .info {
            let line = RefusalLog.Line(
                message: reason.map { "\(message), reason \($0.rawValue)" } ?? "\(message)", cause: cause,
                listener: settings.name, site: networkAddress?.site)
            guard shared.refusalLog.admits(line, now: SystemClock.monotonic()) else { return }
        }
        var metadata: Logger.Metadata = ["listener": "\(settings.name)"]
        if let address = (source ?? context?.channel.remoteAddress)?.endpoint { metadata["peer"] = "\(address)" }
        if let session { metadata["client"] = "\(session.clientIdentifier)" }
        let detail = [cause, subject()].filter { !$0.isEmpty }.joined(separator: ", ")
        if !detail.isEmpty { metadata["detail"] = "\(detail)" }
        if let reason { metadata["reason"] = "\(reason.rawValue)" }
        shared.logger.log(level: level, "\(message)", metadata: metadata)
    }
}
