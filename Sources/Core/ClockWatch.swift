/// Tells whether the wall clock is right, and when it is set.
///
/// A box without a battery clock starts in 1970, or where it was switched off, and is set by the network minutes or days
/// later. Until then its times mean nothing, but the distances between them do, for they can be held against the monotonic
/// clock. The time counts as known when the wall clock is neither before 2025 nor more than a day before the latest time
/// that was ever seen.
public struct ClockWatch: Sendable {
    /// What a look at the clocks found.
    public enum Change: Sendable, Equatable {
        case none
        /// The time was not known and is known now.
        case becameKnown
        /// The wall clock was set by so many ms against the monotonic one; whether the time is known stays as it was.
        case stepped(milliseconds: Int64)
        /// The clock was set back to where it cannot be.
        case becameUnknown
    }

    /// No clock that is right says less: 2025-01-01.
    public static let earliestTime = Timestamp(milliseconds: 1_735_689_600_000)
    /// How far (ms) behind the latest time seen a clock may be that is right.
    public static let slack: Int64 = 86_400_000
    /// The wall clock may move by so many ms between two looks before it counts as set; below that it is being adjusted.
    public static let tolerance: Int64 = 1000

    public private(set) var isTimeKnown: Bool
    /// The latest time that was seen while the time was known.
    public private(set) var latest: Timestamp
    /// Wall clock less monotonic clock at the last look, in ms.
    private var offset: Int64

    /// - Parameter latest: the latest time that is known from before, if any.
    public init(latest: Timestamp?, wall: Timestamp, monotonic: MonotonicTime) {
        self.latest = latest ?? Timestamp(milliseconds: .min)
        offset = ClockWatch.offset(wall, monotonic)
        isTimeKnown = ClockWatch.isPlausible(wall, latest: self.latest)
        note(wall)
    }

    /// Looks at both clocks; to be called about once a second.
    public mutating func look(wall: Timestamp, monotonic: MonotonicTime) -> Change {
        let now = ClockWatch.offset(wall, monotonic)
        let distance = now &- offset
        offset = now
        let wasKnown = isTimeKnown
        isTimeKnown = ClockWatch.isPlausible(wall, latest: latest)
        note(wall)
        if wasKnown != isTimeKnown { return isTimeKnown ? .becameKnown : .becameUnknown }
        return distance.magnitude > UInt64(ClockWatch.tolerance) ? .stepped(milliseconds: distance) : .none
    }

    private mutating func note(_ wall: Timestamp) {
        // A clock that is far ahead may be the wrong one: it must not make the right one look wrong.
        guard isTimeKnown, latest.milliseconds == .min || wall.milliseconds &- latest.milliseconds < ClockWatch.slack * 365 else { return }
        latest = max(latest, wall)
    }

    private static func offset(_ wall: Timestamp, _ monotonic: MonotonicTime) -> Int64 {
        wall.milliseconds &- monotonic.nanoseconds / 1_000_000
    }

    private static func isPlausible(_ wall: Timestamp, latest: Timestamp) -> Bool {
        let (earliest, overflow) = latest.milliseconds.subtractingReportingOverflow(slack)
        return wall >= earliestTime && (overflow || wall.milliseconds >= earliest)
    }
}
