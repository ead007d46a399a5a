import Core
import TestSupport
import Testing

@testable import Store

@Suite("Damaged blocks")
struct CacheDamageTests {
    private let directory = TemporaryDirectory()
    /// Does not sync, which nothing here is about.
    private let disk = Faults()

    private func open() throws -> BreakpointCache {
        try BreakpointCache(path: directory.file("cache.db"), limits: CacheLimits(), vfs: disk.name)
    }

    private func key(_ sequence: Int64) -> Int64 { CacheKey.key(lane: 1, sequence: sequence) }

    @Test("a damaged block is skipped, counted and kept, the others survive", arguments: 0..<5)
    func damagedBlock(damaged: Int) throws {
        var cache = try open()
        for block in 0..<5 { _ = try cache.append("cloud", block * 10 + 1...block * 10 + 10) }
        let key = key(Int64(damaged * 10 + 1))
        try cache.database.execute("UPDATE block SET data = zeroblob(length(data)) WHERE id = \(key)")
        let reading = try cache.readAll("cloud")
        #expect(reading.damagedMessages == 10)
        #expect(reading.sequences == (1...50).filter { ($0 - 1) / 10 != Int64(damaged) })
        #expect(reading.nextSequence == 51)
        let losses = try cache.commit([], acknowledgements: [], now: start).losses
        #expect(losses.map(\.reason) == [.damaged] && losses.first?.messages == 10)
        #expect(losses.first?.oldest == start.after(.milliseconds(damaged * 10 + 1)).wall)
        for _ in 0..<2 {
            let status = try cache.status()
            #expect(status.damagedBlocks == 1 && status.damagedMessages == 10)
            #expect(status.lanes.first?.messages == 40 && status.lanes.first?.blocks == 4 && status.lanes.first?.lastSequence == 50)
            #expect(status.bytes == (try cache.database.integer("SELECT sum(length(data) + 48) FROM block")))
            #expect(try cache.database.integer("SELECT id FROM damaged") == key)
            cache.close()
            cache = try open()
        }
        #expect(try cache.readAll("cloud").damagedMessages == 0)
        _ = try cache.acknowledge("cloud", through: 50)
        #expect(try cache.status().lanes.first?.blocks == 0 && cache.status().bytes == 0)
    }

    @Test("a row whose last sequence is wrong does not hide the blocks behind it")
    func damagedRow() throws {
        let cache = try open()
        for block in 0..<5 { _ = try cache.append("cloud", block * 10 + 1...block * 10 + 10) }
        try cache.database.execute("UPDATE block SET last = 4000 WHERE id = \(key(21))")
        let reading = try cache.readAll("cloud")
        #expect(reading.sequences == Array(1...20) + Array(31...50))
        #expect(reading.damagedMessages == 10)
        #expect(try cache.status().lanes.first?.messages == 40)
    }

    @Test("sums stay right while blocks anywhere are found damaged and others are acknowledged", arguments: 1...20)
    func sums(seed: UInt64) throws {
        let directory = TemporaryDirectory()
        var random = SeededRandom(seed: seed)
        var cache = try BreakpointCache(path: directory.file("cache.db"), limits: CacheLimits(), vfs: disk.name)
        for block in 0..<30 { _ = try cache.append("cloud", block * 10 + 1...block * 10 + 10) }
        for _ in 0..<12 {
            let damaged = Int.random(in: 0..<30, using: &random) * 10 + 1
            try cache.database.execute("UPDATE block SET data = zeroblob(length(data)) WHERE id = \(key(Int64(damaged)))")
            _ = try cache.readAll("cloud")
            if random.next() % 3 == 0 {
                let acknowledged = cache.lanes[0].acknowledged + Int64.random(in: 0...30, using: &random)
                _ = try cache.acknowledge("cloud", through: acknowledged)
            }
            if random.next() % 4 == 0 {
                cache.close()
                cache = try BreakpointCache(path: directory.file("cache.db"), limits: CacheLimits(), vfs: disk.name)
            }
            let status = try #require(try cache.status().lanes.first)
            #expect(status.messages == Int64(try cache.readAll("cloud").messages.count), "seed \(seed)")
            #expect(status.bytes == (try cache.database.integer("SELECT ifnull(sum(length(data) + 48), 0) FROM block")), "seed \(seed)")
            #expect(status.lastSequence == 300, "seed \(seed)")
        }
        withExtendedLifetime(directory) {}
    }

    @Test("only the newest damaged blocks are kept, all are counted")
    func bounded() throws {
        let cache = try open()
        for block in 0..<100 { _ = try cache.append("cloud", block * 10 + 1...block * 10 + 10) }
        try cache.database.execute("UPDATE block SET data = zeroblob(length(data))")
        #expect(try cache.readAll("cloud").damagedMessages == 1000)
        #expect(try cache.database.integer("SELECT count(*) FROM damaged") == 64)
        let status = try cache.status()
        #expect(status.damagedBlocks == 100 && status.damagedMessages == 1000)
        #expect(try cache.append("cloud", 1001...1001).appended == 1, "no sequence is used twice")
        #expect(try cache.readAll("cloud").sequences == [1001])
    }
}

@Suite("Salvage")
struct CacheSalvageTests {
    /// A cache of 400 blocks of 10 messages, closed; the bytes of its file.
    private func makeFile(in directory: TemporaryDirectory) throws -> [UInt8] {
        let disk = Faults()
        defer { withExtendedLifetime(disk) {} }
        let cache = try BreakpointCache(path: directory.file("cache.db"), limits: CacheLimits(), vfs: disk.name)
        for block in 0..<400 { _ = try cache.append("cloud#1", block * 10 + 1...block * 10 + 10, size: 60) }
        _ = try cache.append("other", 1...10)
        _ = try cache.acknowledge("cloud#1", through: 15)
        cache.close()
        return directory.read("cache.db")
    }

    @Test("a page that is gone costs its own blocks and no others", arguments: 1...20)
    func onePage(seed: UInt64) async throws {
        let directory = TemporaryDirectory()
        var bytes = try makeFile(in: directory)
        var random = SeededRandom(seed: seed)
        // A page of the tree has kind 5 or 13, a leaf 13; overflow pages begin with the number of the next.
        let leaves = (20..<bytes.count / 1024).filter { bytes[$0 * 1024] == 13 }
        let page = try #require(leaves.randomElement(using: &random))
        for index in 0..<1024 { bytes[page * 1024 + index] = 0xFF }
        directory.write(bytes, to: "cache.db")
        let disk = Faults()
        defer { withExtendedLifetime((disk, directory)) {} }
        let storage = try Storage(directory: directory.path, limits: CacheLimits(), now: start.wall, vfs: disk.name)
        var alarms = storage.alarms
        var sequences: [Int64] = []
        var next: Int64 = 0
        while next <= 4000 {
            do {
                let reading = try await storage.read(lane: "cloud#1", from: next, maximumCount: 100, maximumBytes: .max, now: start)
                sequences += reading.sequences
                next = reading.nextSequence
            } catch {
                let found = try await storage.replaceDamagedFiles(now: start.wall)
                #expect(found.count == 1, "seed \(seed): \(error)")
                alarms += found
            }
            if alarms.count > 1 { break }
        }
        #expect(alarms.count == 1, "seed \(seed)")
        #expect((alarms.first?.salvagedMessages ?? 0) > 3900, "seed \(seed)")
        #expect(sequences.count > 3900 && sequences == sequences.sorted() && Set(sequences).count == sequences.count, "seed \(seed)")
        let status = try #require(try await storage.laneStatus("cloud#1"))
        #expect(status.acknowledgedSequence == 15 && status.lastSequence == 4000, "seed \(seed)")
        #expect(try await storage.laneStatus("other")?.messages == 10, "seed \(seed)")
        await storage.close()
    }
}
