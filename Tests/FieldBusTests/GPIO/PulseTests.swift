import Core
import FieldBus
import TestSupport
import Testing

private func edge(_ level: Bool, _ milliseconds: Int64, _ sequence: UInt64? = nil) -> GPIOEdge {
    GPIOEdge(level: level, time: time(milliseconds), sequence: sequence)
}

private func time(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

@Suite("Pulse counter")
struct PulseCounterTests {
    @Test("it counts the edges that it is to count", arguments: [(PulseCounter.Edges.rising, UInt64(3)), (.falling, 2), (.both, 5)])
    func counts(edges: PulseCounter.Edges, expected: UInt64) {
        var counter = PulseCounter(edges: edges, level: false)
        for (index, level) in [true, false, true, false, true].enumerated() { counter.take(edge(level, Int64(index))) }
        #expect(counter.count == expected)
        #expect(!counter.isUncertain)
    }

    @Test("edges that sequence numbers tell to be missing are counted", arguments: PulseCounter.Edges.allCases)
    func countsLostEdges(edges: PulseCounter.Edges) {
        for seed in UInt64(0)..<200 {
            var random = SeededRandom(seed: seed)
            var all = PulseCounter(edges: edges, level: false)
            var some = all
            // The first and the last are kept: what is missing before the first number cannot be told.
            let count = UInt64.random(in: 2...40, using: &random)
            for number in 1...count {
                let one = edge(number % 2 == 1, Int64(number), number)
                all.take(one)
                if number == 1 || number == count || Bool.random(using: &random) { some.take(one) }
            }
            #expect(some.count == all.count, "seed \(seed)")
            #expect(!some.isUncertain, "seed \(seed)")
        }
    }

    @Test("a level that comes twice without sequence numbers makes the count uncertain")
    func noticesLoss() {
        var counter = PulseCounter(edges: .rising, level: false)
        counter.take(edge(true, 1))
        #expect(!counter.isUncertain)
        counter.take(edge(true, 2))
        #expect(counter.isUncertain)
        #expect(counter.count == 2)
    }

    @Test("setting the count makes it certain again")
    func canBeSet() {
        var counter = PulseCounter(edges: .rising, level: false)
        counter.noteLoss()
        counter.set(1000)
        counter.take(edge(true, 1))
        #expect(counter.count == 1001)
        #expect(!counter.isUncertain)
    }

    @Test("the count wraps around")
    func wraps() {
        var counter = PulseCounter(edges: .both, level: false)
        counter.set(.max)
        counter.take(edge(true, 1))
        #expect(counter.count == 0)
    }
}

@Suite("Frequency meter")
struct FrequencyMeterTests {
    @Test("the frequency is that between the edges, whatever the window cuts")
    func isExact() {
        var meter = FrequencyMeter(window: .seconds(1), start: time(0))
        for millisecond in stride(from: Int64(10), to: 1000, by: 7) { meter.take(edge(true, millisecond)) }
        let first = meter.read(now: time(1000)) ?? 0
        #expect(abs(first - 1000.0 / 7) < 1e-9)
        for millisecond in stride(from: Int64(1004), to: 2000, by: 7) { meter.take(edge(true, millisecond)) }
        let second = meter.read(now: time(2000)) ?? 0
        #expect(abs(second - 1000.0 / 7) < 1e-9)
    }

    @Test("a signal that is slower than the window keeps its frequency between its edges")
    func slowSignal() {
        var meter = FrequencyMeter(window: .seconds(1), start: time(0))
        meter.take(edge(true, 100))
        #expect(meter.read(now: time(1000)) == nil)
        meter.take(edge(true, 2100))
        #expect(meter.read(now: time(2500)) == 0.5)
        #expect(meter.read(now: time(3500)) == 0.5)
    }

    @Test("after the last edge the frequency falls, and is 0 after ten windows")
    func stops() {
        var meter = FrequencyMeter(window: .seconds(1), start: time(0))
        meter.take(edge(true, 100))
        meter.take(edge(true, 600))
        #expect(meter.read(now: time(1000)) == 2)
        #expect(meter.read(now: time(4600)) == 0.25)
        #expect(meter.read(now: time(10_600)) == 0)
        #expect(meter.read(now: time(11_600)) == 0)
    }

    @Test("a line that never moves has the frequency 0 after ten windows")
    func neverMoves() {
        var meter = FrequencyMeter(window: .seconds(1), start: time(0))
        #expect(meter.read(now: time(9000)) == nil)
        #expect(meter.read(now: time(10_000)) == 0)
    }

    @Test("falling edges do not count")
    func risingOnly() {
        var meter = FrequencyMeter(window: .seconds(1), start: time(0))
        for millisecond in stride(from: Int64(0), to: 1000, by: 10) { meter.take(edge(millisecond % 20 == 0, millisecond)) }
        #expect(meter.read(now: time(1000)) == 50)
    }
}

@Suite("Debouncer")
struct DebouncerTests {
    @Test("bounces are left out and the edge that lasts keeps its time")
    func bounces() {
        var debouncer = Debouncer(period: .milliseconds(5), level: false)
        #expect(debouncer.take(edge(true, 100)) == nil)
        #expect(debouncer.take(edge(false, 101)) == nil)
        #expect(debouncer.take(edge(true, 102)) == nil)
        #expect(debouncer.deadline == time(107))
        #expect(debouncer.settle(now: time(106)) == nil)
        #expect(debouncer.settle(now: time(107)) == edge(true, 102))
        #expect(debouncer.deadline == nil)
    }

    @Test("a pulse that is shorter than the period is nothing")
    func shortPulse() {
        var debouncer = Debouncer(period: .milliseconds(5), level: false)
        #expect(debouncer.take(edge(true, 100)) == nil)
        #expect(debouncer.take(edge(false, 104)) == nil)
        #expect(debouncer.deadline == nil)
        #expect(debouncer.settle(now: time(200)) == nil)
    }

    @Test("an edge that comes late shows that the one before lasted")
    func lateEdge() {
        var debouncer = Debouncer(period: .milliseconds(5), level: false)
        #expect(debouncer.take(edge(true, 100)) == nil)
        #expect(debouncer.take(edge(false, 200)) == edge(true, 100))
        #expect(debouncer.settle(now: time(205)) == edge(false, 200))
    }
}
