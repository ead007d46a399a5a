import Logging
import NIOCore

/// Stops accepting for a second when the system has no descriptor or memory for one more connection.
///
/// Without it the loop would try again at once, and again: after a failed accept the channel stays registered, and
/// `AcceptBackoffHandler` only holds back what asks for the next read.
///
/// Belongs to the server channel's event loop.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let logger: Logger
    private let listener: String
    private var failures = 0
    /// Failures for each line in the log: about a minute's.
    private static let failuresPerLine = 60

    init(logger: Logger, listener: String) {
        self.logger = logger
        self.listener = listener
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError else { return context.fireErrorCaught(error) }
        if failures % AcceptPause.failuresPerLine == 0 {
            logger.error("cannot accept a connection", metadata: ["listener": "\(listener)", "error": "\(error)"])
        }
        failures += 1
        setAutoRead(false, of: context.channel)
        let channel = context.channel
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) {
            if channel.isActive { self.setAutoRead(true, of: channel) }
        }
    }

    private func setAutoRead(_ value: Bool, of channel: any Channel) {
        // An accepting channel knows the option; one that is closed needs it no more.
        try? channel.syncOptions?.setOption(.autoRead, value: value)
    }
}
