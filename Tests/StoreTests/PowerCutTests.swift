import CStorageFaults
import Core
import TestSupport
import Testing

@testable import Store

/// The files of a directory as a power cut leaves them: what was synced is there; of what was written since, any part of
/// 512 bytes is there or not.
private struct CutDisk {
    private struct File {
        var durable: [UInt8] = []
        var isDurable = false
        var pending: [storage_record] = []
    }

    private var files: [String: File] = [:]
    /// The value of the last mark before the cut.
    private(set) var mark: Int64 = 0

    mutating func apply(_ record: storage_record) {
        let name = String(cString: record.name)
        switch Int(record.kind) {
        case STORAGE_MARK: mark = record.offset
        case STORAGE_DELETE: files[name] = nil
        case STORAGE_SYNC:
            guard var file = files[name] else { return }
            for record in file.pending { CutDisk.write(record, 0..<record.count, to: &file.durable) }
            file.pending = []
            file.isDurable = true
            files[name] = file
        default: files[name, default: File()].pending.append(record)
        }
    }

    func leave(in directory: TemporaryDirectory, _ random: inout SeededRandom) {
        for name in directory.names { directory.write([], to: name) }
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            if !file.isDurable, Bool.random(using: &random) { continue }
            var bytes = file.durable
            for record in file.pending {
                if Int(record.kind) == STORAGE_TRUNCATE {
                    if Bool.random(using: &random) { CutDisk.write(record, 0..<0, to: &bytes) }
                    continue
                }
                for sector in stride(from: 0, to: record.count, by: 512) where Bool.random(using: &random) {
                    CutDisk.write(record, sector..<min(sector + 512, record.count), to: &bytes)
                }
            }
            directory.write(bytes, to: name)
        }
    }

    private static func write(_ record: storage_record, _ range: Range<Int>, to bytes: inout [UInt8]) {
        let offset = Int(record.offset)
        if Int(record.kind) == STORAGE_TRUNCATE {
            if bytes.count > offset { bytes.removeSubrange(offset...) }
            return
        }
        let end = offset + range.upperBound
        if bytes.count < end { bytes.append(contentsOf: [UInt8](repeating: 0, count: end - bytes.count)) }
        let source = UnsafeBufferPointer(start: record.bytes, count: record.count)
        bytes.replaceSubrange(offset + range.lowerBound..<end, with: source[range])
    }
}

@Suite("Power cut")
struct PowerCutTests {
    /// Cuts the power in a recorded run after everything but a write, and after every fourth write or so, and checks
    /// what is there then.
    private func cutEverywhere(
        _ faults: Faults, seed: UInt64,
        _ check: (_ directory: TemporaryDirectory, _ vfs: String, _ mark: Int64) throws -> Void
    ) throws {
        let afterwards = Faults()
        defer { withExtendedLifetime(afterwards) {} }
        var random = SeededRandom(seed: seed)
        var disk = CutDisk()
        let directory = TemporaryDirectory()
        for index in 0..<storage_faults_record_count(faults.handle) {
            let record = storage_faults_record_at(faults.handle, index)
            disk.apply(record)
            if Int(record.kind) == STORAGE_WRITE, random.next() % 4 > 0 { continue }
            disk.leave(in: directory, &random)
            defer { withExtendedLifetime(directory) {} }
            do {
                try check(directory, afterwards.name, disk.mark)
            } catch {
                Issue.record("seed \(seed), cut after operation \(index): \(error)")
                return
            }
        }
    }

    @Test("no committed message of the cache is lost, whichever journal is in use", arguments: 1...4)
    func cache(seed: UInt64) throws {
        let faults = Faults()
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime((faults, directory)) {} }
        let cache = try BreakpointCache(path: directory.file("cache.db"), limits: CacheLimits(), vfs: faults.name)
        // Nothing is promised before the file has been opened once.
        for name in directory.names { replay(directory.read(name), as: name, to: faults) }
        storage_faults_record(faults.handle)
        var random = SeededRandom(seed: seed)
        var acknowledged: [Int64: Int64] = [0: 0]
        var last = 0
        for round in 0..<24 {
            // Small commits, then large ones, then small ones: the journal changes twice.
            let count = (8..<17).contains(round) ? 700 : Int.random(in: 1...40, using: &random)
            let done = round % 3 == 0 ? Int64(last) : acknowledged[Int64(last)] ?? 0
            _ = try cache.commit(
                [
                    LaneAppend(
                        lane: "cloud", firstSequence: Int64(last + 1),
                        messages: makeMessages(last + 1...last + count, size: 100))
                ],
                acknowledgements: [LaneAcknowledgement(lane: "cloud", through: done)], now: start)
            last += count
            acknowledged[Int64(last)] = done
            storage_faults_mark(faults.handle, Int64(last))
        }
        try cutEverywhere(faults, seed: seed) { directory, vfs, mark in
            let cache = try BreakpointCache(path: directory.file("cache.db"), limits: CacheLimits(), vfs: vfs)
            defer { cache.close() }
            let status = cache.lanes.first?.status
            let reading = try cache.readAll("cloud")
            #expect((status?.lastSequence ?? 0) >= mark, "seed \(seed)")
            #expect(reading.damagedMessages == 0, "seed \(seed)")
            let first = (status?.acknowledgedSequence ?? 0) + 1
            let last = status?.lastSequence ?? 0
            #expect(first <= last + 1 && reading.sequences == Array(first..<last + 1), "seed \(seed)")
            // The position may be ahead of the mark by the commit that was under way, never behind it.
            #expect(first > acknowledged[mark] ?? 0, "seed \(seed)")
            #expect(acknowledged[last] == first - 1, "seed \(seed)")
        }
        cache.close()
    }

    @Test("sessions are as after one of the commits, and not before the last one that returned", arguments: 1...4)
    func sessions(seed: UInt64) throws {
        let faults = Faults()
        let directory = TemporaryDirectory()
        defer { withExtendedLifetime((faults, directory)) {} }
        let store = try SessionStore(path: directory.file("sessions.db"), vfs: faults.name)
        for name in directory.names { replay(directory.read(name), as: name, to: faults) }
        storage_faults_record(faults.handle)
        var random = SeededRandom(seed: seed)
        var generator = OperationGenerator()
        var models = [StoreModel()]
        for round in 1...20 {
            let batch = generator.batch(30, &random)
            var model = models[round - 1]
            for operation in batch { model.apply(operation) }
            models.append(model)
            try store.commit(batch, mayRepeat: false)
            storage_faults_mark(faults.handle, Int64(round))
        }
        try cutEverywhere(faults, seed: seed) { directory, vfs, mark in
            let store = try SessionStore(path: directory.file("sessions.db"), vfs: vfs, checkIntegrity: true)
            defer { store.close() }
            let loaded = StoreModel(try store.load(at: start))
            let index = Int(mark)
            #expect(loaded == models[index] || index < 20 && loaded == models[index + 1], "seed \(seed), commit \(mark)")
        }
        store.close()
    }

    /// Puts what a file holds already at the start of the log.
    private func replay(_ bytes: [UInt8], as name: String, to faults: Faults) {
        storage_faults_record_file(faults.handle, name, bytes, bytes.count)
    }
}
