import Core
import Glibc
import TestSupport
import Testing

@testable import Store

@Suite("Storage")
struct StorageTests {
    private let directory = TemporaryDirectory()

    private func open(_ now: Timestamp = start.wall) throws -> Storage {
        try Storage(directory: directory.path, now: now)
    }

    private let batch = CommitBatch(
        operations: [
            .putSession(StoredSession(number: 1, clientIdentifier: "c", expiryInterval: 60, disconnectedAt: start.wall)),
            .putSubscription(session: 1, StoredSubscription(filter: "a/#", options: 1, identifier: 0)),
            .putRetained(makeMessage("r", [1], retain: true), expiresAt: nil),
        ],
        appends: [LaneAppend(lane: "cloud", firstSequence: 1, messages: makeMessages(1...100))])

    @Test("a batch is not taken for stored when its file was deleted", arguments: ["sessions.db", "cache.db", "lock"])
    func deletedFile(name: String) async throws {
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        let storage = try Storage(directory: directory.path, now: start.wall)
        let batch = CommitBatch(appends: [LaneAppend(lane: "cloud", firstSequence: 1, messages: makeMessages(1...1))])
        _ = try await storage.commit(batch, now: start)
        unlink(directory.file(name))
        await #expect(throws: StoreError.self) { _ = try await storage.commit(batch, now: start) }
    }

    @Test("a batch is there after a restart, and may be given twice")
    func roundTrip() async throws {
        var storage = try open()
        let report = try await storage.commit(batch, now: start)
        #expect(report.cache.appended == 100 && report.lanes.first?.messages == 100)
        #expect(try await storage.commit(batch, now: start).cache.appended == 0)
        await storage.close()
        storage = try open()
        let snapshot = try await storage.load(at: start)
        #expect(snapshot.sessions.first?.subscriptions.first?.filter == "a/#" && snapshot.retained.count == 1)
        let reading = try await storage.read(lane: "cloud", from: 0, maximumCount: 500, maximumBytes: .max, now: start)
        #expect(reading.contents == makeMessages(1...100).map(MessageContent.init))
        let status = try await storage.status()
        #expect(status.cache.lanes.count == 1 && status.cache.fileBytes > 0 && status.sessionsFileBytes > 0)
        #expect(try await storage.laneStatus("cloud")?.lastSequence == 100)
        #expect(try await storage.laneStatus("other") == nil)
    }

    @Test("a second process is told who uses the directory")
    func lock() async throws {
        let storage = try open()
        let error = #expect(throws: StoreError.self) { try open() }
        guard case .busy(let message) = error else { return #expect(Bool(false), "not busy") }
        #expect(message.contains("pid \(getpid())"))
        await storage.close()
    }

    @Test("closing gives the directory free, and later calls are errors")
    func closing() async throws {
        let storage = try open()
        await storage.close()
        let second = try open()
        await #expect(throws: StoreError.self) { try await storage.status() }
        await second.close()
    }

    @Test("directory and files are for their owner only")
    func permissions() async throws {
        let path = directory.file("data")
        let storage = try Storage(directory: path, now: start.wall)
        _ = try await storage.commit(batch, now: start)
        func mode(_ path: String) -> mode_t {
            var status = stat()
            return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
        }
        #expect(mode(path) == 0o700)
        for name in ["lock", "sessions.db", "cache.db", "sessions.db-wal", "cache.db-wal"] {
            #expect(mode(path + "/" + name) == 0o600, "\(name)")
        }
        await storage.close()
        for name in ["lock", "sessions.db", "cache.db", "sessions.db-wal", "cache.db-wal"] { unlink(path + "/" + name) }
        rmdir(path)
    }

    @Test("a directory that cannot be made is an error that names it")
    func noParent() {
        let error = #expect(throws: StoreError.self) {
            try Storage(directory: directory.file("missing/data"), now: start.wall)
        }
        #expect(error?.description.contains(directory.file("missing/data")) == true)
    }

    @Test("a file that is no database is set aside with an alarm", arguments: ["sessions.db", "cache.db"])
    func notADatabase(name: String) async throws {
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        directory.write([UInt8](repeating: 0x41, count: 5000), to: name)
        directory.write([1, 2, 3], to: name + "-wal")
        let storage = try Storage(directory: directory.path, now: start.wall)
        let alarm = try #require(storage.alarms.first)
        #expect(storage.alarms.count == 1 && alarm.file == directory.file(name))
        #expect(directory.read("\(name).damaged-\(start.wall.milliseconds)") == [UInt8](repeating: 0x41, count: 5000))
        #expect(try await storage.commit(batch, now: start).cache.appended == 100)
        await storage.close()
    }

    @Test("a file that was in use and is empty is set aside with an alarm, a new one is not", arguments: ["sessions.db", "cache.db"])
    func emptyFile(name: String) async throws {
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        directory.write([], to: name)
        let first = try Storage(directory: directory.path, now: start.wall)
        #expect(first.alarms.isEmpty)
        _ = try await first.commit(batch, now: start)
        await first.close()
        directory.write([], to: name)
        let second = try Storage(directory: directory.path, now: start.wall)
        #expect(second.alarms.map(\.message) == ["it is empty"])
        await second.close()
        let third = try Storage(directory: directory.path, now: start.wall)
        #expect(third.alarms.isEmpty)
        await third.close()
    }

    @Test("only the newest damaged files are kept")
    func boundedDamage() async throws {
        for round: Int64 in 0..<6 {
            directory.write([UInt8](repeating: 0x41, count: 5000), to: "cache.db")
            directory.write([], to: "cache.db-wal")
            do {
                let directory = try StorageDirectory(path: directory.path)
                _ = try directory.setAside("cache.db", at: start.wall.milliseconds + round)
            }
        }
        let kept = directory.names.filter { $0.hasPrefix("cache.db.damaged-") && !$0.hasSuffix("-wal") }
        #expect(kept == ["cache.db.damaged-\(start.wall.milliseconds + 4)", "cache.db.damaged-\(start.wall.milliseconds + 5)"])
        #expect(directory.names.filter { $0.hasSuffix("-wal") }.count == 2)
    }

    @Test("damage that shows later is reported, and the file can be replaced without a restart")
    func damageInUse() async throws {
        do {
            let cache = try BreakpointCache(path: directory.file("cache.db"), limits: CacheLimits())
            for block in 0..<200 { _ = try cache.append("cloud", block * 10 + 1...block * 10 + 10, size: 300) }
            cache.close()
        }
        var bytes = directory.read("cache.db")
        // The head of every page in the middle of the file.
        for page in 100..<600 { for index in 0..<8 { bytes[page * 1024 + index] = 0xFF } }
        directory.write(bytes, to: "cache.db")
        let storage = try open()
        #expect(storage.alarms.isEmpty)
        await #expect(throws: StoreError.self) {
            var next: Int64 = 1
            while next <= 2000 {
                let reading = try await storage.read(
                    lane: "cloud", from: next, maximumCount: 100, maximumBytes: .max, now: start)
                next = reading.nextSequence
            }
        }
        let alarms = try await storage.replaceDamagedFiles(now: start.wall)
        #expect(alarms.map(\.file) == [directory.file("cache.db")])
        let append = LaneAppend(lane: "cloud", firstSequence: 2001, messages: makeMessages(2001...2100))
        #expect(try await storage.commit(CommitBatch(appends: [append]), now: start).cache.appended == 100)
        #expect(try await storage.replaceDamagedFiles(now: start.wall).isEmpty)
        await storage.close()
    }
}

@Suite("Damaged files")
struct DamagedFileTests {
    /// Files with a few hundred pages of every kind, closed.
    private func makeFiles(in directory: TemporaryDirectory) async throws {
        let disk = Faults()
        defer { withExtendedLifetime(disk) {} }
        let storage = try Storage(directory: directory.path, limits: CacheLimits(), now: start.wall, vfs: disk.name)
        var random = SeededRandom(seed: 11)
        var generator = OperationGenerator()
        for round in 0..<40 {
            let first = round * 20 + 1
            let append = LaneAppend(
                lane: "cloud", firstSequence: Int64(first), messages: makeMessages(first...first + 19, size: 60))
            let batch = CommitBatch(
                operations: generator.batch(60, &random), appends: [append],
                acknowledgements: [LaneAcknowledgement(lane: "cloud", through: Int64(round * 4))])
            _ = try await storage.commit(batch, now: start)
        }
        await storage.close()
    }

    /// Uses everything; errors are fine, traps are not.
    private func exercise(_ directory: TemporaryDirectory) async throws -> [StorageAlarm] {
        let disk = Faults()
        defer { withExtendedLifetime((directory, disk)) {} }
        let storage = try Storage(directory: directory.path, limits: CacheLimits(), now: start.wall, vfs: disk.name)
        _ = try? await storage.load(at: start)
        var next: Int64 = 0
        while next < 2000 {
            guard
                let reading = try? await storage.read(
                    lane: "cloud", from: next, maximumCount: 100, maximumBytes: .max, now: start),
                reading.nextSequence > next
            else { break }
            next = reading.nextSequence
        }
        let batch = CommitBatch(
            operations: [.putRetained(makeMessage("r", [1], retain: true), expiresAt: nil)],
            appends: [LaneAppend(lane: "cloud", firstSequence: 5000, messages: makeMessages(5000...5010))],
            acknowledgements: [LaneAcknowledgement(lane: "cloud", through: 600)])
        _ = try? await storage.commit(batch, now: start)
        let later = try await storage.replaceDamagedFiles(now: start.wall)
        // Whatever was wrong, the box works now.
        _ = try await storage.load(at: start)
        let alarms = storage.alarms + later
        await storage.close()
        return alarms
    }

    @Test("damaged files that were set aside are listed with their times, without their journals, until they are taken away")
    func damagedFiles() async throws {
        let directory = TemporaryDirectory()
        for name in [
            "sessions.db.damaged-7", "sessions.db.damaged-7-wal", "cache.db.damaged-5", "cache.db.damaged-7-1", "cache.db.damaged-x",
        ] { directory.write([1], to: name) }
        let storage = try Storage(directory: directory.path, now: start.wall)
        let found = try #require(await storage.damagedFiles())
        #expect(found.map { String($0.path.dropFirst(directory.path.count)) } == [
            "/cache.db.damaged-5", "/cache.db.damaged-7-1", "/sessions.db.damaged-7",
        ])
        #expect(found.map(\.time.milliseconds) == [5, 7, 7])
        await storage.close()
        #expect(await storage.damagedFiles() == nil)
    }

    @Test("a wrong bit in any page never crashes, and the box works afterwards", arguments: ["sessions.db", "cache.db"])
    func bitFlips(name: String) async throws {
        let source = TemporaryDirectory()
        try await makeFiles(in: source)
        let files = source.names.filter { $0 != "lock" }.map { ($0, source.read($0)) }
        var random = SeededRandom(seed: 5)
        let size = source.read(name).count
        var alarms = 0
        for page in 0..<min(size / 1024, 150) {
            let directory = TemporaryDirectory()
            for (file, bytes) in files {
                var bytes = bytes
                if file == name {
                    // One bit of the page's head, one anywhere in it.
                    bytes[page * 1024 + Int.random(in: 0..<12, using: &random)] ^= 1 << UInt8.random(in: 0...7, using: &random)
                    bytes[page * 1024 + Int.random(in: 0..<1024, using: &random)] ^= 1 << UInt8.random(in: 0...7, using: &random)
                }
                directory.write(bytes, to: file)
            }
            alarms += try await exercise(directory).count
        }
        #expect(alarms > 0)
    }

    @Test("a file cut short anywhere never crashes, and the box works afterwards", arguments: ["sessions.db", "cache.db"])
    func truncated(name: String) async throws {
        let source = TemporaryDirectory()
        try await makeFiles(in: source)
        let whole = source.read(name)
        for length in stride(from: 0, to: whole.count, by: max(1, whole.count / 40)) {
            let directory = TemporaryDirectory()
            directory.write(Array(whole[..<length]), to: name)
            let alarms = try await exercise(directory)
            // An empty file is a new one, and in the last page there may be nothing.
            if length > 0, length <= whole.count - 1024 { #expect(!alarms.isEmpty, "\(length) of \(whole.count)") }
        }
    }
}
