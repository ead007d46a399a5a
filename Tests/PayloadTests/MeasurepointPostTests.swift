import Core
import Payload
import Testing

@Suite("Measurement-point posts")
struct MeasurepointPostTests {
    private func posts(_ samples: [Sample], from identifier: UInt64 = 1) -> (texts: [String], times: [Int64], next: UInt64) {
        var post = MeasurepointPost()
        var identifier = identifier
        var texts: [String] = []
        var times: [Int64] = []
        post.write(samples, identifier: &identifier) { bytes, time in
            texts.append(String(decoding: bytes, as: UTF8.self))
            times.append(time.milliseconds)
        }
        return (texts, times, identifier)
    }

    private func sample(_ point: String, _ value: Value?, _ quality: Quality = .good, at time: Int64 = 1000) -> Sample {
        Sample(point: point, value: value, quality: quality, time: Timestamp(milliseconds: time))
    }

    @Test("value, quality, reason and time stand in one envelope")
    func envelope() {
        let result = posts([
            sample("temp", .real(21.5)), sample("flow", nil, .bad(.timeout)), sample("level", .int(3), .uncertain(.outOfRange)),
        ], from: 17)
        #expect(result.texts == [
            #"{"id":"17","version":"1.1","method":"thing.measurepoint.post","params":{"measurepoints":{"temp":{"value":21.5,"quality":9},"#
                + #""flow":{"value":null,"quality":0,"reason":"timeout"},"level":{"value":3,"quality":4,"reason":"out-of-range"}},"time":1000}}"#
        ])
        #expect(result.next == 18)
    }

    @Test("samples of different times go into posts of their own, in the order of the times' first samples")
    func times() {
        let result = posts([
            sample("a", .int(1), at: 2), sample("b", .int(2), at: 1), sample("c", .int(3), at: 2), sample("a", .int(4), at: 1),
        ])
        #expect(result.times == [2, 1])
        #expect(result.texts.first?.contains(#"{"a":{"value":1,"quality":9},"c":{"value":3,"quality":9}}"#) == true)
        #expect(result.texts.last?.contains(#"{"b":{"value":2,"quality":9},"a":{"value":4,"quality":9}}"#) == true)
    }

    @Test("a point that appears twice at one time goes into two posts")
    func twice() {
        let result = posts([sample("a", .int(1)), sample("a", .int(2)), sample("b", .int(3))])
        #expect(result.texts.count == 2)
        #expect(result.texts.first?.contains(#"{"a":{"value":1,"quality":9},"b":{"value":3,"quality":9}}"#) == true)
        #expect(result.texts.last?.contains(#"{"a":{"value":2,"quality":9}}"#) == true)
    }

    private struct Pattern: CustomTestStringConvertible {
        var testDescription: String
        var posts: Int
        var place: @Sendable (Int) -> (point: String, time: Int64)
    }

    private static let patterns = [
        Pattern(testDescription: "each at its own time", posts: 100_000) { ("p", Int64($0)) },
        Pattern(testDescription: "one point at one time", posts: 100_000) { _ in ("p", 7) },
        Pattern(testDescription: "some points at each of many times, in disorder", posts: 40_009) { ("p\($0 % 5)", Int64($0 * 7919 % 40_009)) },
    ]

    @Test("a long reading takes time in proportion to its samples", .timeLimit(.minutes(1)), arguments: patterns)
    private func long(pattern: Pattern) {
        var post = MeasurepointPost()
        var identifier: UInt64 = 1
        let samples = (0..<100_000).map { index in
            let (point, time) = pattern.place(index)
            return sample(point, .int(1), at: time)
        }
        post.write(samples, identifier: &identifier) { _, _ in }
        #expect(identifier == UInt64(pattern.posts) + 1)
    }

    @Test("ten thousand samples of as many times are ten thousand posts in the order of the times")
    func manyTimes() {
        let result = posts((0..<10_000).map { sample("a", .int(Int64($0)), at: Int64(20_000 - $0)) })
        #expect(result.times == (0..<10_000).map { Int64(20_000 - $0) })
        #expect(result.next == 10_001)
    }

    @Test("no samples make no post, and many large ones several")
    func sizes() {
        #expect(posts([]).texts.isEmpty)
        let large = (0..<100).map { sample("p\($0)", .string(String(repeating: "x", count: 10_000))) }
        let result = posts(large)
        #expect(result.texts.count == 4)
        for text in result.texts {
            #expect(text.utf8.count < 512 * 1024)
            #expect(scanError(text) == nil)
        }
    }

    @Test("every post is JSON, whatever names and values are")
    func names() throws {
        let result = posts([sample("a\"b\n", .string("\u{0}\\")), sample("é", .lreal(.nan))])
        #expect(scanError(try #require(result.texts.first)) == nil)
    }
}
