public import Core

// Which request a bus makes next. Knows devices, their polling groups and time; knows nothing of the protocol.
//
// Groups lie on a fixed grid: a group with interval i is due at start, start + i, start + 2i… however late a poll was. A
// poll that starts more than an interval late leaves out the slots that have passed and counts them as overruns; nothing
// piles up. Of several groups that are due, the one that has waited longest for a request goes next, request by request,
// so that a long slow group does not hold up a short fast one.
//
//              failed                     failed
//     ┌──────┐ ───────────────▶ ┌──────┐ ────────┐  each failure doubles the back-off: 1 s, 2 s, … maxBackOff
//     │ good │                  │ dead │ ◀───────┘
//     └──────┘ ◀─────────────── └──────┘
//              recovered (any answer)
//
// A dead device is only probed: a single request without retries. Other devices keep their intervals, because a probe
//   1. runs in the idle time before the next poll if it fits there, and
//   2. if it never fits, takes a turn after having waited for `probePatience`, never two between two polls, and
//   3. all probes that fail together take at most a quarter of the time: after one that took t, none for 3t.
// So a poll is never later than one probe (one response time-out) because of dead devices, however many there are.

/// The schedule of one bus. A value that takes time as an argument and does no I/O.
public struct BusSchedule: ~Copyable {
    /// One device, for ``init(devices:maxBackOff:start:)``.
    public struct Device: Sendable {
        /// Interval of each of its polling groups.
        public var intervals: [Duration]
        /// How long a probe takes if the device does not answer: its response time-out.
        public var probeCost: Duration

        public init(intervals: [Duration], probeCost: Duration) {
            self.intervals = intervals
            self.probeCost = probeCost
        }
    }

    /// What to do next.
    public enum Step: Sendable, Hashable {
        /// Make the next request of this group's poll. With `mayRetry` a request that fails may be repeated.
        case poll(device: Int, group: Int, mayRetry: Bool)
        /// Make one request, without retries, to a device that does not answer.
        case probe(device: Int)
        /// Nothing to do before then.
        case wait(until: MonotonicTime)
    }

    /// The first back-off after a failure.
    public static let firstBackOff = Duration.seconds(1)
    /// How long a probe that does not fit between two polls is put off.
    public static let probePatience = Duration.seconds(1)
    /// How often a device that stays bad is reported again.
    public static let repeatReport = Duration.seconds(60)

    struct Group {
        let device: Int
        let number: Int
        let interval: Int64
        /// The next slot of the grid.
        var due: MonotonicTime
        /// A poll has started and still has requests to make.
        var isActive = false
        /// When it last got a turn, as a number that grows.
        var served: UInt64 = 0
    }

    struct DeviceState {
        let probeCost: Duration
        let groups: Range<Int>
        /// nil while the device answers.
        var reason: QualityReason?
        var retryAt = MonotonicTime.zero
        var backOff = Duration.zero
        var reportedAt = MonotonicTime.zero
        /// When it answered again after a failure.
        var recoveredAt: MonotonicTime?
    }

    var groups: [Group] = []
    var devices: [DeviceState] = []
    let maxBackOff: Duration
    var deadCount = 0
    /// The last step was a probe.
    var probedLast = false
    var probesAllowedFrom = MonotonicTime.zero
    private var turns: UInt64 = 0
    /// Slots left out because the bus was too slow.
    public private(set) var overruns: UInt64 = 0

    /// - Parameters:
    ///   - maxBackOff: the longest time between two probes of a device.
    ///   - start: the first slot of every group.
    public init(devices: [Device], maxBackOff: Duration, start: MonotonicTime) {
        self.maxBackOff = maxBackOff
        for (index, device) in devices.enumerated() {
            let first = groups.count
            for (number, interval) in device.intervals.enumerated() {
                groups.append(
                    Group(device: index, number: number, interval: max(1_000_000, interval.wholeNanoseconds), due: start))
            }
            self.devices.append(DeviceState(probeCost: device.probeCost, groups: first..<groups.count))
        }
    }

    /// Moves the first slot of every group to `start`.
    public mutating func begin(at start: MonotonicTime) {
        for index in groups.indices { groups[index].due = start }
    }

    /// The next step. After `.poll` the caller reports ``answered(device:group:finished:)`` or ``failed(device:reason:started:now:)``,
    /// after `.probe` ``recovered(device:now:)`` or ``failed(device:reason:started:now:)``.
    public mutating func next(now: MonotonicTime) -> Step {
        var chosen: Int?
        var nextDue = MonotonicTime.distantFuture
        for index in groups.indices where devices[groups[index].device].reason == nil {
            if groups[index].isActive || groups[index].due <= now {
                if chosen.map({ groups[index].served < groups[$0].served }) ?? true { chosen = index }
            } else {
                nextDue = min(nextDue, groups[index].due)
            }
        }
        let probe = deadCount == 0 ? nil : nextProbe(now: now, pollIsDue: chosen != nil, nextDue: nextDue)
        if case .now(let device) = probe {
            probedLast = true
            return .probe(device: device)
        }
        if let chosen {
            probedLast = false
            return serve(chosen, now: now)
        }
        if case .at(let time) = probe { return .wait(until: min(time, nextDue)) }
        return .wait(until: nextDue)
    }

    private mutating func serve(_ index: Int, now: MonotonicTime) -> Step {
        turns += 1
        groups[index].served = turns
        if !groups[index].isActive {
            groups[index].isActive = true
            overruns += skipMissedSlots(index, now: now)
            groups[index].due += .nanoseconds(groups[index].interval)
        }
        let device = devices[groups[index].device]
        // A device that comes and goes gets no retries until it has answered for as long as its last back-off.
        let isSteady = device.recoveredAt.map { now - $0 >= device.backOff } ?? true
        return .poll(device: groups[index].device, group: groups[index].number, mayRetry: isSteady)
    }

    /// Moves a group to the latest slot that is not after `now`; returns how many it left out.
    mutating func skipMissedSlots(_ index: Int, now: MonotonicTime) -> UInt64 {
        guard groups[index].due < now else { return 0 }
        let missed = (now - groups[index].due).wholeNanoseconds / groups[index].interval
        groups[index].due += .nanoseconds(missed * groups[index].interval)
        return UInt64(missed)
    }

    /// The device answered the request, be it with an exception.
    ///
    /// - Parameter finished: whether that was the last request of the group's poll.
    public mutating func answered(device: Int, group: Int, finished: Bool) {
        if finished { groups[devices[device].groups.lowerBound + group].isActive = false }
    }
}
