import TestSupport
import Testing

@testable import Store

@Suite("Integer table")
struct IntegerTableTests {
    @Test("it holds what a dictionary holds", arguments: 1...20)
    func sameAsDictionary(seed: UInt64) {
        struct Pair: Hashable {
            var first: Int64
            var second: Int64
        }
        var random = SeededRandom(seed: seed)
        var table = IntegerTable(expecting: 0)
        var dictionary: [Pair: Int] = [:]
        for value in 0..<5_000 {
            let pair = Pair(first: Int64.random(in: -40...40, using: &random), second: Int64.random(in: -2...300, using: &random))
            table[pair.first, pair.second] = value
            dictionary[pair] = value
        }
        for first: Int64 in -40...40 {
            for second: Int64 in -2...300 {
                #expect(table[first, second] == dictionary[Pair(first: first, second: second)], "seed \(seed)")
            }
        }
    }
}
