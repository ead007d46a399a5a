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

    mutating func validate() throws {
        guard messages > 0, batch > 0, payload >= 0, payload <= 1 << 20 else {
            throw ValidationError("--messages and --batch are at least 1, --payload is 0…1048576")
        }
    }

    func run() async throws {
        let scratch = try ScratchDirectory(in: directory)
        defer { scratch.remove() }
        let storage = try Storage(
            directory: scratch.path + "/data", limits: CacheLimits(maximumBytes: 1 << 40), now: SystemClock.wall())
        let written = WrittenBytes.toDisk
        let into = try await measure { try await fill(storage) }
        let bytes = WrittenBytes.toDisk.flatMap { now in written.map { now - $0 } }
        let out = try await measure { try await drain(storage) }
        await storage.close()
        report("in", into)
        report("out", out)
        if let bytes {
            let ratio = Double(bytes) / Double(messages * payload)
            Console.print("written to disk per payload byte: \((ratio * 100).rounded() / 100)")
        }
    }

    /// Wall-clock and CPU seconds of a phase.
    private func measure(_ body: () async throws -> Void) async throws -> (wall: Double, cpu: Double) {
        let start = SystemClock.monotonic()
        let cpu = clock()
        try await body()
        let wall = Double((SystemClock.monotonic() - start).wholeNanoseconds) / 1e9
        return (wall, Double(clock() - cpu) / Double(CLOCKS_PER_SEC))
    }

    private func fill(_ storage: Storage) async throws {
        var next = 1
        while next <= messages {
            let count = min(batch, messages - next + 1)
            let wall = SystemClock.wall()
            let made = (next..<next + count).map { number in
                Message.create(
                    topic: "/sys/product/device-\(number % 20)/thing/measurepoint/post", payload: bytes(number),
                    qos: .atLeastOnce, publishedAt: wall)
            }
            let append = LaneAppend(lane: "bench", firstSequence: Int64(next), messages: made)
            _ = try await storage.commit(CommitBatch(appends: [append]), now: now())
            next += count
        }
    }

    private func drain(_ storage: Storage) async throws {
        var next: Int64 = 1
        while next <= Int64(messages) {
            let reading = try await storage.read(
                lane: "bench", from: next, maximumCount: batch, maximumBytes: 64 << 20, now: now())
            guard let last = reading.messages.last else { throw ScratchError(message: "the cache has lost messages from \(next) on") }
            for cached in reading.messages {
                guard cached.sequence == next, cached.message.payloadLength == payload else {
                    throw ScratchError(message: "message \(next) is not what was stored")
                }
                next += 1
            }
            let acknowledgement = LaneAcknowledgement(lane: "bench", through: last.sequence)
            _ = try await storage.commit(CommitBatch(acknowledgements: [acknowledgement]), now: now())
        }
    }

    /// A payload that differs from message to message, as values do.
    private func bytes(_ number: Int) -> [UInt8] {
        var state = UInt64(truncatingIfNeeded: number) &* 0x9E37_79B9_7F4A_7C15
        return (0..<payload).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }

    private func now() -> Moment { Moment(wall: SystemClock.wall(), monotonic: SystemClock.monotonic()) }

    private func report(_ phase: String, _ time: (wall: Double, cpu: Double)) {
        let perSecond = Int(Double(messages) / max(time.wall, 1e-9))
        let perCPU = Int(Double(messages) / max(time.cpu, 1e-9))
        Console.print("\(phase): \(perSecond) messages/s, \(perCPU) messages per CPU second")
    }
}
