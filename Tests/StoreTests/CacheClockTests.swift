import Core
import Testing

@testable import Store

/// The clock of a box without a battery.
@Suite("Cache clock")
struct CacheClockTests {
    private let directory = TemporaryDirectory()
    private static let real: Int64 = 1_790_000_000_000
    private static let day: Int64 = 86_400_000

    private func open(boot: String = "first", maximumAge: Duration? = .seconds(30 * 86_400)) throws -> BreakpointCache {
        try BreakpointCache(path: directory.file("cache.db"), limits: CacheLimits(maximumAge: maximumAge), boot: boot)
    }

    private func mono(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    /// A moment of a clock that was not set: it started at 0 with the machine, or later.
    private func unset(_ milliseconds: Int64, from wall: Int64 = 0) -> Moment {
        Moment(wall: Timestamp(milliseconds: wall + milliseconds), monotonic: mono(milliseconds), isTimeKnown: false)
    }

    /// So many ms after the start of a machine that started at ``real``.
    private func set(_ milliseconds: Int64, step: Int64 = 0) -> Moment {
        Moment(wall: Timestamp(milliseconds: Self.real + milliseconds + step), monotonic: mono(milliseconds))
    }

    private func store(_ cache: BreakpointCache, _ sequence: Int64, publishedAt: Int64? = nil, at now: Moment) throws -> CacheReport {
        let message = makeMessage("t", [1], publishedAt: Timestamp(milliseconds: publishedAt ?? now.wall.milliseconds))
        return try cache.commit(
            [LaneAppend(lane: "cloud", firstSequence: sequence, messages: [message])], acknowledgements: [], now: now)
    }

    private func times(_ cache: BreakpointCache, now: Moment) throws -> [Int64] {
        try cache.readAll("cloud", now: now).messages.map { $0.message.publishedAt.milliseconds }
    }

    @Test("times from before the clock was set are corrected when it is, over a restart too")
    func corrected() throws {
        var cache = try open()
        _ = try store(cache, 1, at: unset(5000))
        _ = try store(cache, 2, at: unset(6000))
        var read = try cache.readAll("cloud", now: unset(7000)).messages
        #expect(read.map(\.isTimeUncertain) == [true, true] && read.map(\.timeCorrection) == [0, 0])
        try cache.timeBecameKnown(at: set(8000))
        _ = try store(cache, 3, at: set(9000))
        for boot in ["first", "second"] {
            read = try cache.readAll("cloud", now: set(10_000)).messages
            #expect(read.map(\.message.publishedAt.milliseconds) == [5000, 6000, 9000].map { Self.real + $0 })
            #expect(read.map(\.timeCorrection) == [Self.real, Self.real, 0] && read.allSatisfy { !$0.isTimeUncertain })
            #expect(try cache.status().lanes.first?.oldestPublishedAt == set(5000).wall)
            cache.close()
            cache = try open(boot: boot)
        }
    }

    @Test("a commit with a known time corrects as well")
    func byCommit() throws {
        let cache = try open()
        _ = try store(cache, 1, at: unset(5000))
        _ = try store(cache, 2, at: set(6000))
        #expect(try times(cache, now: set(7000)) == [Self.real + 5000, Self.real + 6000])
    }

    @Test("a clock that steps before it is right gives each stretch its own correction")
    func severalSteps() throws {
        let cache = try open()
        _ = try store(cache, 1, at: unset(5000))
        _ = try store(cache, 2, at: unset(6000, from: 500 * Self.day))
        _ = try store(cache, 3, at: unset(7000, from: 500 * Self.day + 900))
        try cache.timeBecameKnown(at: set(8000))
        #expect(try times(cache, now: set(9000)) == [5000, 6000, 7900].map { Self.real + $0 })
    }

    @Test("a message that was published before the clock was set and stored after that is corrected too")
    func publishedBefore() throws {
        let cache = try open()
        _ = try store(cache, 1, at: unset(5000))
        let messages = [5900, Self.real + 6100].map { makeMessage("t", [1], publishedAt: Timestamp(milliseconds: $0)) }
        _ = try cache.commit(
            [LaneAppend(lane: "cloud", firstSequence: 2, messages: messages)], acknowledgements: [], now: set(6200))
        #expect(try times(cache, now: set(7000)) == [5000, 5900, 6100].map { Self.real + $0 })
        #expect(try cache.status().lanes.first?.blocks == 3)
    }

    @Test("what lost its power before the time was known keeps its times, is marked, and never becomes too old")
    func neverKnown() throws {
        var cache = try open()
        _ = try store(cache, 1, at: unset(5000))
        cache.close()
        cache = try open(boot: "second")
        let report = try store(cache, 2, at: set(60 * Self.day))
        #expect(report.losses.isEmpty)
        let read = try cache.readAll("cloud", now: set(60 * Self.day)).messages
        #expect(read.map(\.isTimeUncertain) == [true, false])
        #expect(read.first?.message.publishedAt.milliseconds == 5000)
    }

    @Test("what remains of a message's life is corrected with its time")
    func expiry() throws {
        let cache = try open()
        let message = makeMessage("t", [1], expiresAt: mono(65_000), publishedAt: Timestamp(milliseconds: 5000))
        _ = try cache.commit(
            [LaneAppend(lane: "cloud", firstSequence: 1, messages: [message])], acknowledgements: [], now: unset(5000))
        try cache.timeBecameKnown(at: set(8000))
        #expect(try cache.readAll("cloud", now: set(9000)).messages.first?.message.expiresAt == mono(65_000))
    }

    @Test("without a known time blocks of this boot become too old by the monotonic clock, others do not")
    func ageWithoutTime() throws {
        var cache = try open()
        _ = try store(cache, 1, at: set(0))
        cache.close()
        cache = try open(boot: "second")
        _ = try store(cache, 2, at: unset(1000))
        #expect(try cache.commit([], acknowledgements: [], now: unset(100 * Self.day)).losses.isEmpty, "the first of the lane has no age")
        _ = try cache.acknowledge("cloud", through: 1, now: unset(1000))
        let report = try cache.commit([], acknowledgements: [], now: unset(31 * Self.day))
        #expect(report.losses.map(\.reason) == [.age])
    }

    @Test("a step forward makes nothing too old, time that passes does", arguments: [false, true])
    func stepForward(reopened: Bool) throws {
        var cache = try open()
        _ = try store(cache, 1, at: set(0))
        let step = 40 * Self.day
        #expect(try store(cache, 2, at: set(1000, step: step)).losses.isEmpty)
        if reopened {
            cache.close()
            cache = try open(boot: "second")
        }
        #expect(try cache.commit([], acknowledgements: [], now: set(2000, step: step)).losses.isEmpty)
        #expect(try cache.commit([], acknowledgements: [], now: set(29 * Self.day, step: step)).losses.isEmpty)
        let report = try cache.commit([], acknowledgements: [], now: set(31 * Self.day, step: step))
        #expect(report.losses.map(\.messages) == [1], "the first, and the second is younger")
        // The step is forgotten with the last block from before it.
        #expect(try cache.commit([], acknowledgements: [], now: set(32 * Self.day, step: step)).losses.map(\.reason) == [.age])
    }

    @Test("a clock more than a year ahead has a day in which it may be put right")
    func farAhead() throws {
        var cache = try open()
        _ = try store(cache, 1, at: set(0))
        cache.close()
        cache = try open(boot: "second")
        let years = 3 * 365 * Self.day
        #expect(try cache.commit([], acknowledgements: [], now: set(1000, step: years)).losses.isEmpty)
        #expect(try cache.commit([], acknowledgements: [], now: set(Self.day / 2, step: years)).losses.isEmpty)
        #expect(try cache.commit([], acknowledgements: [], now: set(Self.day / 2 + 1000)).losses.isEmpty, "put right")
        #expect(cache.clock.latest == Self.real + Self.day / 2 + 1000)
    }

    @Test("a box that was off for more than a year drops what is too old after a day")
    func longOff() throws {
        var cache = try open()
        _ = try store(cache, 1, at: set(0))
        cache.close()
        cache = try open(boot: "second")
        let years = 3 * 365 * Self.day
        _ = try store(cache, 2, at: set(1000, step: years))
        #expect(try cache.commit([], acknowledgements: [], now: set(Self.day, step: years)).losses.isEmpty)
        #expect(try store(cache, 3, at: set(Self.day + 2000, step: years)).losses.map(\.messages) == [1])
    }

    @Test("the latest time outlives a restart, within an hour")
    func latest() async throws {
        let storage = try Storage(directory: directory.path, now: set(0).wall)
        #expect(storage.latestTime == nil)
        let append = LaneAppend(lane: "cloud", firstSequence: 1, messages: [makeMessage("t", [1])])
        _ = try await storage.commit(CommitBatch(appends: [append]), now: set(1000))
        await storage.close()
        let again = try Storage(directory: directory.path, now: set(2000).wall)
        #expect(again.latestTime == set(1000).wall)
        await again.close()
    }
}
