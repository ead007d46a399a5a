import Core
import Testing

@Suite("Clock watch")
struct ClockWatchTests {
    private static let now: Int64 = 1_790_000_000_000
    private static let year: Int64 = 365 * 86_400_000

    private func wall(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }
    private func mono(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    @Test("a clock that starts in 1970 is not known until it is set")
    func unknown() {
        var watch = ClockWatch(latest: nil, wall: wall(5000), monotonic: mono(5000))
        #expect(!watch.isTimeKnown)
        #expect(watch.look(wall: wall(6000), monotonic: mono(6000)) == .none)
        #expect(watch.look(wall: wall(Self.now), monotonic: mono(7000)) == .becameKnown)
        #expect(watch.isTimeKnown && watch.latest == wall(Self.now))
        #expect(watch.look(wall: wall(Self.now + 1000), monotonic: mono(8000)) == .none)
    }

    @Test("a clock that starts where the box was switched off is not known if that is more than a day back")
    func sinceLastTime() {
        #expect(ClockWatch(latest: wall(Self.now), wall: wall(Self.now - 80_000_000), monotonic: .zero).isTimeKnown)
        #expect(!ClockWatch(latest: wall(Self.now), wall: wall(Self.now - 90_000_000), monotonic: .zero).isTimeKnown)
        #expect(!ClockWatch(latest: nil, wall: wall(ClockWatch.earliestTime.milliseconds - 1), monotonic: .zero).isTimeKnown)
        #expect(ClockWatch(latest: nil, wall: ClockWatch.earliestTime, monotonic: .zero).isTimeKnown)
    }

    @Test("a step is told from an adjustment by a second", arguments: [(900, false), (-900, false), (1100, true), (-1100, true)])
    func steps(milliseconds: Int64, isStep: Bool) {
        var watch = ClockWatch(latest: nil, wall: wall(Self.now), monotonic: mono(0))
        let change = watch.look(wall: wall(Self.now + 1000 + milliseconds), monotonic: mono(1000))
        #expect(change == (isStep ? .stepped(milliseconds: milliseconds) : .none))
        // What it was adjusted by does not add up.
        #expect(watch.look(wall: wall(Self.now + 2000 + 2 * milliseconds), monotonic: mono(2000)) == change)
    }

    @Test("a clock that is set before it was known has stepped, and one that is set back too far is unknown again")
    func others() {
        var watch = ClockWatch(latest: nil, wall: wall(0), monotonic: mono(0))
        #expect(watch.look(wall: wall(90_001_000), monotonic: mono(1000)) == .stepped(milliseconds: 90_000_000))
        #expect(watch.look(wall: wall(Self.now), monotonic: mono(2000)) == .becameKnown)
        #expect(watch.look(wall: wall(3000), monotonic: mono(3000)) == .becameUnknown)
    }

    @Test("a clock that was far ahead does not make the right one look wrong")
    func farAhead() {
        var watch = ClockWatch(latest: wall(Self.now), wall: wall(Self.now + 5 * Self.year), monotonic: mono(0))
        #expect(watch.latest == wall(Self.now))
        #expect(watch.look(wall: wall(Self.now + 1000), monotonic: mono(1000)) == .stepped(milliseconds: -5 * Self.year))
        #expect(watch.isTimeKnown)
    }

    @Test("times at the ends of their range are no trap")
    func extremes() {
        for latest in [nil, wall(.min), wall(.max)] {
            for time in [Int64.min, 0, .max] {
                var watch = ClockWatch(latest: latest, wall: wall(time), monotonic: .distantFuture)
                _ = watch.look(wall: wall(.min), monotonic: .zero)
                _ = watch.look(wall: wall(.max), monotonic: .distantFuture)
            }
        }
    }
}
