public import Core
import Glibc

/// Watches GPIO lines: their edges as they come, with the kernel's time, and their points at their intervals. The driver's
/// thread waits for edges in poll(); a write ends that wait.
public actor GPIODriver: FieldBusDriver {
    /// The longest wait for edges, after which the status can be asked and a line that was lost is tried again.
    private static let longestWait = Duration.milliseconds(100)
    private static let retryAfter = Duration.seconds(5)

    private nonisolated let executor: ThreadExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    public nonisolated let name: String
    let bus: GPIOBus
    private nonisolated let wakeUp: WakeUp
    private nonisolated let writes = WriteQueue()
    private nonisolated let record: BusRecord
    var lines: [WatchedLine]
    /// By device and point.
    var states: [[GPIOPointState]]
    private var retryAt = MonotonicTime.zero
    private var isRunning = false

    /// Takes no line yet.
    public init(bus: GPIOBus) throws(FieldBusError) {
        name = bus.name
        self.bus = bus
        wakeUp = try WakeUp()
        let debounces = bus.chips.debounces
        lines = bus.lines.map { WatchedLine($0, kernelDebounces: debounces) }
        let now = SystemClock.monotonic()
        states = bus.devices.map { $0.points.map { GPIOPointState($0, now: now) } }
        record = BusRecord(name: bus.name, protocolName: "gpio", devices: bus.deviceIdentifiers)
        executor = ThreadExecutor(name: bus.name)
    }

    public func run(
        deliver: @escaping @Sendable (DeviceReading) -> Void, events: @escaping @Sendable (BusEvent) -> Void
    ) async {
        record.begin(deliver: deliver, events: events)
        isRunning = true
        retryAt = .zero
        let groups = bus.devices.indices.flatMap { device in
            Set(bus.devices[device].points.map(\.interval)).sorted().map { (device: device, interval: $0) }
        }
        openLines()
        var grid = IntervalGrid(intervals: groups.map(\.interval), start: SystemClock.monotonic())
        while !Task.isCancelled {
            takeEdges()
            for index in grid.take(now: SystemClock.monotonic()) {
                report(device: groups[index].device) { $0.interval == groups[index].interval }
            }
            record.setOverruns(grid.overruns)
            let now = SystemClock.monotonic()
            if now >= retryAt, lines.contains(where: { $0.line == nil }) { openLines() }
            let deadlines = lines.compactMap(\.deadline) + [grid.next].compactMap(\.self)
            wait(until: min(deadlines.min() ?? .distantFuture, now + Self.longestWait))
            await Task.yield()
        }
        leave()
    }

    public nonisolated func write(device: DeviceIdentifier, values: [PointValue]) async -> [WriteResult] {
        await writes.admit(values) { values in
            wakeUp.signal()
            return await performWrite(device: device, values: values)
        }
    }

    public nonisolated func status() -> BusStatus { record.status(now: SystemClock.monotonic()) }

    // MARK: Lines

    private func openLines() {
        var problems: [String] = []
        for index in lines.indices where lines[index].line == nil {
            do throws(FieldBusError) {
                try lines[index].open(bus.chips)
                // Edges that came while nobody watched are not known.
                forEachState(of: index) { $0.restart(level: lines[index].level) }
            } catch {
                problems.append("\(error)")
            }
        }
        retryAt = SystemClock.monotonic() + Self.retryAfter
        if problems.isEmpty { record.lineIsUp() } else { record.lineIsDown(problems.joined(separator: "; ")) }
    }

    /// Gives outputs their state at exit, and all lines back.
    private func leave() {
        for device in bus.devices {
            for point in device.points {
                guard case .output(_, let atExit) = point.use, atExit != .leave else { continue }
                _ = try? lines[point.line].set(atExit == .on)
            }
        }
        for index in lines.indices { lines[index].close() }
        record.end()
        isRunning = false
    }

    private func forEachState(of line: Int, _ change: (inout GPIOPointState) -> Void) {
        for device in states.indices {
            for point in states[device].indices where states[device][point].plan.line == line { change(&states[device][point]) }
        }
    }

    // MARK: Reading

    /// Waits for an edge or a write.
    private func wait(until time: MonotonicTime) {
        let left = !writes.isEmpty ? .zero : max(.zero, time - SystemClock.monotonic())
        var entries = [pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0)]
        for line in lines where !line.isOutput {
            if let descriptor = line.line?.descriptor { entries.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)) }
        }
        // Rounded up: a wait that ends early would be followed by many without any.
        poll(&entries, nfds_t(entries.count), Int32(clamping: (left.wholeNanoseconds + 999_999) / 1_000_000))
        if entries[0].revents != 0 { wakeUp.clear() }
    }

    private func takeEdges() {
        let now = SystemClock.monotonic()
        let wall = SystemClock.wall()
        for index in lines.indices {
            let taken: GPIOEdges
            do throws(FieldBusError) {
                taken = try lines[index].edges(now: now)
            } catch {
                lose(index, "\(error)")
                continue
            }
            if taken.edges.isEmpty, !taken.mayHaveOverflowed { continue }
            forEachState(of: index) { $0.take(taken) }
            for device in bus.devices.indices {
                for point in bus.devices[device].points where point.line == index && point.use == .level {
                    let samples = taken.edges.map { edge in
                        sample(point, .bool(edge.level), .good, edge.wallTime(now: now, wall: wall))
                    }
                    finish(device, samples)
                }
            }
        }
    }

    private func lose(_ index: Int, _ detail: String) {
        lines[index].close()
        record.lineIsDown(detail)
        retryAt = SystemClock.monotonic() + Self.retryAfter
    }

    /// Delivers the points of a device that `wanted` accepts as they are now.
    private func report(device: Int, wanted: (GPIOBus.Point) -> Bool) {
        var samples: [Sample] = []
        let now = SystemClock.monotonic()
        for index in bus.devices[device].points.indices where wanted(bus.devices[device].points[index]) {
            let point = bus.devices[device].points[index]
            if lines[point.line].line == nil {
                samples.append(Sample(point: point.identifier, value: nil, quality: .bad(.notConnected), time: SystemClock.wall()))
                continue
            }
            if let sample = reading(device: device, index: index, now: now) { samples.append(sample) }
        }
        finish(device, samples)
    }

    /// nil for a frequency of which nothing is known yet.
    private func reading(device: Int, index: Int, now: MonotonicTime) -> Sample? {
        let point = bus.devices[device].points[index]
        switch point.use {
        case .level, .output:
            do throws(FieldBusError) {
                return sample(point, .bool(try lines[point.line].readLevel()), .good, SystemClock.wall())
            } catch {
                lose(point.line, "\(error)")
                return Sample(point: point.identifier, value: nil, quality: .bad(.notConnected), time: SystemClock.wall())
            }
        case .pulseCount, .frequency:
            guard let (value, quality) = states[device][index].read(now: now) else { return nil }
            return sample(point, value, quality, SystemClock.wall())
        }
    }

    private func sample(_ point: GPIOBus.Point, _ raw: Value, _ quality: Quality, _ time: Timestamp) -> Sample {
        let (value, converted) = point.conversion.value(raw)
        return Sample(point: point.identifier, value: value, quality: converted.isGood ? quality : converted, time: time)
    }

    private func finish(_ device: Int, _ samples: [Sample]) {
        record.take(samples, of: device, detail: "the line is not there, or in use")
    }

    // MARK: Writing

    private func performWrite(device: DeviceIdentifier, values: [PointValue]) -> [WriteResult] {
        let index = bus.devices.firstIndex { $0.identifier == device }
        return values.map { value in
            guard let index else { return WriteResult(point: value.point, outcome: .unknownDevice) }
            guard let point = bus.devices[index].points.firstIndex(where: { $0.identifier == value.point }) else {
                return WriteResult(point: value.point, outcome: .unknownPoint)
            }
            return WriteResult(point: value.point, outcome: write(value.value, device: index, point: point))
        }
    }

    private func write(_ value: Value, device: Int, point index: Int) -> WriteOutcome {
        let point = bus.devices[device].points[index]
        guard point.writable else { return .readOnly }
        guard let raw = try? point.conversion.raw(value) else { return .outOfRange }
        switch point.use {
        case .level, .frequency:
            return .readOnly
        case .pulseCount:
            // A count is set to what stands on a meter's dial.
            guard let count = raw.wholeNumber else { return raw.number == nil ? .typeMismatch(expected: point.type) : .outOfRange }
            states[device][index].set(count: count)
            return .written
        case .output:
            guard case .bool(let level) = raw else { return .typeMismatch(expected: .bool) }
            guard isRunning, lines[point.line].line != nil else { return .failed(.notConnected) }
            do throws(FieldBusError) {
                let isSame = try lines[point.line].set(level)
                // An open drain is pulled by others too.
                return isSame ? .written : .readBackDiffers(written: .bool(level), read: .bool(!level))
            } catch {
                return .failed(.deviceFailure)
            }
        }
    }
}

extension Value {
    /// A whole number that is not negative; nil for anything else.
    fileprivate var wholeNumber: UInt64? {
        switch self {
        case .int(let number): UInt64(exactly: number)
        case .uint(let number): number
        case .real(let number): UInt64(exactly: number)
        case .lreal(let number): UInt64(exactly: number.rounded())
        case .bool, .string: nil
        }
    }
}
