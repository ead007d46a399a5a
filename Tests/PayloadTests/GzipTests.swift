import Payload
import TestSupport
import Testing

@Suite("Gzip")
struct GzipTests {
    private func open(_ bytes: [UInt8], limit: Int) throws -> [UInt8] {
        try bytes.withUnsafeBytes { try Gzip.decompress($0, limit: limit) }
    }

    @Test("what was compressed comes back, of any size", arguments: [0, 1, 255, 256, 257, 1000, 100_000])
    func roundTrip(_ count: Int) throws {
        var random = SeededRandom(seed: UInt64(count))
        for bytes in [random.bytes(count), [UInt8](repeating: 7, count: count)] {
            let packed = Gzip.compress(bytes)
            #expect(packed.withUnsafeBytes { Gzip.isGzip($0) })
            #expect(try open(packed, limit: max(1, count)) == bytes)
        }
    }

    @Test("more than the limit is refused, whatever the data says")
    func limit() {
        let packed = Gzip.compress([UInt8](repeating: 0, count: 10_000_000))
        #expect(packed.count < 20_000)
        #expect(throws: GzipError.tooLarge(limit: 9_999_999)) { try open(packed, limit: 9_999_999) }
        #expect(throws: GzipError.tooLarge(limit: 1)) { try open(packed, limit: 1) }
    }

    @Test("data that ends early, has a bit turned round or something behind it is damaged")
    func damage() {
        let packed = Gzip.compress(Array("a text that repeats: a text that repeats".utf8))
        for count in 0..<packed.count { #expect(throws: GzipError.damaged) { try open(Array(packed[..<count]), limit: 1000) } }
        #expect(throws: GzipError.damaged) { try open(packed + [0], limit: 1000) }
        for bytes in packed.bitFlips { _ = try? open(bytes, limit: 1000) }
    }
}
