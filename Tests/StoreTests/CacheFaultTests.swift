import CStorageFaults
import Core
import Testing

@testable import Store

/// As ``FaultTests``, while the cache does what it does seldom: it thins, compresses, forgets a lane, does not know the time.
@Suite("Failing disk under a full cache")
struct CacheFaultTests {
    private let limits = CacheLimits(
        maximumBytes: 9000, routes: ["thin": RoutePolicy(priority: 1, whenFull: .thin), "keep": RoutePolicy(priority: 9)],
        blockBytes: 1500, compression: .zstd)

    private func open(_ directory: TemporaryDirectory, _ faults: Faults, _ mode: Database.JournalMode) throws -> BreakpointCache {
        let cache = try BreakpointCache(path: directory.file("cache.db"), limits: limits, boot: "this", vfs: faults.name)
        cache.journal = JournalPolicy(mode: mode)
        return cache
    }

    /// Messages that do not become much smaller.
    private func messages(_ range: ClosedRange<Int>) -> [Message] {
        range.map { number in
            var state = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
            let payload = (0..<60).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56) & 0x3F
            }
            return makeMessage("sys/\(number % 7)/post", payload, publishedAt: Timestamp(milliseconds: Int64(number)))
        }
    }

    private func commit(_ cache: BreakpointCache, _ round: Int) throws {
        let first = round * 20 + 1
        // The clock starts at 0 and is set before the seventh commit.
        let mono = MonotonicTime(nanoseconds: 1_000_000_000)
        let now =
            round < 6
            ? Moment(wall: Timestamp(milliseconds: 1000), monotonic: mono, isTimeKnown: false)
            : Moment(wall: start.wall, monotonic: mono)
        _ = try cache.commit(
            [
                LaneAppend(lane: "thin#1", firstSequence: Int64(first), messages: messages(first...first + 19)),
                LaneAppend(lane: "keep#\(round)", firstSequence: 1, messages: messages(1...3)),
            ],
            acknowledgements: [LaneAcknowledgement(lane: "thin#1", through: Int64(round))],
            removals: round >= 2 ? ["keep#\(round - 2)"] : [], now: now)
    }

    /// False when nothing has failed.
    private func run(_ mode: Database.JournalMode, fail: (Faults) -> Void, stop: (Faults) -> Bool) throws -> Bool {
        let faults = Faults()
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime((directory, faults)) {} }
        var failed = false
        var cache = try open(directory, faults, mode)
        for round in 0..<12 {
            fail(faults)
            do {
                try commit(cache, round)
                failed = stop(faults) || failed
            } catch {
                cache.close()
                #expect(stop(faults))
                failed = true
                cache = try open(directory, faults, mode)
                #expect((cache.lanes.first { $0.name == "thin#1" }?.last ?? 0) >= round * 20)
                try commit(cache, round)
            }
        }
        for _ in 0..<2 {
            let reading = try cache.readAll("thin#1")
            let sequences = reading.sequences
            #expect(reading.damagedMessages == 0 && sequences == sequences.sorted() && Set(sequences).count == sequences.count)
            #expect((sequences.first ?? 0) > 11 && sequences.last == 240)
            #expect(Set(sequences.map { $0 % 7 }).count == 7)
            for cached in reading.messages {
                let expected = messages(Int(cached.sequence)...Int(cached.sequence))[0]
                #expect(cached.message.topic == expected.topic && cached.message.payload == expected.payload)
                // Corrected by what the clock that gave them their times was wrong by.
                #expect(cached.timeCorrection == start.wall.milliseconds - 1000 && !cached.isTimeUncertain)
            }
            #expect(try cache.readAll("keep#11").messages.count == 3)
            #expect(Set(cache.lanes.map(\.name)) == ["thin#1", "keep#10", "keep#11"])
            let status = try cache.status()
            #expect(status.lanes.first { $0.lane == "thin#1" }?.messages == Int64(sequences.count))
            let rows = try cache.database.integer("SELECT sum(length(data) + 48) FROM block")
            #expect(status.bytes == rows)
            cache.close()
            cache = try open(directory, faults, mode)
        }
        cache.close()
        return failed
    }

    @Test(
        "the Nth failing write, sync, truncation or deletion loses nothing",
        arguments: [Database.JournalMode.wal, .persist], [false, true])
    func disk(mode: Database.JournalMode, sticky: Bool) throws {
        for nth in 1...10_000 {
            let failed = try run(mode) { faults in
                faults.fail(everyWriting, nth: nth, sticky: sticky)
            } stop: { faults in
                defer { faults.stopFailing() }
                return faults.failures > 0
            }
            guard failed else { return #expect(nth > 10) }
        }
        Issue.record("something fails for ever")
    }

    @Test("the Nth failing allocation loses nothing")
    func memory() throws {
        for nth in stride(from: 1, to: 10_000, by: 7) {
            let failed = try run(.wal) { _ in
                storage_memory_fail(nth)
            } stop: { _ in
                defer { storage_memory_fail(0) }
                return storage_memory_failed() != 0
            }
            guard failed else { return #expect(nth > 10) }
        }
        Issue.record("something fails for ever")
    }
}
