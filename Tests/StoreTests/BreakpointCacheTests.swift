import Core
import TestSupport
import Testing

@testable import Store

@Suite("Breakpoint cache")
struct BreakpointCacheTests {
    private let directory = TemporaryDirectory()

    private func open(_ limits: CacheLimits = CacheLimits()) throws -> BreakpointCache {
        try BreakpointCache(path: directory.file("cache.db"), limits: limits)
    }

    @Test("messages come out in the order in which they went in, over a restart")
    func order() throws {
        var cache = try open(CacheLimits(blockBytes: 500))
        for first in stride(from: 1, to: 1000, by: 100) { _ = try cache.append("cloud", first...first + 99) }
        cache.close()
        cache = try open()
        for count in [1, 7, 100, 5000] {
            let reading = try cache.readAll("cloud", count: count)
            #expect(reading.contents == makeMessages(1...1000).map(MessageContent.init))
            #expect(reading.sequences == Array(1...1000))
        }
    }

    @Test("a read stops at its limit of bytes, but gives one message at least")
    func byteLimit() throws {
        let cache = try open()
        _ = try cache.append("cloud", 1...100, size: 100)
        let one = try cache.read(lane: "cloud", from: 1, maximumCount: 100, maximumBytes: 1, now: start)
        #expect(one.sequences == [1] && one.nextSequence == 2)
        let some = try cache.read(lane: "cloud", from: 2, maximumCount: 100, maximumBytes: 1000, now: start)
        #expect(some.sequences == Array(2...10))
        #expect(try cache.readAll("cloud", from: some.nextSequence).sequences == Array(11...100))
    }

    @Test("an acknowledgement outlives a restart, and whole blocks behind it are deleted")
    func acknowledge() throws {
        var cache = try open()
        for first in [1, 11, 21] { _ = try cache.append("cloud", first...first + 9) }
        _ = try cache.acknowledge("cloud", through: 15)
        cache.close()
        cache = try open()
        let status = try #require(try cache.status().lanes.first)
        #expect(status.acknowledgedSequence == 15 && status.firstSequence == 16 && status.lastSequence == 30)
        #expect(status.messages == 15 && status.blocks == 2)
        #expect(try cache.readAll("cloud", from: 1).sequences == Array(16...30))
        #expect(try cache.database.integer("SELECT count(*) FROM block") == 2)
    }

    @Test("a sequence is never used again, even when the lane was empty at a restart")
    func sequences() throws {
        var cache = try open()
        _ = try cache.append("cloud", 1...10)
        _ = try cache.acknowledge("cloud", through: 10)
        cache.close()
        cache = try open()
        let status = try #require(try cache.status().lanes.first)
        #expect(status.lastSequence == 10 && status.messages == 0 && status.firstSequence == nil && status.bytes == 0)
        #expect(try cache.append("cloud", 1...12).appended == 2)
        #expect(try cache.readAll("cloud").sequences == [11, 12])
    }

    @Test("an acknowledgement beyond the last message does not use up sequences")
    func acknowledgeTooFar() throws {
        let cache = try open()
        _ = try cache.append("cloud", 1...10)
        _ = try cache.acknowledge("cloud", through: .max)
        #expect(try cache.status().lanes.first?.lastSequence == 10)
        _ = try cache.acknowledge("cloud", through: .min)
        #expect(try cache.status().lanes.first?.acknowledgedSequence == 10)
    }

    @Test("messages that are there already are skipped")
    func repeatedAppend() throws {
        let cache = try open()
        #expect(try cache.append("cloud", 1...10).appended == 10)
        #expect(try cache.append("cloud", 1...10).appended == 0)
        #expect(try cache.append("cloud", 5...15).appended == 5)
        #expect(try cache.readAll("cloud").contents == makeMessages(1...15).map(MessageContent.init))
    }

    @Test("a sequence that no lane can have is an error, not a trap", arguments: [Int64.min, 0, 1 << 51, .max])
    func impossibleSequence(first: Int64) throws {
        let cache = try open()
        #expect(throws: StoreError.self) {
            try cache.commit(
                [LaneAppend(lane: "cloud", firstSequence: first, messages: makeMessages(1...3))], acknowledgements: [],
                now: start)
        }
    }

    @Test("lanes do not mix")
    func lanes() throws {
        var cache = try open()
        for number in 1...5 { _ = try cache.append("lane \(number)", 1...number * 10) }
        _ = try cache.acknowledge("lane 3", through: 30)
        cache.close()
        cache = try open()
        for number in [1, 2, 4, 5] { #expect(try cache.readAll("lane \(number)").messages.count == number * 10) }
        #expect(try cache.readAll("lane 3").messages.isEmpty)
        _ = try cache.commit([], acknowledgements: [], removals: ["lane 2"], now: start)
        #expect(try cache.readAll("lane 2").messages.isEmpty)
        #expect(try cache.readAll("lane 4").messages.count == 40)
        #expect(try cache.append("lane 2", 1...3).appended == 3)
    }

    @Test("properties, quality of service, retain, time and remaining life are kept")
    func fields() throws {
        let cache = try open()
        let message = makeMessage(
            "t", [], properties: [1, 1], qos: .exactlyOnce, retain: true, expiresAt: start.monotonic + .seconds(60),
            publishedAt: Timestamp(milliseconds: -7))
        _ = try cache.commit(
            [LaneAppend(lane: "cloud", firstSequence: 1, messages: [message])], acknowledgements: [], now: start)
        let later = Moment(wall: start.after(.seconds(45)).wall, monotonic: .zero)
        let read = try #require(try cache.readAll("cloud", now: later).messages.first?.message)
        #expect(read.expiresAt == .zero + .seconds(15))
        #expect(read.topic == "t" && read.payload.isEmpty && read.withProperties { Array($0) } == [1, 1])
        #expect(read.qos == .exactlyOnce && read.retain && read.publishedAt.milliseconds == -7)
    }

    @Test("a message greater than a block has a block of its own")
    func greatMessage() throws {
        let cache = try open()
        let great = makeMessage("great", [UInt8](repeating: 7, count: 3 << 20))
        let messages = makeMessages(1...2) + [great] + makeMessages(4...5)
        _ = try cache.commit(
            [LaneAppend(lane: "cloud", firstSequence: 1, messages: messages)], acknowledgements: [], now: start)
        #expect(try cache.status().lanes.first?.blocks == 3)
        #expect(try cache.readAll("cloud").contents == messages.map(MessageContent.init))
    }

    @Test("what was dropped does not come back, nor do its sequences, when the lane is empty at a restart")
    func droppedLane() throws {
        var cache = try open(CacheLimits(maximumAge: .seconds(60)))
        _ = try cache.append("cloud", 1...10)
        _ = try cache.commit([], acknowledgements: [], now: start.after(.seconds(3600)))
        cache.close()
        cache = try open()
        #expect(try cache.status().lanes.first?.lastSequence == 10)
        #expect(try cache.status().lanes.first?.acknowledgedSequence == 10)
        #expect(try cache.append("cloud", 5...12).appended == 2)
    }

    @Test("space of deleted blocks is used again")
    func space() throws {
        let cache = try open()
        var sizes: [Int64] = []
        for round in 0..<30 {
            _ = try cache.append("cloud", round * 500 + 1...round * 500 + 500, size: 100)
            _ = try cache.acknowledge("cloud", through: Int64(round * 500 + 500))
            sizes.append(try cache.status().fileBytes)
        }
        #expect(sizes[29] == sizes[1])
    }

    @Test("the cache behaves as a list would", arguments: 1...20)
    func model(seed: UInt64) throws {
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        var random = SeededRandom(seed: seed)
        let limits = CacheLimits(blockBytes: Int.random(in: 100...3000, using: &random))
        var cache = try BreakpointCache(path: directory.file("cache.db"), limits: limits)
        var last = 0
        var acknowledged: Int64 = 0
        var from: Int64 = 1
        for _ in 0..<60 {
            switch random.next() % 5 {
            case 0, 1:
                let count = Int.random(in: 1...60, using: &random)
                _ = try cache.append("cloud", last + 1...last + count)
                last += count
            case 2 where last > 0:
                acknowledged = max(acknowledged, Int64.random(in: 0...Int64(last), using: &random))
                _ = try cache.acknowledge("cloud", through: acknowledged)
            case 3:
                cache.close()
                cache = try BreakpointCache(path: directory.file("cache.db"), limits: limits)
                from = 1
            default:
                let count = Int.random(in: 1...50, using: &random)
                let reading = try cache.read(lane: "cloud", from: from, maximumCount: count, maximumBytes: 900, now: start)
                let first = max(from, acknowledged + 1)
                #expect(reading.sequences == Array(first..<first + Int64(reading.messages.count)), "seed \(seed)")
                #expect(reading.messages.isEmpty == (first > Int64(last)), "seed \(seed)")
                from = reading.nextSequence
            }
            if last > 0 {
                let status = try #require(try cache.status().lanes.first)
                #expect(status.messages == Int64(last) - acknowledged, "seed \(seed)")
                let bytes = try cache.database.integer("SELECT ifnull(sum(length(data) + 48), 0) FROM block")
                #expect(status.bytes == bytes, "seed \(seed)")
                #expect(status.blocks == (try cache.database.integer("SELECT count(*) FROM block")), "seed \(seed)")
            }
        }
        let expected = Int(acknowledged) < last ? makeMessages(Int(acknowledged) + 1...last) : []
        #expect(try cache.readAll("cloud").contents == expected.map(MessageContent.init), "seed \(seed)")
    }
}

@Suite("Journal policy")
struct JournalPolicyTests {
    @Test("large commits in a row change to the journal of old pages, small ones back to the WAL")
    func change() {
        var policy = JournalPolicy()
        for _ in 0..<7 { #expect(policy.next(afterAdding: 100_000) == .wal) }
        #expect(policy.next(afterAdding: 100_000) == .persist)
        for _ in 0..<7 { #expect(policy.next(afterAdding: 2000) == .persist) }
        #expect(policy.next(afterAdding: 2000) == .wal)
    }

    @Test("commits of changing size change nothing")
    func mixed() {
        var policy = JournalPolicy()
        for number in 0..<100 { #expect(policy.next(afterAdding: number % 7 == 0 ? 2000 : 100_000) == .wal) }
    }
}
