import Core
import Glibc

/// How fast a count rises, as a mean in which what was long ago weighs less and less. From its start it is the mean of what
/// there was.
struct MeanRate: Sendable {
    private let window: Double
    private var weighted = 0.0
    private var weight = 0.0
    private var last: (count: UInt64, at: MonotonicTime)?

    /// - Parameter window: after this time a moment weighs a third of what it did.
    init(window: Duration) { self.window = Double(window.wholeMilliseconds) / 1000 }

    /// Takes in the count as it is now. One that has fallen was started anew.
    mutating func update(_ count: UInt64, at now: MonotonicTime) {
        defer { last = (count, now) }
        guard let last, now > last.at, count >= last.count else { return }
        let seconds = Double((now - last.at).wholeNanoseconds) / 1e9
        let keep = exp(-seconds / window)
        weighted = weighted * keep + Double(count - last.count) / seconds * (1 - keep)
        weight = weight * keep + (1 - keep)
    }

    /// A second; 0 before two counts are known, and when nothing has come for so long that less than one in a fortnight is left.
    var perSecond: Double {
        guard weight > 0 else { return 0 }
        let rate = weighted / weight
        return rate < 1e-6 ? 0 : rate
    }
}
