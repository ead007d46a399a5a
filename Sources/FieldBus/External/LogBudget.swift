import Core
import Synchronization

/// How many lines of a log are passed on in a second.
final class LogBudget: Sendable {
    private let state = Mutex((second: Int64(0), left: 0))
    private let maxLines: Int

    init(maxLines: Int) { self.maxLines = maxLines }

    func spend(now: MonotonicTime) -> Bool {
        state.withLock { state in
            let second = (now - .zero).wholeMilliseconds / 1000
            if second != state.second { state = (second, maxLines) }
            guard state.left > 0 else { return false }
            state.left -= 1
            return true
        }
    }
}
