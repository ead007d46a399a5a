import Core

/// Which of several servers is tried next.
///
///     round:  first ──> second ──> … ──> last ──> wait (``Reconnection``) ──> first …
///                 each at once when the one before has failed
///
/// A connection that was good for a while and is lost ends the round: after a wait, so that not everybody comes at once, it
/// begins anew at the first.
struct ServerChoice {
    private let count: Int
    /// The index of the server to try, or to be at.
    private(set) var current = 0
    private var nextProbe = MonotonicTime.distantFuture

    /// - Parameter count: at least 1.
    init(count: Int) { self.count = max(1, count) }

    /// The attempt at the current server failed, or the connection to it ended.
    ///
    /// - Parameter wasGood: the connection had lasted.
    /// - Returns: whether the next one, now the current, is to be tried at once.
    mutating func failed(wasGood: Bool) -> Bool {
        nextProbe = .distantFuture
        current = wasGood ? 0 : (current + 1) % count
        return current > 0
    }

    /// - Parameter returnToFirst: nil for never.
    mutating func connected(now: MonotonicTime, returnToFirst: Duration?) {
        nextProbe = current > 0 ? returnToFirst.map { now + $0 } ?? .distantFuture : .distantFuture
    }

    /// Whether it is time to look whether the first server answers again. Says so once in `returnToFirst`.
    mutating func shouldProbe(now: MonotonicTime, returnToFirst: Duration?) -> Bool {
        guard current > 0, now >= nextProbe, let returnToFirst else { return false }
        nextProbe = now + returnToFirst
        return true
    }

    /// The first server answers again: it is tried now.
    mutating func startOver() {
        current = 0
        nextProbe = .distantFuture
    }
}
