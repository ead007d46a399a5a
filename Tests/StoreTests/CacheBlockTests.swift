import Core
import TestSupport
import Testing

@testable import Store

@Suite("Cache block")
struct CacheBlockTests {
    private func encode(_ messages: [Message], key: Int64, now: Moment = start) -> [UInt8] {
        var encoder = CacheBlockEncoder()
        encoder.start()
        for message in messages { encoder.append(message, expiresAt: now.wallTime(of: message.expiresAt)) }
        encoder.finish(key: key)
        return Array(encoder.bytes)
    }

    private func decode(_ bytes: [UInt8], key: Int64, last: Int64) -> (messages: [CachedMessage], damaged: Bool)? {
        guard var decoder = bytes.withUnsafeBytes({ CacheBlockDecoder($0, key: key, last: last) }) else { return nil }
        var messages: [CachedMessage] = []
        var size = 0
        decoder.read(into: &messages, bytes: &size, maximumCount: .max, maximumBytes: .max, now: start)
        return (messages, decoder.isDamaged)
    }

    private func randomMessages(_ random: inout SeededRandom) -> [Message] {
        (0..<Int.random(in: 1...200, using: &random)).map { _ in
            makeMessage(
                String(repeating: "t", count: Int.random(in: 1...5, using: &random)) + "/\(random.next() % 30)",
                random.bytes(random.below(41)),
                properties: Bool.random(using: &random) ? [] : [1, 1, 2],
                qos: QoS.allCases.randomElement(using: &random) ?? .atMostOnce, retain: Bool.random(using: &random),
                expiresAt: Bool.random(using: &random) ? .distantFuture : start.monotonic + .seconds(random.next() % 9),
                publishedAt: Timestamp(milliseconds: Int64(bitPattern: random.next())))
        }
    }

    @Test("messages come back from a block as they went in", arguments: 1...20)
    func roundTrip(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let messages = randomMessages(&random)
        let key = CacheKey.key(lane: 3, sequence: 70)
        let decoded = try #require(decode(encode(messages, key: key), key: key, last: 69 + Int64(messages.count)))
        #expect(decoded.messages.map { MessageContent($0.message) } == messages.map(MessageContent.init), "seed \(seed)")
        #expect(decoded.messages.map(\.sequence) == Array(70..<70 + Int64(messages.count)))
        #expect(!decoded.damaged)
    }

    @Test("a topic is stored once in a block")
    func dictionary() {
        let topic = String(repeating: "x", count: 1000)
        let block = encode((0..<100).map { makeMessage($0 % 2 == 0 ? topic : "other", []) }, key: 1)
        #expect(block.count < 1000 + 100 * 6)
    }

    @Test("thousands of topics in one block are told apart")
    func manyTopics() throws {
        let messages = (0..<20_000).map { makeMessage("device/\($0 % 5000)", [UInt8($0 & 0xFF)]) }
        let decoded = try #require(decode(encode(messages, key: 1), key: 1, last: 20_000))
        #expect(decoded.messages.map { MessageContent($0.message) } == messages.map(MessageContent.init))
    }

    @Test("a block cut short anywhere is found out")
    func truncated() {
        let block = encode(makeMessages(1...50), key: 1)
        for length in 0..<block.count { #expect(decode(Array(block[..<length]), key: 1, last: 50) == nil) }
    }

    @Test("one wrong bit anywhere in a block is found out")
    func bitFlips() {
        let block = encode(makeMessages(1...20), key: 1)
        for damaged in block.bitFlips { #expect(decode(damaged, key: 1, last: 20) == nil) }
    }

    @Test("a block in the place of another one is found out")
    func wrongPlace() {
        let block = encode(makeMessages(1...20), key: 1)
        #expect(decode(block, key: 2, last: 21) == nil)
        #expect(decode(block, key: 1, last: 19) == nil)
    }

    @Test("bytes of a block that make no sense under a right check sum end the walk", arguments: 1...200)
    func fuzz(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let messages = randomMessages(&random)
        var block = encode(messages, key: 1)
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            block[Int.random(in: 5..<block.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        if Bool.random(using: &random) { block.removeSubrange(Int.random(in: 5..<block.count, using: &random)...) }
        let checkSum = block.withUnsafeBytes { CacheBlock.checkSum(key: 1, $0) }
        withUnsafeBytes(of: checkSum.littleEndian) { block.append(contentsOf: $0) }
        let decoded = decode(block, key: 1, last: Int64(messages.count))
        #expect((decoded?.messages.count ?? 0) <= messages.count, "seed \(seed)")
        if let decoded, !decoded.damaged { #expect(decoded.messages.count == messages.count, "seed \(seed)") }
    }

    @Test("a topic longer than MQTT allows is damage, even under a right check sum")
    func impossibleTopic() {
        var block: [UInt8] = [CacheBlock.Version.whole, 1, 0, 0, 0, 1, 0]
        block += [0xF0, 0xA2, 0x04] + [UInt8](repeating: 0x61, count: 70_000)  // 70,000 as a varint
        block += [0, 0]
        let checkSum = block.withUnsafeBytes { CacheBlock.checkSum(key: 1, $0) }
        withUnsafeBytes(of: checkSum.littleEndian) { block.append(contentsOf: $0) }
        let decoded = decode(block, key: 1, last: 1)
        #expect(decoded?.damaged == true && decoded?.messages.isEmpty == true)
    }

    @Test("the check sum is CRC-32C of RFC 3720")
    func checkSum() {
        #expect([UInt8](repeating: 0, count: 32).withUnsafeBytes { CRC32C.update(0, $0) } == 0x8A91_36AA)
        #expect([UInt8](0..<32).withUnsafeBytes { CRC32C.update(0, $0) } == 0x46DD_794E)
        #expect(Array("123456789".utf8).withUnsafeBytes { CRC32C.update(0, $0) } == 0xE306_9283)
    }

    @Test("numbers of every length come back, and one that is too long does not", arguments: 0...63)
    func varints(bits: Int) {
        var buffer = EncodingBuffer(capacity: 1)
        buffer.append(varint: 1 << bits)
        buffer.append(zigzag: -1 << bits)
        var cursor = ByteCursor(buffer.bytes)
        #expect(cursor.varint() == 1 << bits)
        #expect(cursor.zigzag() == -1 << bits)
        #expect(cursor.varint() == nil)
        [UInt8](repeating: 0xFF, count: 10).withUnsafeBytes {
            var cursor = ByteCursor($0)
            #expect(cursor.varint() == nil)
        }
    }
}

@Suite("Message record")
struct MessageRecordTests {
    private let message = makeMessage("a/b", [1, 2, 3], properties: [9, 9], qos: .exactlyOnce, retain: true)

    private var record: [UInt8] {
        var buffer = EncodingBuffer(capacity: 16)
        MessageRecord.encode(message, into: &buffer)
        return Array(buffer.bytes)
    }

    private func decode(_ bytes: [UInt8]) -> Message? {
        bytes.withUnsafeBytes { MessageRecord.decode($0, expiresAt: .distantFuture) }
    }

    @Test("a message comes back from its record")
    func roundTrip() throws {
        #expect(MessageContent(try #require(decode(record))) == MessageContent(message))
    }

    @Test("a record cut short, or with one wrong bit, is found out")
    func damage() {
        for length in record.indices { #expect(decode(Array(record[..<length])) == nil) }
        for damaged in record.bitFlips { #expect(decode(damaged) == nil) }
    }
}
