import Configuration
import Core
import FieldBus
import Logging
import Synchronization

/// The buses that work. A reload ends those that have changed and begins them anew; the others go on.
final class FieldSide: Sendable {
    /// What a plan means for the buses that work.
    struct Change: Sendable {
        /// All that work afterwards.
        var buses: [RunningBus]
        fileprivate var begun: [RunningBus]
        fileprivate var ended: [RunningBus]

        /// Where commands wait, by device.
        var queues: [DeviceIdentifier: AsyncStream<CommandClient.Command>.Continuation] {
            Dictionary(buses.flatMap { bus in bus.devices.map { ($0, bus.queue) } }) { first, _ in first }
        }

        /// The points of the devices that are on no bus any more, as nobody reads them.
        func gone(at time: Timestamp) -> [DeviceReading] {
            let stay = Set(buses.flatMap(\.devices))
            return ended.flatMap(\.source.devices).filter { !stay.contains($0.identifier) }.map { device in
                let points = ended.lazy.flatMap(\.source.products).first { $0.key == device.product }?.points.filter(\.isOnBus) ?? []
                return DeviceReading(
                    device: device.identifier,
                    samples: points.map { Sample(point: $0.identifier, value: nil, quality: .bad(.notConnected), time: time) })
            }
        }

        /// Devices of buses that go on.
        var kept: Set<DeviceIdentifier> {
            let begun = Set(begun.map(ObjectIdentifier.init))
            return Set(buses.filter { !begun.contains(ObjectIdentifier($0)) }.flatMap(\.devices))
        }
    }

    private let logger: Logger
    private let running = Mutex<[RunningBus]>([])
    private let beginnings = AsyncStream.makeStream(of: RunningBus.self)

    init(logger: Logger) { self.logger = logger }

    var buses: [RunningBus] { running.withLock { $0 } }

    /// What has to end and to begin for a plan. A bus that cannot be served is logged and left out.
    func change(to plan: AppliancePlan) -> Change {
        let old = buses
        var change = Change(buses: [], begun: [], ended: [])
        for bus in plan.buses {
            guard let table = plan.configuration.buses.first(where: { $0.name == bus.name }) else { continue }
            let source = RunningBus.Source(table, in: plan)
            if let same = old.first(where: { $0.source == source }) {
                change.buses.append(same)
                continue
            }
            do throws(FieldBusError) {
                let new = try RunningBus(bus, source: source)
                change.buses.append(new)
                change.begun.append(new)
            } catch {
                logger.error("a bus cannot be served", metadata: ["bus": "\(bus.name)", "detail": "\(error)"])
            }
        }
        change.ended = old.filter { bus in !change.buses.contains { $0 === bus } }
        return change
    }

    /// How long a bus may take to end: a request that is on the line is waited for.
    static let patience = Duration.seconds(10)

    /// Ends what has to, and waits until those lines are closed: another bus may want them. One that does not end in time is left
    /// to end by itself.
    func end(_ change: Change) async {
        for bus in change.ended { bus.stop() }
        await end(change.ended, within: FieldSide.patience)
    }

    /// Waits until all buses have ended after ``stop()``, at most for `limit`.
    func end(within limit: Duration) async { await end(buses, within: limit) }

    private func end(_ buses: [RunningBus], within limit: Duration) async {
        let deadline = SystemClock.monotonic() + limit
        for bus in buses where !(await bus.end(by: deadline)) {
            logger.warning("a bus takes long to end; it is not waited for", metadata: ["bus": "\(bus.name)"])
        }
    }

    func begin(_ change: Change) {
        running.withLock { $0 = change.buses }
        for bus in change.begun { beginnings.continuation.yield(bus) }
    }

    /// Has all that has begun work until ``stop()``.
    func run(_ work: @escaping @Sendable (RunningBus) async -> Void) async {
        await withDiscardingTaskGroup { tasks in
            for await bus in beginnings.stream { tasks.addTask { await work(bus) } }
        }
    }

    func stop() {
        beginnings.continuation.finish()
        for bus in buses { bus.stop() }
    }
}
