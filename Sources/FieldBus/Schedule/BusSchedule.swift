public import Core

// Which request a bus makes next. Knows devices, their polling groups and time; knows nothing of the protocol.
//
// Groups lie on a fixed grid: a group with interval i is due at p, p + i, p + 2i… however late a poll was, and once at the start. A
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
// A request of a good device that goes unanswered is tried again; the device is dead when its last try has failed. A dead
// device is only probed: a single request without retries. A try is a retry or a probe; either may cost a whole response
// time-out. Other devices keep their intervals, because
//   1. between two tries, of one device or of two, each group that is due has a turn of one request, and
//   2. a probe runs in the idle time before the next poll if it fits there, and if it never fits, waits for `probePatience`,
//      and
//   3. all probes that fail together take at most a quarter of the time: after one that took t, none for 3t.
// So a request is never later than one response time-out because of devices that are known not to answer, however many
// there are. (Nobody knows it before the first request that goes unanswered, which has the turn of any other.)
//
// Tries do not starve either: there is no more than that one round of turns between two of them, the retry that has waited
// longest goes first, and of a probe and a retry that both wait, the kind that did not go last. With nothing else due they
// follow each other without a pause. With r retries, a time-out of t and rounds that take at most p, a device that falls
// silent alone is bad (r + 1)t + rp after its first try; each dead device's probe in between adds t + p, and s devices that
// fall silent together take s times as long.

/// The schedule of one bus. A value that takes time as an argument and does no I/O.
public struct BusSchedule: ~Copyable {
    /// One device, for ``init(devices:maxBackOff:start:)``.
    public struct Device: Sendable {
        /// Interval of each of its polling groups.
        public var intervals: [Duration]
        /// How long a probe takes if the device does not answer: its response time-out.
        public var probeCost: Duration
        /// How many times a request that goes unanswered is tried again before the device is dead.
        public var retries: Int

        public init(intervals: [Duration], probeCost: Duration, retries: Int) {
            self.intervals = intervals
            self.probeCost = probeCost
            self.retries = retries
        }
    }

    /// What to do next.
    public enum Step: Sendable, Hashable {
        /// Make the next request of this group's poll, once; the same one again if it went unanswered.
        case poll(device: Int, group: Int)
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
        /// Its last turn, as a number that grows.
        var served: UInt64 = 0
    }

    struct DeviceState {
        let probeCost: Duration
        let retries: Int
        let groups: Range<Int>
        /// A request that went unanswered and is tried again; nil when there is none. No other group of the device has a
        /// turn meanwhile.
        var retry: Retry?
        /// Asked nothing new before then, only the same again.
        var heldUntil = MonotonicTime.zero
        /// nil while the device answers.
        var reason: QualityReason?
        var retryAt = MonotonicTime.zero
        var backOff = Duration.zero
        var reportedAt = MonotonicTime.zero
        /// When it answered again after a failure.
        var recoveredAt: MonotonicTime?

        /// When a dead device may be probed at the earliest.
        var probeAt: MonotonicTime { max(retryAt, heldUntil) }
    }

    var groups: [Group] = []
    var devices: [DeviceState] = []
    let maxBackOff: Duration
    var deadCount = 0
    /// The turn of the last try. A group that is due and had its own before is owed one before the next try.
    var lastTry: UInt64 = 0
    var lastTryWasProbe = false
    var probesAllowedFrom = MonotonicTime.zero
    /// The last turn.
    var turns: UInt64 = 1
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
            self.devices.append(DeviceState(probeCost: device.probeCost, retries: device.retries, groups: first..<groups.count))
        }
    }

    /// Has every group begin at `start` and go on with a grid of its own phase.
    ///
    /// - Parameter phase: which part of each interval after `start` the grid lies, more than 0, at most 1. Buses with different
    ///   ones do not all ask at the same moment.
    public mutating func begin(at start: MonotonicTime, phase: Double = 1) {
        for index in groups.indices {
            let interval = groups[index].interval
            let offset = min(max(Int64(phase * Double(interval)), 1), interval)
            // The slot before the first of the grid: due already, and not missed yet.
            groups[index].due = start + .nanoseconds(offset - interval)
        }
    }

    /// The phase of a bus, from its name.
    public static func phase(_ name: String) -> Double {
        // FNV-1a, and then a mix, because names differ in their last letter.
        var hash = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        hash ^= hash >> 33
        hash = hash &* 0xFF51_AFD7_ED55_8CCD
        hash ^= hash >> 33
        return Double((hash >> 11) + 1) / Double(1 << 53 as UInt64)
    }

    /// The next step. After `.poll` the caller reports ``answered(device:group:finished:)`` or
    /// ``unanswered(device:group:lineIsDown:now:)``, after `.probe` ``recovered(device:now:)`` or
    /// ``failed(device:reason:started:now:)``.
    public mutating func next(now: MonotonicTime) -> Step {
        var poll: Int?
        var retry: Int?
        var nextDue = MonotonicTime.distantFuture
        for index in groups.indices where devices[groups[index].device].reason == nil {
            if let waiting = devices[groups[index].device].retry {
                guard waiting.group == index else { continue }
                // Nobody else could use the line.
                if waiting.lineIsDown { return serve(retry: index) }
                if retry.map({ groups[index].served < groups[$0].served }) ?? true { retry = index }
                continue
            }
            let held = devices[groups[index].device].heldUntil
            let from = groups[index].isActive ? held : max(groups[index].due, held)
            if from <= now {
                if poll.map({ groups[index].served < groups[$0].served }) ?? true { poll = index }
            } else {
                nextDue = min(nextDue, from)
            }
        }
        let turnIsOwed = poll.map { groups[$0].served < max(lastTry, retry.map { groups[$0].served } ?? 0) } ?? false
        var probe: Probe?
        if deadCount > 0, !turnIsOwed, retry == nil || !lastTryWasProbe {
            probe = nextProbe(now: now, pollIsDue: poll != nil || retry != nil, nextDue: nextDue)
        }
        if case .now(let device) = probe {
            noteTry(isProbe: true)
            return .probe(device: device)
        }
        if let retry, !turnIsOwed { return serve(retry: retry) }
        if let poll { return serve(poll, now: now) }
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
        return .poll(device: groups[index].device, group: groups[index].number)
    }

    private mutating func serve(retry index: Int) -> Step {
        noteTry(isProbe: false)
        groups[index].served = turns
        return .poll(device: groups[index].device, group: groups[index].number)
    }

    mutating func noteTry(isProbe: Bool) {
        turns += 1
        lastTry = turns
        lastTryWasProbe = isProbe
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
        devices[device].retry = nil
        if finished { groups[devices[device].groups.lowerBound + group].isActive = false }
    }
}
