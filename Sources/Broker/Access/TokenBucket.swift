public import Core

/// A rate with a burst: what is spent comes back at the rate, and never more than the burst is saved.
///
/// It may go into debt: what has come is spent, and whoever spends waits until the debt is paid back.
public struct TokenBucket: Sendable {
    /// Tokens a second.
    public let rate: Double
    public let burst: Double
    private var tokens: Double
    private var since: MonotonicTime

    /// Starts full.
    ///
    /// - Parameters:
    ///   - rate: tokens a second, above 0.
    ///   - burst: the most that can be spent at once without debt; a second's worth when not given.
    public init(rate: Double, burst: Double? = nil, now: MonotonicTime) {
        precondition(rate > 0)
        self.rate = rate
        self.burst = max(burst ?? rate, 1)
        tokens = self.burst
        since = now
    }

    private mutating func refill(_ now: MonotonicTime) {
        guard now > since else { return }
        tokens = min(burst, tokens + rate * Double((now - since).wholeNanoseconds) / 1e9)
        since = now
    }

    /// Spends if there is enough.
    public mutating func take(_ count: Double = 1, now: MonotonicTime) -> Bool {
        refill(now)
        guard tokens >= count else { return false }
        tokens -= count
        return true
    }

    /// Spends in any case.
    ///
    /// - Returns: how long the spender has to wait until the debt is paid back; zero without debt.
    public mutating func spend(_ count: Double, now: MonotonicTime) -> Duration {
        refill(now)
        tokens -= count
        guard tokens < 0 else { return .zero }
        return .nanoseconds(Int64(min(-tokens / rate, 86_400) * 1e9))
    }
}
