import CStorageFaults
import Core
import Testing

@testable import Store

/// Lets every operation of the disk fail in turn while a run of commits goes on, and checks that what was committed is
/// there and that the same batch goes through once the disk works again.
@Suite("Failing disk and memory")
struct FaultTests {
    private func batch(_ round: Int) -> CommitBatch {
        let first = round * 10 + 1
        let number = Int64(round + 1)
        var operations: [SessionOperation] = [
            .putMessage(number: number, makeMessage("m/\(number)", [UInt8](repeating: 1, count: 300)), expiresAt: nil),
            .enqueue(
                session: 1, sequence: number, message: number, qos: .atLeastOnce, retain: false,
                subscriptionIdentifiers: []),
        ]
        if round == 0 {
            let session = StoredSession(number: 1, clientIdentifier: "c", expiryInterval: .max, disconnectedAt: nil)
            operations.append(.putSession(session))
        }
        return CommitBatch(
            operations: operations,
            appends: [
                LaneAppend(lane: "cloud", firstSequence: Int64(first), messages: makeMessages(first...first + 9, size: 200))
            ],
            acknowledgements: [LaneAcknowledgement(lane: "cloud", through: Int64(first - 15))])
    }

    private func check(_ storage: Storage, rounds: Int) async throws {
        let snapshot = try await storage.load(at: start)
        #expect(snapshot.sessions.first?.queue.map(\.sequence) ?? [] == Array(1..<Int64(rounds) + 1))
        #expect(snapshot.messages.count == rounds && snapshot.damagedRecords == 0)
        let reading = try await storage.read(
            lane: "cloud", from: 0, maximumCount: 1000, maximumBytes: .max, now: start)
        let last = rounds * 10
        let first = max(1, last - 9 - 14)
        #expect(reading.contents == makeMessages(first...last, size: 200).map(MessageContent.init))
    }

    /// Runs six commits; operation `nth` fails, and the batch that it hit is given again. False when nothing failed.
    private func run(_ kinds: Int, nth: Int, sticky: Bool, full: Bool) async throws -> Bool {
        let faults = Faults()
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime((faults, directory)) {} }
        var storage = try Storage(
            directory: directory.path, limits: CacheLimits(), now: start.wall, vfs: faults.name)
        faults.fail(kinds, nth: nth, sticky: sticky, full: full)
        var failed = false
        for round in 0..<6 {
            do {
                _ = try await storage.commit(batch(round), now: start)
            } catch {
                failed = true
                if full, kinds == STORAGE_WRITE, case .full = error {} else { #expect(!full, "\(error) is not .full") }
                faults.stopFailing()
                // What was committed before is there while the batch is not.
                let before = try await storage.load(at: start)
                #expect(before.sessions.first?.queue.count ?? 0 >= round)
                _ = try await storage.commit(batch(round), now: start)
            }
        }
        failed = failed || faults.failures > 0
        faults.stopFailing()
        try await check(storage, rounds: 6)
        await storage.close()
        storage = try Storage(directory: directory.path, limits: CacheLimits(), now: start.wall, vfs: faults.name)
        #expect(storage.alarms.isEmpty)
        try await check(storage, rounds: 6)
        return failed
    }

    @Test("the Nth write, sync, truncation or deletion fails once; nothing is lost and the batch goes through again")
    func once() async throws {
        for nth in 1... where try await !run(everyWriting, nth: nth, sticky: false, full: false) {
            #expect(nth > 20)
            return
        }
    }

    @Test("every operation from the Nth on fails until the disk is well again")
    func sticky() async throws {
        for nth in 1... where try await !run(everyWriting, nth: nth, sticky: true, full: false) {
            #expect(nth > 20)
            return
        }
    }

    @Test("the disk is full from the Nth write on; the error says so, and the batch goes through when there is space")
    func full() async throws {
        for nth in 1... where try await !run(STORAGE_WRITE, nth: nth, sticky: true, full: true) {
            #expect(nth > 15)
            return
        }
    }

    @Test("acknowledgements are stored on a full disk, for they make room")
    func acknowledgementsOnFullDisk() async throws {
        let faults = Faults()
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime((faults, directory)) {} }
        let storage = try Storage(directory: directory.path, limits: CacheLimits(), now: start.wall, vfs: faults.name)
        faults.limitSize(directory.path, 8_000_000)
        var next = 1
        var pending = CommitBatch()
        do {
            while next < 100_000 {
                let messages = makeMessages(next...next + 39, size: 1000)
                pending = CommitBatch(appends: [LaneAppend(lane: "cloud", firstSequence: Int64(next), messages: messages)])
                _ = try await storage.commit(pending, now: start)
                next += 40
            }
            Issue.record("the disk is never full")
        } catch {
            guard case .full = error else { throw error }
        }
        var isFull = false
        do { _ = try await storage.commit(pending, now: start) } catch { isFull = true }
        #expect(isFull)
        // The upstream has taken all that is on disk; the disk stays as full as it is.
        let acknowledgement = LaneAcknowledgement(lane: "cloud", through: Int64(next - 1))
        let report = try await storage.commit(CommitBatch(acknowledgements: [acknowledgement]), now: start)
        #expect(report.lanes.first?.acknowledgedSequence == Int64(next - 1))
    }

    @Test("what is deleted from the sessions file makes room on a full disk, in the space kept in reserve if need be")
    func deletesOnFullDisk() async throws {
        let faults = Faults()
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime((faults, directory)) {} }
        let storage = try Storage(directory: directory.path, limits: CacheLimits(), now: start.wall, vfs: faults.name)
        let session = StoredSession(number: 1, clientIdentifier: "c", expiryInterval: .max, disconnectedAt: nil)
        _ = try await storage.commit(CommitBatch(operations: [.putSession(session)]), now: start)
        // So much for the sessions and the reserve, whatever an empty cache takes.
        let cacheBytes = directory.read("cache.db").count + directory.read("cache.db-wal").count
        faults.limitSize(directory.path, Int64(7_987_000 + cacheBytes))
        func puts(_ number: Int64) -> [SessionOperation] {
            [
                .putMessage(number: number, makeMessage("t", [UInt8](repeating: 1, count: 20_000)), expiresAt: nil),
                .enqueue(
                    session: 1, sequence: number, message: number, qos: .atLeastOnce, retain: false,
                    subscriptionIdentifiers: []),
            ]
        }
        var stored: Int64 = 0
        while stored < 1000 {
            do { _ = try await storage.commit(CommitBatch(operations: puts(stored + 1)), now: start) } catch {
                guard case .full = error else { throw error }
                break
            }
            stored += 1
        }
        #expect(stored > 10 && stored < 1000)
        // The subscriber has taken all that is on disk; the message that did not fit goes in now.
        var batch = CommitBatch(operations: puts(stored + 1))
        for number in 1...stored {
            batch.operations += [.dequeue(session: 1, sequence: number), .deleteMessage(number: number)]
        }
        _ = try await storage.commit(batch, now: start)
        let snapshot = try await storage.load(at: start)
        #expect(snapshot.sessions.first?.queue.map(\.sequence) == [stored + 1])
        await storage.close()
    }

    @Test("what a failed commit has stored all the same is deleted when its delete comes with the next try")
    func storedAllTheSame() async throws {
        let faults = Faults()
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime((faults, directory)) {} }
        let storage = try Storage(directory: directory.path, limits: CacheLimits(), now: start.wall, vfs: faults.name)
        let session = StoredSession(number: 1, clientIdentifier: "c", expiryInterval: .max, disconnectedAt: nil)
        _ = try await storage.commit(CommitBatch(operations: [.putSession(session)]), now: start)
        var batch = CommitBatch(operations: [
            .putMessage(number: 1, makeMessage("t", [1]), expiresAt: nil),
            .enqueue(session: 1, sequence: 1, message: 1, qos: .atLeastOnce, retain: false, subscriptionIdentifiers: []),
        ])
        // The log is written, its sync fails, and so does tidying it up: opened anew, the file has the commit.
        faults.fail(STORAGE_SYNC, nth: 1, sticky: true)
        await #expect(throws: StoreError.self) { try await storage.commit(batch, now: start) }
        faults.stopFailing()
        #expect(try await storage.load(at: start).sessions.first?.queue.count == 1)
        batch.operations += [.dequeue(session: 1, sequence: 1), .deleteMessage(number: 1)]
        _ = try await storage.commit(batch, now: start)
        let snapshot = try await storage.load(at: start)
        #expect(snapshot.sessions.first?.queue.isEmpty == true && snapshot.messages.isEmpty)
        await storage.close()
    }

    @Test("what the cache dropped is reported although the rest of that commit failed")
    func lateReport() async throws {
        let faults = Faults()
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime((faults, directory)) {} }
        let storage = try Storage(
            directory: directory.path, limits: CacheLimits(maximumBytes: 1000), now: start.wall, vfs: faults.name)
        _ = try await storage.commit(
            CommitBatch(appends: [LaneAppend(lane: "cloud", firstSequence: 1, messages: makeMessages(1...10, size: 80))]),
            now: start)
        let batch = CommitBatch(
            operations: [.putRetained(makeMessage("r", [1], retain: true), expiresAt: nil)],
            appends: [LaneAppend(lane: "cloud", firstSequence: 11, messages: makeMessages(11...20, size: 80))])
        // The first sync is the cache's, the second one that of the sessions.
        faults.fail(STORAGE_SYNC, nth: 2)
        await #expect(throws: StoreError.self) { try await storage.commit(batch, now: start) }
        let report = try await storage.commit(batch, now: start)
        let times = (start.after(.milliseconds(1)).wall, start.after(.milliseconds(10)).wall)
        #expect(report.cache.losses == [CacheLoss(lane: "cloud", messages: 10, reason: .size, sequences: 1...10, oldest: times.0, newest: times.1)])
        #expect(report.cache.appended == 10)
        await storage.close()
    }

    @Test("a read that fails is an error, and the next one works")
    func reading() async throws {
        var failures = 0
        for nth in 1...60 {
            let faults = Faults()
            let directory = TemporaryDirectory()
            defer { withExtendedLifetime((faults, directory)) {} }
            var storage = try Storage(
                directory: directory.path, limits: CacheLimits(), now: start.wall, vfs: faults.name)
            for round in 0..<3 { _ = try await storage.commit(batch(round), now: start) }
            await storage.close()
            storage = try Storage(directory: directory.path, limits: CacheLimits(), now: start.wall, vfs: faults.name)
            faults.fail(STORAGE_READ, nth: nth)
            do { try await check(storage, rounds: 3) } catch is StoreError { failures += 1 }
            faults.stopFailing()
            try await check(storage, rounds: 3)
            await storage.close()
        }
        #expect(failures > 0)
    }

    /// Runs commits on a cache with a given journal while `fail` lets something fail, opens the file anew after an error
    /// and gives the batch again. False when nothing has failed.
    private func runCache(
        _ mode: Database.JournalMode, fail: (Faults) -> Void, stop: (Faults) -> Bool
    ) throws -> Bool {
        let faults = Faults()
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime((directory, faults)) {} }
        func open() throws -> BreakpointCache {
            let cache = try BreakpointCache(path: directory.file("cache.db"), limits: CacheLimits(), vfs: faults.name)
            cache.journal = JournalPolicy(mode: mode)
            return cache
        }
        func commit(_ cache: BreakpointCache, _ round: Int) throws {
            _ = try cache.append("cloud", round * 10 + 1...round * 10 + 10, size: 500)
            _ = try cache.acknowledge("cloud", through: Int64(round * 10 - 5))
        }
        var failed = false
        var cache = try open()
        for round in 0..<4 {
            fail(faults)
            do {
                try commit(cache, round)
                failed = stop(faults) || failed
            } catch {
                cache.close()
                #expect(stop(faults))
                failed = true
                cache = try open()
                #expect((cache.lanes.first?.last ?? 0) >= round * 10)
                try commit(cache, round)
            }
        }
        #expect(try cache.readAll("cloud").contents == makeMessages(26...40, size: 500).map(MessageContent.init))
        #expect(try cache.status().lanes.first?.messages == 15)
        cache.close()
        return failed
    }

    @Test(
        "with either journal the cache survives the Nth failing write, sync, truncation or deletion",
        arguments: [Database.JournalMode.wal, .persist], [false, true])
    func journals(mode: Database.JournalMode, sticky: Bool) throws {
        for nth in 1...10_000 {
            let failed = try runCache(mode) { faults in
                faults.fail(everyWriting, nth: nth, sticky: sticky)
            } stop: { faults in
                defer { faults.stopFailing() }
                return faults.failures > 0
            }
            guard failed else { return #expect(nth > 10) }
        }
        Issue.record("something fails for ever")
    }

    @Test(
        "with either journal the cache survives the Nth failing allocation",
        arguments: [Database.JournalMode.wal, .persist])
    func memory(mode: Database.JournalMode) throws {
        for nth in 1...10_000 {
            let failed = try runCache(mode) { _ in
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
