import Broker
import Core

/// How fast what has waited for a connection may be sent.
struct BackfillMeter {
    private var messages: TokenBucket?
    private var bytes: TokenBucket?
    private var heldUntil = MonotonicTime.zero

    init() {}

    /// A second's worth may be sent at once at most a tenth of a second after it was allowed, so that it goes out evenly.
    init(_ backfill: BridgeConfiguration.Backfill, now: MonotonicTime) {
        messages = backfill.messagesPerSecond.map { TokenBucket(rate: Double(max(1, $0)), burst: Double($0) / 10, now: now) }
        bytes = backfill.bytesPerSecond.map { TokenBucket(rate: Double(max(1, $0)), burst: Double($0) / 10, now: now) }
    }

    func isOpen(now: MonotonicTime) -> Bool { now >= heldUntil }

    /// When more may be sent; nil if it may now.
    func opens(now: MonotonicTime) -> Duration? { now < heldUntil ? heldUntil - now : nil }

    mutating func sent(messages count: Int, bytes size: Int, now: MonotonicTime) {
        let wait = max(
            messages?.spend(Double(count), now: now) ?? .zero, bytes?.spend(Double(size), now: now) ?? .zero)
        if wait > .zero { heldUntil = now + wait }
    }
}
