import Core
import Synchronization

/// How much was lost, said at once and then at most once a minute, so that a flood does not fill the log too.
final class LossLog: Sendable {
    static let interval = Duration.seconds(60)

    private let state = Mutex((unsaid: UInt64(0), due: MonotonicTime.zero))

    /// Counts what was lost.
    ///
    /// - Returns: how much has been lost since that was said last, if it is time to say it again.
    func count(_ lost: Int, now: MonotonicTime) -> UInt64? {
        state.withLock { state in
            state.unsaid += UInt64(lost)
            guard now >= state.due else { return nil }
            defer { state = (0, now + Self.interval) }
            return state.unsaid
        }
    }
}
