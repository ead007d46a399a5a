import TestSupport
import Testing

@testable import martlet

@Suite("Latency histogram")
struct LatencyHistogramTests {
    @Test("without samples there is no percentile")
    func empty() {
        let histogram = LatencyHistogram()
        #expect(histogram.percentile(0.5) == nil)
        #expect(histogram.maximum == 0)
    }

    @Test("small values are exact")
    func smallValues() {
        var histogram = LatencyHistogram()
        for value in 1...100 { histogram.record(Int64(value)) }
        #expect(histogram.percentile(0) == 1)
        #expect(histogram.percentile(0.5) == 50)
        #expect(histogram.percentile(0.9) == 90)
        #expect(histogram.percentile(0.99) == 99)
        #expect(histogram.percentile(1) == 100)
    }

    @Test("a percentile is never below the true one and at most 1/64 above it")
    func precision() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededRandom(seed: seed)
        var histogram = LatencyHistogram()
        var samples: [Int64] = []
        for _ in 0..<5000 {
            let value = Int64(bitPattern: generator.next() >> UInt64.random(in: 24...60, using: &generator))
            samples.append(value)
            histogram.record(value)
        }
        samples.sort()
        for share in [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1] {
            let exact = samples[max(1, Int((share * 5000).rounded(.up))) - 1]
            let found = histogram.percentile(share) ?? -1
            #expect(found >= exact && found <= exact + exact / 64 + 1, "seed \(seed), share \(share)")
        }
    }

    @Test("what is longer than the largest bucket keeps its maximum")
    func beyondTheLargestBucket() {
        var histogram = LatencyHistogram()
        histogram.record(.max)
        histogram.record(-5)
        #expect(histogram.count == 2)
        #expect(histogram.maximum == .max)
        #expect(histogram.percentile(0.5) == 0)
        #expect(histogram.percentile(1) == LatencyHistogram.largest)
    }
}
