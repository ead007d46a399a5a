public import Core

/// Which of several groups is due: each lies on a fixed grid, however late its turn was. Slots that have passed are left out
/// and counted; nothing piles up.
public struct IntervalGrid: Sendable {
    private let intervals: [Duration]
    private var due: [MonotonicTime]
    /// Slots left out.
    public private(set) var overruns: UInt64 = 0

    /// - Parameters:
    ///   - intervals: of the groups, each at least 1 ms.
    ///   - start: the first slot of every group.
    public init(intervals: [Duration], start: MonotonicTime) {
        self.intervals = intervals.map { max($0, .milliseconds(1)) }
        due = [MonotonicTime](repeating: start, count: intervals.count)
    }

    /// When the next group is due; nil without groups.
    public var next: MonotonicTime? { due.min() }

    /// Moves the first slot of every group to `start`.
    public mutating func begin(at start: MonotonicTime) {
        for index in due.indices { due[index] = start }
    }

    /// The groups that are due, each of which is then due again one interval later.
    public mutating func take(now: MonotonicTime) -> [Int] {
        due.indices.filter { index in
            guard due[index] <= now else { return false }
            let interval = intervals[index].wholeNanoseconds
            let missed = (now - due[index]).wholeNanoseconds / interval
            overruns += UInt64(missed)
            due[index] += .nanoseconds((missed + 1) * interval)
            return true
        }
    }
}
