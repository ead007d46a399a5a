import Core
import Testing

@testable import Store

@Suite("Purging the cache")
struct CachePurgeTests {
    private func message(_ number: Int, at time: Int64) -> Message {
        Message.create(
            topic: "t", payload: Array("\(number)".utf8), qos: .atLeastOnce, publishedAt: Timestamp(milliseconds: time))
    }

    /// A cache with two lanes, of which "a" has a block for each of the times.
    private func storage(_ directory: TemporaryDirectory, times: [Int64]) async throws -> Storage {
        let storage = try Storage(
            directory: directory.path, limits: CacheLimits(maximumBytes: 1 << 20, maximumAge: nil), now: Timestamp(milliseconds: 0))
        for (index, time) in times.enumerated() {
            let first = Int64(2 * index + 1)
            _ = try await storage.commit(
                CommitBatch(appends: [
                    LaneAppend(lane: "a/5#1", firstSequence: first, messages: [message(1, at: time), message(2, at: time + 10)]),
                    LaneAppend(lane: "b/5#1", firstSequence: Int64(index + 1), messages: [message(3, at: time)]),
                ]), now: moment)
        }
        return storage
    }

    private let moment = Moment(wall: Timestamp(milliseconds: 1_800_000_000_000), monotonic: .zero)

    @Test("everything of a lane goes, is counted with its time span, and other lanes keep theirs")
    func all() async throws {
        let directory = TemporaryDirectory()
        let storage = try await storage(directory, times: [1000, 2000, 3000])
        let purged = try await storage.purge(["a/5#1", "unknown"], publishedBefore: nil, now: moment)
        #expect(purged.losses.map(\.messages) == [6] && purged.losses[0].reason == .purged)
        #expect(purged.losses[0].oldest.milliseconds == 1000 && purged.losses[0].newest.milliseconds == 3010)
        #expect(purged.lanes.map(\.messages) == [0, 3])
        await storage.close()
    }

    @Test("with an age only the blocks go whose messages are all older")
    func age() async throws {
        let directory = TemporaryDirectory()
        let storage = try await storage(directory, times: [1000, 2000, 3000])
        let purged = try await storage.purge(["a/5#1"], publishedBefore: Timestamp(milliseconds: 2005), now: moment)
        #expect(purged.losses.map(\.messages) == [2])
        let left = try await storage.read(lane: "a/5#1", from: 1, maximumCount: 10, maximumBytes: 1 << 20, now: moment)
        #expect(left.messages.map(\.sequence) == [3, 4, 5, 6])
        #expect(try await storage.purge(["a/5#1"], publishedBefore: Timestamp(milliseconds: 5), now: moment).losses.isEmpty)
        await storage.close()
    }

    @Test("what was purged is gone after a restart, and the lane goes on counting")
    func restart() async throws {
        let directory = TemporaryDirectory()
        var storage = try await storage(directory, times: [1000])
        _ = try await storage.purge(["a/5#1"], publishedBefore: nil, now: moment)
        await storage.close()
        storage = try Storage(
            directory: directory.path, limits: CacheLimits(maximumBytes: 1 << 20, maximumAge: nil), now: Timestamp(milliseconds: 0))
        let lane = try #require(try await storage.laneStatus("a/5#1"))
        #expect(lane.messages == 0 && lane.lastSequence == 2)
        await storage.close()
    }
}
