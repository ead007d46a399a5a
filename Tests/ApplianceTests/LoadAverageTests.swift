import Testing

@testable import Appliance

@Suite("Load averages")
struct LoadAverageTests {
    @Test("a steady rate is reached after some windows, whatever the interval")
    func steady() {
        for interval in [1.0, 10, 60] {
            var load = LoadAverage()
            var time = 0.0
            while time < 4500 {
                time += interval
                // 2 a second are 120 a minute.
                load.update(count: UInt64(time * 2), after: interval)
            }
            for value in load.perMinute { #expect(abs(value - 120) < 1, "interval \(interval)") }
        }
    }

    @Test("what has stopped falls to 1/e within its window")
    func falling() {
        var load = LoadAverage()
        for second in 1...9000 { load.update(count: UInt64(second * 10), after: 1) }
        load.update(count: 90_000, after: 60)
        #expect(abs(load.perMinute[0] - 600 * 0.3679) < 1)
    }

    @Test("is written with two digits", arguments: [(0.0, "0.00"), (0.999, "1.00"), (12.345, "12.35"), (7.04, "7.04")])
    func text(value: Double, text: String) {
        #expect(LoadAverage.text(value) == text)
    }
}
