public import Core

/// One moment on both clocks. Expiry is kept on the wall clock while it is on disk, because the other clock starts
/// anew with the machine, and on the monotonic clock while it is in memory, because the wall clock may be set.
public struct Moment: Sendable, Hashable {
    public var wall: Timestamp
    public var monotonic: MonotonicTime
    /// Whether the wall clock is right, as ``Core/ClockWatch`` sees it. While it is not, its times are kept with what is
    /// needed to correct them later.
    public var isTimeKnown: Bool

    public init(wall: Timestamp, monotonic: MonotonicTime, isTimeKnown: Bool = true) {
        self.wall = wall
        self.monotonic = monotonic
        self.isTimeKnown = isTimeKnown
    }

    /// The wall-clock time of a monotonic one; nil for ``Core/MonotonicTime/distantFuture``.
    public func wallTime(of time: MonotonicTime) -> Timestamp? {
        guard time != .distantFuture else { return nil }
        let (distance, overflow) = time.nanoseconds.subtractingReportingOverflow(monotonic.nanoseconds)
        guard !overflow else { return nil }
        let (sum, overflowed) = wall.milliseconds.addingReportingOverflow(distance / 1_000_000)
        return overflowed ? nil : Timestamp(milliseconds: sum)
    }

    /// The monotonic time of a wall-clock one; ``Core/MonotonicTime/distantFuture`` for nil and for what lies beyond
    /// its range, and its smallest value for what lies before.
    public func monotonicTime(of time: Timestamp?) -> MonotonicTime {
        guard let time else { return .distantFuture }
        let (distance, overflow) = time.milliseconds.subtractingReportingOverflow(wall.milliseconds)
        let (nanoseconds, overflowed) = distance.multipliedReportingOverflow(by: 1_000_000)
        guard !overflow, !overflowed else { return time < wall ? MonotonicTime(nanoseconds: .min) : .distantFuture }
        let (sum, over) = monotonic.nanoseconds.addingReportingOverflow(nanoseconds)
        guard !over else { return nanoseconds < 0 ? MonotonicTime(nanoseconds: .min) : .distantFuture }
        return MonotonicTime(nanoseconds: sum)
    }
}
