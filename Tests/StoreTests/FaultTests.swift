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

    @Test("the Nth allocation fails; nothing is lost and the batch goes through again")
    func memory() throws {
        var nth = 0
        var failed = true
        while failed {
            nth += 1
            failed = false
            let directory = TemporaryDirectory()
            let disk = Faults()
            defer { withExtendedLifetime((directory, disk)) {} }
            let path = directory.file("cache.db")
            var cache = try BreakpointCache(path: path, limits: CacheLimits(), vfs: disk.name)
            var lost: Int64 = 0
            for round in 0..<4 {
                storage_memory_fail(nth)
                do {
                    _ = try cache.append("cloud", round * 10 + 1...round * 10 + 10, size: 500)
                    _ = try cache.acknowledge("cloud", through: Int64(round * 10 - 5))
                } catch {
                    cache.close()
                    storage_memory_fail(0)
                    cache = try BreakpointCache(path: path, limits: CacheLimits(), vfs: disk.name)
                    _ = try cache.append("cloud", round * 10 + 1...round * 10 + 10, size: 500)
                    _ = try cache.acknowledge("cloud", through: Int64(round * 10 - 5))
                    lost += 1
                }
                failed = failed || storage_memory_failed() != 0 || lost > 0
                storage_memory_fail(0)
            }
            #expect(try cache.readAll("cloud").contents == makeMessages(26...40, size: 500).map(MessageContent.init))
            cache.close()
            if nth > 5000 { break }
        }
        #expect(nth > 10 && nth < 5000)
    }
}
