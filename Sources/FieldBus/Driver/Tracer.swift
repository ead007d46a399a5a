import Core
import Synchronization

/// Tells what passes over a line piece by piece, while somebody wants to know.
final class Tracer: Sendable {
    private let receive = Mutex<(@Sendable (TracedExchange) -> Void)?>(nil)

    func set(_ receive: (@Sendable (TracedExchange) -> Void)?) { self.receive.withLock { $0 = receive } }

    /// - Parameters:
    ///   - bytes: and `text`, what they say, are only made when somebody wants them.
    ///   - isText: the bytes are text and stand in `text` already.
    func note(
        _ direction: TracedFrame.Direction, bytes: @autoclosure () -> [UInt8], text: @autoclosure () -> String, isText: Bool = false
    ) {
        guard let receive = receive.withLock({ $0 }) else { return }
        let now = SystemClock.monotonic()
        receive(
            TracedExchange(
                frames: [
                    TracedFrame(
                        direction: direction, bytes: bytes(), time: SystemClock.wall(), began: now, ended: now, text: text(),
                        isText: isText)
                ]))
    }
}
