public import Core
import Glibc

/// Reads the machine's own points, each group at its interval. Files are read on the driver's thread; hosts are asked on
/// another one, so that one that does not answer holds up none but other hosts.
public actor SystemDriver: FieldBusDriver {
    private nonisolated let executor: ThreadExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    public nonisolated let name: String
    private let bus: SystemBus
    private var reader: SystemReader
    private nonisolated let record: BusRecord
    private var overruns: UInt64 = 0
    private let hosts: HostCheck

    /// Opens nothing.
    public init(bus: SystemBus) {
        name = bus.name
        self.bus = bus
        reader = SystemReader(root: bus.root)
        record = BusRecord(name: bus.name, protocolName: "system", devices: bus.deviceIdentifiers)
        executor = ThreadExecutor(name: bus.name)
        hosts = HostCheck(name: bus.name, timeout: bus.timeout)
    }

    public func run(
        deliver: @escaping @Sendable (DeviceReading) -> Void, events: @escaping @Sendable (BusEvent) -> Void
    ) async {
        record.begin(deliver: deliver, events: events)
        record.lineIsUp()
        let groups = bus.groups
        await withTaskGroup(of: Void.self) { tasks in
            for asksHosts in [false, true] {
                let some = groups.filter { $0.asksHosts == asksHosts }
                if !some.isEmpty { tasks.addTask { await self.poll(some) } }
            }
        }
        record.end()
    }

    public nonisolated func write(device: DeviceIdentifier, values: [PointValue]) async -> [WriteResult] {
        let known = bus.devices.first { $0.identifier == device }
        return values.map { value in
            guard let known else { return WriteResult(point: value.point, outcome: .unknownDevice) }
            let exists = known.points.contains { $0.identifier == value.point }
            return WriteResult(point: value.point, outcome: exists ? .readOnly : .unknownPoint)
        }
    }

    public nonisolated func status() -> BusStatus { record.status(now: SystemClock.monotonic()) }

    private func poll(_ groups: [SystemBus.Group]) async {
        var grid = IntervalGrid(intervals: groups.map(\.interval), start: SystemClock.monotonic())
        var seen: UInt64 = 0
        while !Task.isCancelled {
            for index in grid.take(now: SystemClock.monotonic()) {
                let group = groups[index]
                let started = SystemClock.monotonic()
                var samples: [Sample] = []
                var details: [String] = []
                for point in group.points {
                    do throws(SystemFailure) {
                        samples.append(sample(point, try await read(point.source)))
                    } catch {
                        details.append(error.detail)
                        samples.append(Sample(point: point.identifier, value: nil, quality: .bad(error.reason), time: SystemClock.wall()))
                    }
                }
                if Task.isCancelled { return }
                record.spend(SystemClock.monotonic() - started)
                record.take(samples, of: group.device, detail: details.joined(separator: "; "))
            }
            overruns += grid.overruns - seen
            seen = grid.overruns
            record.setOverruns(overruns)
            let now = SystemClock.monotonic()
            guard let next = grid.next else { return }
            if next > now { try? await Task.sleep(for: next - now) }
        }
    }

    private func read(_ source: SystemSource) async throws(SystemFailure) -> SystemReading {
        guard let host = source.host else { return try reader.read(source) }
        let taken = await hosts.connect(host: host.name, port: host.port)
        switch source {
        case .reachable: return .flag(taken != nil)
        default:
            guard let taken else { throw SystemFailure(reason: .notConnected, detail: "\(host.name) port \(host.port) accepts no connection") }
            return .number(Double(taken.wholeNanoseconds) / 1e6)
        }
    }

    private func sample(_ point: SystemBus.Point, _ reading: SystemReading) -> Sample {
        let time = SystemClock.wall()
        guard let raw = reading.value(as: point.type) else {
            return Sample(point: point.identifier, value: nil, quality: .bad(.outOfRange), time: time)
        }
        let (value, quality) = point.conversion.value(raw)
        return Sample(point: point.identifier, value: value, quality: quality, time: time)
    }
}

/// Makes TCP connections to see whether they can be made, on a thread of its own.
private actor HostCheck {
    private nonisolated let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private let timeout: Duration

    init(name: String, timeout: Duration) {
        executor = ThreadExecutor(name: "\(name)-hosts")
        self.timeout = timeout
    }

    /// How long it took; nil if there was no connection in time.
    func connect(host: String, port: Int) -> Duration? {
        let started = SystemClock.monotonic()
        guard let socket = try? TCPClientSocket.open(host: host, port: port, timeout: timeout) else { return nil }
        close(socket)
        return SystemClock.monotonic() - started
    }
}
