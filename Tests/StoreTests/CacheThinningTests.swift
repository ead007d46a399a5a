import Core
import TestSupport
import Testing

@testable import Store

@Suite("Thinning")
struct CacheThinningTests {
    private let directory = TemporaryDirectory()
    /// Does not sync, which nothing here is about.
    private let disk = Faults()

    private func limits(_ maximum: Int64, blockBytes: Int = 2000, compression: CacheLimits.Compression = .none) -> CacheLimits {
        CacheLimits(
            maximumBytes: maximum, defaultPolicy: RoutePolicy(whenFull: .thin), blockBytes: blockBytes, compression: compression)
    }

    /// `makeMessages` gives message n the topic n modulo 7.
    private func topics(_ sequences: [Int64]) -> [Int64: [Int64]] { Dictionary(grouping: sequences) { $0 % 7 } }

    private func checkSums(_ cache: BreakpointCache, _ comment: Comment) throws {
        let status = try cache.status()
        #expect(status.bytes == (try cache.database.integer("SELECT ifnull(sum(length(data) + 48), 0) FROM block")), comment)
        for lane in status.lanes {
            #expect(lane.messages == Int64(try cache.readAll(lane.lane).messages.count), comment)
        }
        let blocks = status.lanes.reduce(0) { $0 + $1.blocks }
        #expect(blocks == (try cache.database.integer("SELECT count(*) FROM block")), comment)
    }

    @Test("a long outage becomes coarser, never blind: the oldest messages stand farthest apart, the first and the last are there")
    func grading() throws {
        var cache = try BreakpointCache(path: directory.file("cache.db"), limits: limits(30_000), vfs: disk.name)
        var thinned: Int64 = 0
        for first in stride(from: 1, to: 7000, by: 20) {
            let report = try cache.append("cloud", first...first + 19)
            #expect(report.losses.allSatisfy { $0.reason == .thinned })
            thinned += report.losses.reduce(0) { $0 + $1.messages }
            #expect(try cache.status().bytes <= 32_000)
        }
        cache.close()
        cache = try BreakpointCache(path: directory.file("cache.db"), limits: limits(30_000), vfs: disk.name)
        let sequences = try cache.readAll("cloud").sequences
        #expect(Int64(sequences.count) + thinned == 7000)
        #expect(sequences.count < 1500)
        for (topic, kept) in topics(sequences) {
            let first = topic == 0 ? Int64(7) : topic
            #expect(kept.first == first, "the first message of topic \(topic)")
            #expect(7000 - (kept.last ?? 0) < 7, "the last message of topic \(topic)")
            let gaps = zip(kept, kept.dropFirst()).map { ($1 - $0) / 7 }
            #expect((gaps.prefix(gaps.count / 4).max() ?? 0) >= 4, "topic \(topic)")
            #expect(gaps.suffix(20).allSatisfy { $0 == 1 }, "topic \(topic)")
            // From tenth to tenth the messages stand closer.
            let tenth = max(1, gaps.count / 5)
            let means = stride(from: 0, to: gaps.count - tenth, by: tenth).map { start in
                Double(gaps[start..<start + tenth].reduce(0, +)) / Double(tenth)
            }
            #expect(means == means.sorted(by: >), "topic \(topic): \(means)")
        }
        try checkSums(cache, "")
        let levels = try cache.database.texts("SELECT ifnull(level, 0) FROM block ORDER BY id").compactMap { Int($0) }
        #expect(levels == levels.sorted(by: >) && (levels.first ?? 0) >= 3 && levels.last == 0)
    }

    @Test("small commits come together before they are thinned, so that a topic with one message in each is thinned too")
    func oneMessageOfEach() throws {
        let cache = try BreakpointCache(path: directory.file("cache.db"), limits: limits(20_000), vfs: disk.name)
        for first in stride(from: 1, to: 4000, by: 7) { _ = try cache.append("cloud", first...first + 6) }
        let sequences = try cache.readAll("cloud").sequences
        #expect(topics(sequences).count == 7 && topics(sequences).values.allSatisfy { $0.count > 40 })
        #expect(sequences.prefix(7) == [1, 2, 3, 4, 5, 6, 7])
    }

    @Test("topics that come once only cannot be thinned; then the oldest block goes")
    func nothingToThin() throws {
        let cache = try BreakpointCache(path: directory.file("cache.db"), limits: limits(10_000), vfs: disk.name)
        var reasons: Set<CacheLoss.Reason> = []
        for number in 1...400 {
            let message = makeMessage("topic/\(number)", [UInt8](repeating: 1, count: 60))
            let append = LaneAppend(lane: "cloud", firstSequence: Int64(number), messages: [message])
            reasons.formUnion(try cache.commit([append], acknowledgements: [], now: start).losses.map(\.reason))
        }
        #expect(reasons.contains(.size))
        #expect(try cache.status().bytes <= 11_000)
        #expect(try cache.readAll("cloud").sequences.last == 400)
        try checkSums(cache, "")
    }

    @Test("a route that is thinned makes room for a greater priority")
    func forOthers() throws {
        let routes = ["values": RoutePolicy(priority: 1, whenFull: .thin), "alarms": RoutePolicy(priority: 9)]
        let cache = try BreakpointCache(
            path: directory.file("cache.db"), limits: CacheLimits(maximumBytes: 20_000, routes: routes, blockBytes: 2000), vfs: disk.name)
        for first in stride(from: 1, to: 300, by: 20) { _ = try cache.append("values#1", first...first + 19) }
        for first in stride(from: 1, to: 300, by: 20) {
            let losses = try cache.append("alarms#1", first...first + 19).losses
            #expect(losses.allSatisfy { $0.lane == "values#1" && $0.reason == .thinned })
        }
        #expect(try cache.readAll("alarms#1").messages.count == 300)
        #expect(try cache.readAll("values#1").sequences.first == 1)
    }

    @Test("whatever is appended, acknowledged, thinned and reopened, order, sums and contents are right", arguments: 1...30)
    func model(seed: UInt64) throws {
        let directory = TemporaryDirectory()
        var random = SeededRandom(seed: seed)
        let limits = limits(
            Int64.random(in: 3000...20_000, using: &random), blockBytes: Int.random(in: 200...3000, using: &random),
            compression: Bool.random(using: &random) ? .zstd : .none)
        var cache = try BreakpointCache(path: directory.file("cache.db"), limits: limits, vfs: disk.name)
        let lanes = ["cloud#1", "cloud#2"]
        var last = [0, 0]
        var acknowledged: [Int64] = [0, 0]
        for step in 0..<150 {
            let lane = Int(random.next() % 2)
            let comment: Comment = "seed \(seed), step \(step)"
            switch random.next() % 8 {
            case 0...4:
                let count = Int.random(in: 1...60, using: &random)
                let report = try cache.append(lanes[lane], last[lane] + 1...last[lane] + count, size: Int.random(in: 0...60, using: &random))
                last[lane] += count
                #expect(report.losses.allSatisfy { $0.messages > 0 && $0.oldest <= $0.newest }, comment)
            case 5 where last[lane] > 0:
                let sequences = try cache.readAll(lanes[lane]).sequences
                guard let through = sequences.prefix(30).randomElement(using: &random) else { continue }
                acknowledged[lane] = through
                _ = try cache.acknowledge(lanes[lane], through: through)
            case 6:
                cache.close()
                cache = try BreakpointCache(path: directory.file("cache.db"), limits: limits, vfs: disk.name)
            default:
                var next: Int64 = 0
                var sequences: [Int64] = []
                while true {
                    let reading = try cache.read(
                        lane: lanes[lane], from: next, maximumCount: Int.random(in: 1...40, using: &random),
                        maximumBytes: Int.random(in: 1...2000, using: &random), now: start)
                    #expect(reading.damagedMessages == 0, comment)
                    guard reading.nextSequence > next else { break }
                    next = reading.nextSequence
                    sequences += reading.sequences
                    #expect(reading.messages.allSatisfy { $0.message.topic == "sys/\($0.sequence % 7)/post" }, comment)
                    if reading.messages.isEmpty { break }
                }
                #expect(sequences == sequences.sorted() && Set(sequences).count == sequences.count, comment)
                #expect((sequences.first ?? .max) > acknowledged[lane], comment)
                let whole = try cache.readAll(lanes[lane]).sequences
                #expect(sequences == whole, comment)
            }
            try checkSums(cache, comment)
            let bytes = try cache.status().bytes
            #expect(bytes <= limits.maximumBytes + limits.maximumBytes / 16 + 3500, comment)
            for status in try cache.status().lanes {
                let index = try #require(lanes.firstIndex(of: status.lane))
                #expect(status.lastSequence == Int64(last[index]), comment)
            }
            for number in [1, 2] {
                let levels = try cache.database.texts("SELECT ifnull(level, 0) FROM block WHERE id >> 51 = \(number) ORDER BY id").compactMap { Int($0) }
                #expect(levels == levels.sorted(by: >), comment)
            }
        }
    }
}

@Suite("Compressed blocks")
struct CacheCompressionTests {
    private let directory = TemporaryDirectory()
    /// Does not sync, which nothing here is about.
    private let disk = Faults()

    private func post(_ number: Int) -> Message {
        let payload = "{\"id\":\"\(number)\",\"version\":\"1.0\",\"params\":{\"measurepoints\":{\"Temp\":\(20 + number % 10).\(number % 7),\"Pressure\":\(1000 + number % 13)},\"time\":\(1_760_000_000_000 + number)},\"method\":\"thing.measurepoint.post\"}"
        return makeMessage("/sys/pk/device-\(number % 20)/thing/measurepoint/post", Array(payload.utf8))
    }

    @Test("compressed and plain blocks are read alike, and a setting does not change what is stored")
    func mixed() throws {
        let messages = (1...600).map(post)
        for (index, compression) in [CacheLimits.Compression.zstd, .none, .zstd].enumerated() {
            let cache = try BreakpointCache(
                path: directory.file("cache.db"), limits: CacheLimits(blockBytes: 8000, compression: compression), vfs: disk.name)
            let range = index * 200..<index * 200 + 200
            _ = try cache.commit(
                [LaneAppend(lane: "cloud", firstSequence: Int64(range.lowerBound + 1), messages: Array(messages[range]))],
                acknowledgements: [], now: start)
            #expect(try cache.readAll("cloud", count: 7).contents == messages[..<range.upperBound].map(MessageContent.init))
            cache.close()
        }
        let cache = try BreakpointCache(path: directory.file("cache.db"), limits: CacheLimits(), vfs: disk.name)
        func bytes(_ first: Int, _ last: Int) throws -> Int64 {
            try cache.database.integer("SELECT sum(length(data)) FROM block WHERE last BETWEEN \(first) AND \(last)") ?? 0
        }
        #expect(try bytes(1, 200) * 3 < bytes(201, 400))
    }

    @Test("what does not become smaller stays as it is")
    func random() throws {
        var random = SeededRandom(seed: 1)
        let cache = try BreakpointCache(path: directory.file("cache.db"), limits: CacheLimits(compression: .zstd), vfs: disk.name)
        let messages = (1...50).map { _ in makeMessage("t", random.bytes(100)) }
        _ = try cache.commit(
            [LaneAppend(lane: "cloud", firstSequence: 1, messages: messages)], acknowledgements: [], now: start)
        #expect(try cache.database.integer("SELECT hex(substr(data, 1, 1)) FROM block") == 1)
        #expect(try cache.readAll("cloud").contents == messages.map(MessageContent.init))
    }

    @Test("what cannot be compressed is tried less and less often, and what can is compressed again before long")
    func compressionTrial() throws {
        var trial = CompressionTrial()
        var tried: [Int] = []
        for number in 0..<64 where trial.isDue() {
            tried.append(number)
            trial.ended(hasShrunk: false)
        }
        #expect(tried == [0, 2, 6, 14, 30, 46, 62])
        trial.ended(hasShrunk: true)
        #expect(trial.isDue() && trial.isDue())
    }

    @Test("random bytes are stored as they are")
    func incompressible() throws {
        var sizes: [Int64] = []
        for compression in CacheLimits.Compression.allCases {
            let path = directory.file("\(compression).db")
            let cache = try BreakpointCache(path: path, limits: CacheLimits(compression: compression), vfs: disk.name)
            var random = SplitMix64(seed: 1)
            for sequence in 1...40 {
                let payload = (0..<200).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                let append = LaneAppend(lane: "cloud", firstSequence: Int64(sequence), messages: [makeMessage("t", payload)])
                _ = try cache.commit([append], acknowledgements: [], now: start)
            }
            sizes.append(try cache.status().bytes)
        }
        #expect(sizes[0] == sizes[1])
    }

    @Test("a compressed block with wrong bytes under a right check sum is damaged, never a trap", arguments: 1...200)
    func fuzz(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var encoder = CacheBlockEncoder()
        encoder.start()
        for number in 1...40 { encoder.append(post(number), expiresAt: nil) }
        encoder.finish(key: 1, compression: BlockCompression())
        var block = Array(encoder.bytes.dropLast(CacheBlock.trailerSize))
        #expect(block[0] == CacheBlock.Version.zstd)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            block[Int.random(in: 0..<block.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
        }
        let sum = block.withUnsafeBytes { CacheBlock.checkSum(key: 1, $0) }
        withUnsafeBytes(of: sum.littleEndian) { block.append(contentsOf: $0) }
        guard var decoder = block.withUnsafeBytes({ CacheBlockDecoder($0, key: 1, last: 40) }) else { return }
        var count = 0
        decoder.walk { _ in
            count += 1
            return true
        }
        #expect(count <= 40, "seed \(seed)")
    }
}
