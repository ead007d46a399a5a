import Core
import FieldBus
import Testing

@Suite("GPIO driver", .timeLimit(.minutes(1)))
struct GPIODriverTests {
    private static let chip = GPIOChip(
        path: "/dev/gpiochip0", label: "simulated",
        lines: (0..<4).map { GPIOChip.Line(name: "L\($0)") })
    private let device = DeviceIdentifier(productKey: "cabinet", deviceKey: "c1")

    private func input(_ offset: Int, debounce: Duration = .zero) -> GPIOBus.Line {
        var settings = GPIOLineSettings(direction: .input(edges: true))
        settings.debounce = debounce
        return GPIOBus.Line(chip: Self.chip, offset: offset, settings: settings)
    }

    private func output(_ offset: Int, initial: Bool, activeLow: Bool = false) -> GPIOBus.Line {
        var settings = GPIOLineSettings(direction: .output(initial: initial))
        settings.activeLow = activeLow
        return GPIOBus.Line(chip: Self.chip, offset: offset, settings: settings)
    }

    private func bus(
        _ chips: SimulatedGPIOChips, _ line: GPIOBus.Line, _ points: [(String, PointType, GPIOBus.Use)], interval: Duration = .milliseconds(20)
    ) -> GPIOBus {
        let points = points.map { name, type, use in
            var point = GPIOBus.Point(identifier: name, type: type, use: use, line: 0, interval: interval)
            switch use {
            case .output, .pulseCount: point.writable = true
            case .level, .frequency: break
            }
            return point
        }
        return GPIOBus(name: "lines", chips: chips, lines: [line], devices: [.init(identifier: device, points: points)])
    }

    @Test("an edge is delivered at once, with the time at which the kernel saw it")
    func edge() async throws {
        let chips = SimulatedGPIOChips([Self.chip])
        // A minute's interval, so that nothing but the edge can bring the level.
        try await BusRun.with(bus(chips, input(1), [("door", .bool, .level)], interval: .seconds(60))) { run in
            #expect(await run.sample("door")?.value == .bool(false))
            let before = SystemClock.wall()
            chips.drive("gpiochip0", 1, high: true, at: MonotonicTime(nanoseconds: SystemClock.monotonic().nanoseconds - 5_000_000_000))
            let sample = try #require(await run.sample("door"))
            #expect(sample.value == .bool(true))
            let age = SystemClock.wall().milliseconds - sample.time.milliseconds
            #expect(age >= 4999 && sample.time < before)
        }
    }

    @Test("a level that bounces is delivered once, when it has lasted")
    func debounce() async throws {
        let chips = SimulatedGPIOChips([Self.chip])
        try await BusRun.with(bus(chips, input(1, debounce: .milliseconds(30)), [("door", .bool, .level), ("edges", .ulint, .pulseCount(.both))])) { run in
            #expect(await run.sample("door")?.value == .bool(false))
            let now = SystemClock.monotonic()
            for index in 0..<7 { chips.drive("gpiochip0", 1, high: index % 2 == 0, at: now + .milliseconds(index)) }
            #expect(await run.sample("door") { $0.value == .bool(true) } != nil)
            #expect(await run.sample("edges") { $0.value != .uint(0) }?.value == .uint(1))
        }
    }

    @Test("pulses are counted, and a count can be set")
    func count() async throws {
        let chips = SimulatedGPIOChips([Self.chip])
        try await BusRun.with(bus(chips, input(0), [("water", .ulint, .pulseCount(.rising))])) { run in
            #expect(await run.sample("water")?.value == .uint(0))
            let now = SystemClock.monotonic()
            for index in 0..<1000 { chips.drive("gpiochip0", 0, high: index % 2 == 0, at: now + .microseconds(index)) }
            let sample = try #require(await run.sample("water") { $0.value == .uint(500) })
            #expect(sample.quality == .good)
            #expect(await run.driver.write(device: device, values: [.init(point: "water", value: .uint(12_000))]).map(\.outcome) == [.written])
            #expect(await run.sample("water") { $0.value == .uint(12_000) } != nil)
        }
    }

    @Test("edges that a full queue lost are counted by their numbers")
    func overflowWithNumbers() async throws {
        let chips = SimulatedGPIOChips([Self.chip], capacity: 16)
        try await BusRun.with(bus(chips, input(0), [("water", .ulint, .pulseCount(.rising))])) { run in
            #expect(await run.sample("water") != nil)
            let now = SystemClock.monotonic()
            // The first is read before the others, whose number it is needed for.
            chips.drive("gpiochip0", 0, high: true, at: now)
            #expect(await run.sample("water") { $0.value == .uint(1) } != nil)
            for index in 1...20_000 { chips.drive("gpiochip0", 0, high: index % 2 == 0, at: now + .microseconds(index)) }
            let sample = try #require(await run.sample("water") { $0.value == .uint(10_001) })
            #expect(sample.quality == .good)
        }
    }

    @Test("without numbers, a queue that may have overflowed makes the count uncertain")
    func overflowWithoutNumbers() async throws {
        let chips = SimulatedGPIOChips([Self.chip], capacity: 1, numbersEdges: false)
        try await BusRun.with(bus(chips, input(0), [("water", .ulint, .pulseCount(.rising))])) { run in
            #expect(await run.sample("water")?.quality == .good)
            let now = SystemClock.monotonic()
            var index = 0
            var found: Sample?
            while found == nil, index < 1_000_000 {
                for _ in 0..<1000 {
                    index += 1
                    chips.drive("gpiochip0", 0, high: index % 2 == 0, at: now + .microseconds(index))
                }
                found = await run.sample("water")
                if found?.quality.isGood == true { found = nil }
            }
            #expect(found?.quality == .uncertain(.edgesLost))
            #expect(found?.value != nil)
        }
    }

    @Test("a frequency is that of the edges")
    func frequency() async throws {
        let chips = SimulatedGPIOChips([Self.chip])
        try await BusRun.with(bus(chips, input(0), [("speed", .lreal, .frequency)], interval: .milliseconds(100))) { run in
            #expect(await run.event { $0 == .opened } != nil)
            let now = SystemClock.monotonic()
            for index in 0..<100 { chips.drive("gpiochip0", 0, high: index % 2 == 0, at: now + .milliseconds(index)) }
            let sample = await run.sample("speed") { $0.value != nil && $0.value != .lreal(0) }
            guard case .lreal(let hertz) = sample?.value else {
                Issue.record("no frequency")
                return
            }
            #expect(abs(hertz - 500) < 1e-6)
        }
    }

    @Test("an output has its state from the start, is written and read back, and has its state at exit", arguments: [false, true])
    func output(activeLow: Bool) async throws {
        let chips = SimulatedGPIOChips([Self.chip])
        let plan = bus(chips, output(3, initial: true, activeLow: activeLow), [("siren", .bool, .output(initial: true, atExit: .off))])
        try await BusRun.with(plan) { run in
            #expect(await run.sample("siren")?.value == .bool(true))
            #expect(chips.isHigh("gpiochip0", 3) != activeLow)
            let results = await run.driver.write(device: device, values: [.init(point: "siren", value: .bool(false)), .init(point: "siren", value: .int(1)), .init(point: "none", value: .bool(true))])
            #expect(results.map(\.outcome) == [.written, .typeMismatch(expected: .bool), .unknownPoint])
            #expect(chips.isHigh("gpiochip0", 3) == activeLow)
            #expect(await run.driver.write(device: device, values: [.init(point: "siren", value: .bool(true))]).map(\.outcome) == [.written])
        }
        #expect(chips.isHigh("gpiochip0", 3) == activeLow)
        #expect(chips.settings("gpiochip0", 3) == nil, "the line was not given back")
    }

    @Test("a line that another program has makes its points bad, with an event, and comes back when it is free")
    func inUse() async throws {
        let chips = SimulatedGPIOChips([Self.chip])
        var other: (any GPIOLine)? = try chips.request(Self.chip, offset: 1, GPIOLineSettings(direction: .input(edges: false)), consumer: "other")
        _ = try other?.level()
        try await BusRun.with(bus(chips, input(1), [("door", .bool, .level)])) { run in
            #expect(await run.sample("door")?.quality == .bad(.notConnected))
            #expect(await run.event { if case .openFailed(let detail) = $0 { detail.contains("in use") } else { false } } != nil)
            other = nil
            #expect(await run.sample("door") { $0.quality == .good } != nil)
        }
    }
}
