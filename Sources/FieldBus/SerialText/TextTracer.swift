import Core
import Synchronization

/// Tells the bytes of a line as they come and go, while somebody wants to know. Only the driver's thread notes.
final class TextTracer: Sendable {
    private let receive = Mutex<(@Sendable (TracedExchange) -> Void)?>(nil)

    func set(_ receive: (@Sendable (TracedExchange) -> Void)?) { self.receive.withLock { $0 = receive } }

    func note(_ bytes: [UInt8], _ direction: TracedFrame.Direction) {
        guard let receive = receive.withLock({ $0 }) else { return }
        let now = SystemClock.monotonic()
        let printable = String(decoding: bytes.map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: ".") }, as: UTF8.self)
        receive(
            TracedExchange(
                frames: [TracedFrame(direction: direction, bytes: bytes, time: SystemClock.wall(), began: now, ended: now, text: printable)]))
    }
}
