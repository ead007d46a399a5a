import CStorageFaults
import Core
import Glibc
import Synchronization

@testable import Store

/// A directory that is deleted with the object.
final class TemporaryDirectory {
    let path: String
    private static let counter = Atomic<Int>(0)

    init() {
        let number = TemporaryDirectory.counter.add(1, ordering: .relaxed).newValue
        path = "/tmp/martlet-store-\(getpid())-\(number)"
        mkdir(path, 0o700)
    }

    deinit {
        for name in names { unlink(path + "/" + name) }
        rmdir(path)
    }

    func file(_ name: String) -> String { path + "/" + name }

    var names: [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func write(_ bytes: [UInt8], to name: String) {
        let descriptor = open(file(name), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        _ = Glibc.write(descriptor, bytes, bytes.count)
        Glibc.close(descriptor)
    }

    func read(_ name: String) -> [UInt8] {
        let descriptor = open(file(name), O_RDONLY)
        defer { Glibc.close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = Glibc.read(descriptor, &chunk, chunk.count), count > 0 {
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }
}

/// A layer of SQLite's operating-system interface whose operations fail on demand.
final class Faults {
    let name: String
    let handle: OpaquePointer
    private static let counter = Atomic<Int>(0)

    init() {
        name = "faults-\(Faults.counter.add(1, ordering: .relaxed).newValue)"
        handle = storage_faults_create(name)
    }

    deinit { storage_faults_destroy(handle) }

    func fail(_ kinds: Int, nth: Int, sticky: Bool = false, full: Bool = false) {
        storage_faults_fail(handle, Int32(kinds), nth, sticky ? 1 : 0, full ? 1 : 0)
    }

    func stopFailing() { storage_faults_fail(handle, 0, 0, 0, 0) }

    /// The files of a directory have so many bytes in all; 0 for no limit.
    func limitSize(_ directory: String, _ bytes: Int64) { storage_faults_limit_size(handle, directory, bytes) }

    var failures: Int { storage_faults_failures(handle) }
}

let everyWriting = STORAGE_WRITE | STORAGE_SYNC | STORAGE_TRUNCATE | STORAGE_DELETE

let start = Moment(wall: Timestamp(milliseconds: 1_760_000_000_000), monotonic: MonotonicTime(nanoseconds: 5_000_000_000))

extension Moment {
    func after(_ duration: Duration) -> Moment {
        Moment(
            wall: Timestamp(milliseconds: wall.milliseconds + duration.wholeMilliseconds), monotonic: monotonic + duration)
    }
}

func makeMessage(
    _ topic: String, _ payload: [UInt8], properties: [UInt8] = [], qos: QoS = .atLeastOnce, retain: Bool = false,
    expiresAt: MonotonicTime = .distantFuture, publishedAt: Timestamp = start.wall
) -> Message {
    Array(topic.utf8).withUnsafeBytes { topic in
        properties.withUnsafeBytes { properties in
            payload.withUnsafeBytes { payload in
                Message.create(
                    topic: topic, properties: properties, payload: payload, qos: qos, retain: retain,
                    expiresAt: expiresAt, publishedAt: publishedAt)
            }
        }
    }
}

func makeMessages(_ range: ClosedRange<Int>, size: Int = 20) -> [Message] {
    range.map { number in
        var payload = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size)
        payload.replaceSubrange(0..<min(size, 4), with: withUnsafeBytes(of: UInt32(number)) { Array($0.prefix(size)) })
        return makeMessage("sys/\(number % 7)/post", payload, publishedAt: start.after(.milliseconds(number)).wall)
    }
}

/// What of a message must come back.
struct MessageContent: Hashable {
    var topic: String
    var properties: [UInt8]
    var payload: [UInt8]
    var qos: QoS
    var retain: Bool
    var publishedAt: Timestamp
    var expiresAt: MonotonicTime

    init(_ message: Message) {
        topic = message.topic
        properties = message.withProperties { Array($0) }
        payload = message.payload
        qos = message.qos
        retain = message.retain
        publishedAt = message.publishedAt
        expiresAt = message.expiresAt
    }
}

extension CacheReading {
    var sequences: [Int64] { messages.map(\.sequence) }
    var contents: [MessageContent] { messages.map { MessageContent($0.message) } }
}

extension BreakpointCache {
    /// Reads all that a lane has, in reads of `count`.
    func readAll(_ lane: String, from: Int64 = 0, count: Int = 1000, now: Moment = start) throws -> CacheReading {
        var all = try read(lane: lane, from: from, maximumCount: count, maximumBytes: .max, now: now)
        while true {
            let next = try read(lane: lane, from: all.nextSequence, maximumCount: count, maximumBytes: .max, now: now)
            if next.nextSequence == all.nextSequence { return all }
            all.messages += next.messages
            all.damagedMessages += next.damagedMessages
            all.nextSequence = next.nextSequence
        }
    }

    func append(_ lane: String, _ range: ClosedRange<Int>, size: Int = 20, now: Moment = start) throws -> CacheReport {
        try commit(
            [LaneAppend(lane: lane, firstSequence: Int64(range.lowerBound), messages: makeMessages(range, size: size))],
            acknowledgements: [], now: now)
    }

    func acknowledge(_ lane: String, through: Int64, now: Moment = start) throws -> CacheReport {
        try commit([], acknowledgements: [LaneAcknowledgement(lane: lane, through: through)], now: now)
    }
}
