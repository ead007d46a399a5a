import Core
import Testing

@testable import FieldBus

struct AnswerTimesTests {
    @Test("percentiles are right within an eighth")
    func percentiles() throws {
        var times = AnswerTimes()
        #expect(times.percentile(0.5) == nil)
        for millisecond in 1...1000 { times.record(.milliseconds(millisecond)) }
        for (share, expected) in [(0.01, 10.0), (0.5, 500), (0.99, 990)] {
            let found = Double(try #require(times.percentile(share)).wholeNanoseconds) / 1e6
            #expect(found > expected * 0.87 && found < expected * 1.13, "\(share): \(found)")
        }
    }

    @Test("a device that has become slow shows it, however long it was fast")
    func forgets() throws {
        var times = AnswerTimes()
        for _ in 0..<100_000 { times.record(.milliseconds(2)) }
        for _ in 0..<30_000 { times.record(.milliseconds(80)) }
        #expect(try #require(times.percentile(0.5)) > .milliseconds(60))
    }

    @Test("any time has a class")
    func extremes() {
        var times = AnswerTimes()
        times.record(.zero)
        times.record(.seconds(1_000_000))
        #expect(times.percentile(0).map { $0 < .milliseconds(1) } == true)
        #expect(times.percentile(1).map { $0 > .seconds(30) } == true)
    }
}
