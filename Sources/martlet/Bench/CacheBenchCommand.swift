import Appliance
import ArgumentParser
import Core
import Glibc
import Store

struct CacheBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-cache",
        abstract: "Measures the breakpoint cache on a disk: messages in, then out, every batch committed and synced.")

    @Option(help: "Where to make the cache; a folder on the disk in question. It is removed afterwards.")
    var directory: String?

    @Option(help: "Messages in all.")
    var messages = 500_000

    @Option(help: "Messages of one commit.")
    var batch = 1_000

    @Option(help: "Bytes of a payload.")
    var payload = 100

    @Flag(help: "Payloads are measurement-point posts with changing values in place of random bytes; --payload is ignored.")
    var posts = false

    @Flag(help: "Blocks are not compressed.")
    var uncompressed = false

    @Option(help: "Messages a second, 0 for as fast as it goes: a commit then waits for its time.")
    var rate = 0

    @Flag(help: "Nothing is read back out, as during an outage.")
    var fillOnly = false

    mutating func validate() throws {
        guard messages > 0, batch > 0, payload >= 0, payload <= 1 << 20, rate >= 0 else {
            throw ValidationError("--messages and --batch are at least 1, --payload is 0…1048576, --rate is not negative")
        }
    }

    func run() async throws {
        let scratch = try ScratchDirectory(in: directory)
        defer { scratch.remove() }
        let storage = try Storage(
            directory: scratch.path + "/data", limits: CacheLimits(maximumBytes: 1 << 40, compression: uncompressed ? .none : .zstd),
            now: SystemClock.wall())
        let before = WrittenBytes.now.toDisk
        let into = try await fill(storage)
        let written = WrittenBytes.now.toDisk - before
        let kept = try await storage.status().cache.bytes
        report("in", into)
        if !fillOnly { report("out", try await drain(storage)) }
        await storage.close()
        let payloads = Double(max(1, into.payloadBytes))
        Console.print("written to disk per payload byte: \((Double(written) / payloads * 100).rounded() / 100)")
        Console.print("kept on disk per payload byte: \((Double(kept) / payloads * 100).rounded() / 100)")
    }

    /// Wall-clock and CPU seconds that the cache takes; making and checking messages is not part of it.
    private struct Spent {
        var wall = 0.0
        var cpu = 0.0
        var payloadBytes = 0

        mutating func measure<R>(_ body: () async throws -> R) async throws -> R {
            let start = SystemClock.monotonic()
            let startCPU = clock()
            let result = try await body()
            wall += Double((SystemClock.monotonic() - start).wholeNanoseconds) / 1e9
            cpu += Double(clock() - startCPU) / Double(CLOCKS_PER_SEC)
            return result
        }
    }

    private func fill(_ storage: Storage) async throws -> Spent {
        var spent = Spent()
        var next = 1
        let start = SystemClock.monotonic()
        while next <= messages {
            if rate > 0 {
                let due = start + .nanoseconds(Int64(next - 1) * 1_000_000_000 / Int64(rate))
                try await Task.sleep(for: max(.zero, due - SystemClock.monotonic()))
            }
            let count = min(batch, messages - next + 1)
            let wall = SystemClock.wall()
            let made = (next..<next + count).map { number in
                Message.create(
                    topic: "/sys/product/device-\(number % 20)/thing/measurepoint/post", payload: bytes(of: number),
                    qos: .atLeastOnce, publishedAt: wall)
            }
            let append = LaneAppend(lane: "bench", firstSequence: Int64(next), messages: made)
            spent.payloadBytes += made.reduce(0) { $0 + $1.payloadLength }
            let commit = CommitBatch(appends: [append])
            _ = try await spent.measure { try await storage.commit(commit, now: now()) }
            next += count
        }
        return spent
    }

    private func drain(_ storage: Storage) async throws -> Spent {
        var spent = Spent()
        var next: Int64 = 1
        while next <= Int64(messages) {
            let from = next
            let reading = try await spent.measure {
                try await storage.read(lane: "bench", from: from, maximumCount: batch, maximumBytes: 64 << 20, now: now())
            }
            guard let last = reading.messages.last else { throw ScratchError(message: "the cache has lost messages from \(next) on") }
            for cached in reading.messages {
                guard cached.sequence == next, cached.message.payloadLength == bytes(of: Int(next)).count else {
                    throw ScratchError(message: "message \(next) is not what was stored")
                }
                next += 1
            }
            let acknowledgement = LaneAcknowledgement(lane: "bench", through: last.sequence)
            let commit = CommitBatch(acknowledgements: [acknowledgement])
            _ = try await spent.measure { try await storage.commit(commit, now: now()) }
        }
        return spent
    }

    /// A payload that differs from message to message, as values do.
    private func bytes(of number: Int) -> [UInt8] {
        if posts { return post(number) }
        var state = UInt64(truncatingIfNeeded: number) &* 0x9E37_79B9_7F4A_7C15
        return (0..<payload).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }

    /// What a meter posts: four values that move slowly, each with its quality, and the time.
    private func post(_ number: Int) -> [UInt8] {
        let turn = number / 20
        let phase = Double(turn) / 50 + Double(number % 20)
        let temperature = (2150 + (300 * sin(phase)).rounded()) / 100
        let pressure = (10_130 + (40 * sin(phase / 3)).rounded()) / 10
        let text = """
            {"id":"\(number)","version":"1.0","params":{"measurepoints":{"Temperature":\(temperature),"Pressure":\(pressure),\
            "Energy":\(100_000 + turn * 3),"State":\(turn / 500 % 4)},"time":\(1_790_000_000_000 + turn * 1000 + number % 7)},\
            "method":"thing.measurepoint.post"}
            """
        return Array(text.utf8)
    }

    private func now() -> Moment { Moment(wall: SystemClock.wall(), monotonic: SystemClock.monotonic()) }

    private func report(_ phase: String, _ time: Spent) {
        let perSecond = Int(Double(messages) / max(time.wall, 1e-9))
        let perCPU = Int(Double(messages) / max(time.cpu, 1e-9))
        Console.print("\(phase): \(perSecond) messages/s, \(perCPU) messages per CPU second")
    }
}
