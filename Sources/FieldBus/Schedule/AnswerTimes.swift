import Core

/// How long answers took: counts in classes of times, each a quarter wider than the one before.
///
/// From 50 µs to a minute it takes 63 classes, and a percentile is right within 12 %.
public struct AnswerTimes: Sendable, Hashable {
    private static let shortest = 50_000.0
    private static let step = 1.25
    private static let classes = 64
    /// By how many all counts are halved: the last ones weigh most.
    private static let horizon: UInt32 = 20_000

    /// Empty until there is an answer.
    private var counts: [UInt32] = []
    private var total: UInt32 = 0

    public init() {}

    public var isEmpty: Bool { total == 0 }

    mutating func record(_ time: Duration) {
        if counts.isEmpty { counts = [UInt32](repeating: 0, count: AnswerTimes.classes) }
        var limit = AnswerTimes.shortest
        let nanoseconds = Double(time.wholeNanoseconds)
        var index = 0
        while index < AnswerTimes.classes - 1, nanoseconds > limit {
            limit *= AnswerTimes.step
            index += 1
        }
        counts[index] += 1
        total += 1
        guard total >= AnswerTimes.horizon else { return }
        for index in counts.indices { counts[index] /= 2 }
        total = counts.reduce(0, +)
    }

    /// The time that a share of the answers, 0…1, did not exceed; nil before the first.
    public func percentile(_ share: Double) -> Duration? {
        guard total > 0 else { return nil }
        let wanted = min(max(share, 0), 1) * Double(total)
        var sum = 0.0
        var limit = AnswerTimes.shortest
        for count in counts {
            sum += Double(count)
            if count > 0, sum >= wanted { break }
            limit *= AnswerTimes.step
        }
        // The middle of the class.
        return .nanoseconds(Int64(limit / (1 + AnswerTimes.step) * 2))
    }
}
