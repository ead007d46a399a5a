import Core
import Synchronization

/// Tells the lines that go to a program and come from it, while somebody wants to know.
final class ExternalTracer: Sendable {
    /// How much of a line is told.
    private static let maxLength = 2000

    private let receive = Mutex<(@Sendable (TracedExchange) -> Void)?>(nil)

    func set(_ receive: (@Sendable (TracedExchange) -> Void)?) { self.receive.withLock { $0 = receive } }

    func note(_ line: some Collection<UInt8>, _ direction: TracedFrame.Direction) {
        guard let receive = receive.withLock({ $0 }) else { return }
        let now = SystemClock.monotonic()
        var text = String(decoding: line.prefix(ExternalTracer.maxLength), as: UTF8.self)
        if text.hasSuffix("\n") { text.removeLast() }
        // A terminal must not be told what to do.
        text = String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) })
        if line.count > ExternalTracer.maxLength { text += "…" }
        receive(
            TracedExchange(
                frames: [TracedFrame(direction: direction, bytes: Array(line.prefix(ExternalTracer.maxLength)), time: SystemClock.wall(), began: now, ended: now, text: text, isText: true)]))
    }
}
