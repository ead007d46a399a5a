import Bridge
import Broker
public import Configuration
import Console
import Core
import FieldBus
import Logging
import MQTTServer
import NIOCore
import NIOPosix
import Store

// The composition root: the only place where the parts are wired together.
//
//     drivers (a thread each) ──mailbox──┐                      ┌── rules, commands (in-process clients)
//     listeners, bridges ────────────────┴──> broker loop (one) ┴── committer ──> storage thread
//
// Everything that runs is a child of ``run()``, which returns when all of it has ended.

/// The whole appliance, from a checked plan.
public final class Appliance: Sendable {
    /// The program's version.
    public static let version = "0.1.0"

    let plan: AppliancePlan
    let loadPlan: (@Sendable () throws(ConfigurationErrors) -> AppliancePlan)?
    let sink: LogfmtHandler.Sink
    private let showsSummary: Bool
    /// An element asks for a reload; the end of the stream ends the appliance.
    private let requests = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let ready: (@Sendable ([Int]) -> Void)?

    /// - Parameters:
    ///   - loadPlan: reads the configuration again, for ``reload()``; nil if there is no file.
    ///   - showsSummary: draws the live summary on standard output.
    ///   - ready: called once when all listeners are open, with their ports.
    public init(
        plan: AppliancePlan, loadPlan: (@Sendable () throws(ConfigurationErrors) -> AppliancePlan)? = nil,
        sink: LogfmtHandler.Sink, showsSummary: Bool, ready: (@Sendable ([Int]) -> Void)? = nil
    ) {
        self.plan = plan
        self.loadPlan = loadPlan
        self.sink = sink
        self.showsSummary = showsSummary
        self.ready = ready
    }

    /// Ends ``run()``.
    public func stop() { requests.continuation.finish() }

    /// Reads the configuration again and brings in force what has changed, as far as that can be done while everything runs.
    /// One that has mistakes changes nothing.
    public func reload() { requests.continuation.yield() }

    func logger(_ component: String) -> Logger {
        let sink = sink
        return Logger(label: component) { LogfmtHandler(label: $0, sink: sink) }
    }

    /// Opens the data directory and the listeners, and works until ``stop()`` is called or the task is cancelled.
    ///
    /// - Throws: ``ApplianceError`` when the data directory or a listener cannot be opened.
    public func run() async throws(ApplianceError) {
        sink.setLevel(Logger.Level(rawValue: plan.configuration.appliance.logLevel.rawValue) ?? .notice)
        let log = logger("appliance")
        log.report(plan.warnings)
        let (storage, cache) = try await openStorage(log)
        let clock = ApplianceClock(latest: storage.latestTime)
        if !clock.now().isTimeKnown {
            log.warning("the clock is not set; what is stored until it is will be corrected then")
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { group.shutdownGracefully { _ in } }
        let snapshot: SessionSnapshot
        var lanes: [LaneStatus] = []
        do throws(StoreError) {
            snapshot = try await storage.load(at: clock.now())
            lanes = try await storage.status().cache.lanes
        } catch {
            throw .storage("\(error)")
        }
        let names = Set(plan.bridges.map(\.name))
        for lane in lanes where lane.messages > 0 && !names.contains(LaneName(lane.lane)?.bridge ?? lane.lane) {
            log.warning(
                "the cache holds messages for a bridge that is not configured; they stay until they are too old",
                metadata: ["bridge": "\(lane.lane)", "messages": "\(lane.messages)", "bytes": "\(lane.bytes)"])
        }
        let damage = await (alarms: storage.alarms, files: storage.damagedFiles() ?? [])
        let core = await makeCore(group.next(), snapshot: snapshot, lanes: lanes, damage: damage, cache: cache, clock: clock)
        var open = OpenPorts()
        try await change(&open, to: plan.configuration, plan.listeners, core, group: group).accept()
        open.control = await openControl(core, storage: storage, group: group, log)
        let ports = open.listeners.compactMap { $0.channel.localAddress?.port }
        log.notice(
            "running", metadata: ["name": "\(plan.configuration.appliance.name)", "ports": "\(ports)", "data": "\(plan.configuration.dataDirectory)"])
        ready?(ports)
        ServiceNotifier.ready()
        await work(core, storage: storage, ports: open, group: group)
        await storage.close()
        log.notice("stopped")
    }

    // MARK: Start

    private func openStorage(
        _ log: Logger
    ) async throws(ApplianceError) -> (storage: Storage, cache: (size: CacheSize, base: CachePlan)) {
        let directory = plan.configuration.dataDirectory
        let (size, base) = await CachePlanner(plan).cacheAtStart()
        log.notice("size of the cache", metadata: ["size": "\(Quantity.bytes(size.bytes))", "reason": "\(size.reason)"])
        do throws(StoreError) {
            let storage = try Storage(
                directory: directory, limits: plan.configuration.cacheLimits(maximumBytes: size.bytes), now: SystemClock.wall())
            for alarm in storage.alarms { log.critical("a damaged file was set aside", metadata: ["detail": "\(alarm)"]) }
            return (storage, (size, base))
        } catch {
            throw .storage("\(error)")
        }
    }

    private func makeCore(
        _ eventLoop: any EventLoop, snapshot: SessionSnapshot, lanes: [LaneStatus],
        damage: (alarms: [StorageAlarm], files: [DamagedFile]), cache: (size: CacheSize, base: CachePlan), clock: ApplianceClock
    ) async -> ApplianceCore {
        let plan = plan
        let loggers = ApplianceCore.Loggers(
            broker: logger("broker"), bridge: logger("bridge"), rules: logger("rules"), bus: logger("bus"),
            store: logger("store"))
        return await eventLoop.run {
            ApplianceCore(
                plan: plan, eventLoop: eventLoop, loggers: loggers, snapshot: snapshot, lanes: lanes, damage: damage,
                cache: cache, clock: clock)
        }
    }

    // MARK: Work

    private func work(
        _ core: ApplianceCore, storage: Storage, ports: OpenPorts, group: MultiThreadedEventLoopGroup
    ) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await core.commitAll(to: storage) }
            tasks.addTask { await core.readAll(from: storage) }
            tasks.addTask { await core.correctTimes(in: storage) }
            tasks.addTask { await core.watchDamage(in: storage) }
            tasks.addTask { await core.workOnBuses() }
            let resizing = AsyncStream.makeStream(of: Void.self)
            tasks.addTask { await self.resizeCache(core, storage: storage, until: resizing.stream) }
            if showsSummary { tasks.addTask { await self.drawSummary(core) } }
            var inForce = InForce(plan)
            var ports = ports
            for await _ in requests.stream { await reload(&inForce, &ports, core, storage: storage, group: group) }
            ServiceNotifier.stopping()
            resizing.continuation.finish()
            // The committer goes on until the shutdown has given it the last batch.
            let channels = ports.channels
            tasks.addTask { await self.settle(core, ports: channels) }
            await tasks.waitForAll()
        }
    }

    /// Sizes the cache anew every half minute: what else is on the disk comes and goes.
    private func resizeCache(_ core: ApplianceCore, storage: Storage, until stop: AsyncStream<Void>) async {
        if plan.configuration.cache.size.isFixed { return }
        let planner = CachePlanner(plan)
        let need = await planner.plannedNeed()
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                var window = CacheSizeWindow()
                _ = window.update(await core.eventLoop.run { core.cache.size }, now: SystemClock.monotonic())
                while (try? await Task.sleep(for: .seconds(30))) != nil {
                    let size = window.update(planner.cache(for: need).size, now: SystemClock.monotonic())
                    await storage.setMaximumBytes(size.bytes)
                    await core.eventLoop.run { core.cache.size = size }
                }
            }
            for await _ in stop {}
            tasks.cancelAll()
        }
    }

    /// Ends what brings in new data, then lets the store have what is left.
    private func settle(_ core: ApplianceCore, ports: [any Channel]) async {
        // Before the clients are sent away, or they would come back at once.
        for port in ports { try? await port.close() }
        core.stopInput()
        // Whoever has given a command is still answered.
        await core.field.end(within: Appliance.busPatience)
        let loop = core.eventLoop
        await loop.run { core.shutDownBroker() }
        // Neither a disk that takes no more nor a client that does not read may keep the box from being switched off.
        for round in 0..<Appliance.settleRounds {
            let (isStored, connections) = await loop.run { core.settle() }
            if isStored, connections == 0 || round >= Appliance.farewellRounds { break }
            try? await Task.sleep(for: .milliseconds(20))
        }
        core.stopOutput()
    }

    /// How long buses may take to end before the clients are sent away.
    private static let busPatience = Duration.seconds(2)
    /// Of 20 ms each: for the store, and for the clients to take what is left to be said.
    private static let settleRounds = 250
    private static let farewellRounds = 50

    private func drawSummary(_ core: ApplianceCore) async {
        guard LiveSummary.terminalSize != nil else { return }
        sink.capture()
        LiveSummary.open()
        var summary = LiveSummary()
        while !core.isStopping, let size = LiveSummary.terminalSize {
            let buses = core.busStatuses()
            let snapshot = await core.eventLoop.run { core.snapshot(buses: buses) }
            summary.draw(snapshot, log: sink.capturedLines(), rows: size.rows, columns: size.columns)
            for _ in 0..<10 where !core.isStopping { try? await Task.sleep(for: .milliseconds(100)) }
        }
        LiveSummary.close()
        sink.release()
    }
}

/// Why the appliance cannot start.
public enum ApplianceError: Error, CustomStringConvertible {
    case storage(String)
    /// A port cannot be opened.
    case port(String)

    public var description: String {
        switch self {
        case .storage(let message), .port(let message): message
        }
    }

    static func port(_ failure: OpeningFailure) -> ApplianceError { .port(failure.description) }
}

extension Logger {
    func report(_ warnings: [ConfigurationWarning]) {
        for found in warnings { warning("something odd in the configuration", metadata: ["detail": "\(found.position): \(found.message)"]) }
    }
}

extension Moment {
    static func now() -> Moment { Moment(wall: SystemClock.wall(), monotonic: SystemClock.monotonic()) }
}

extension EventLoop {
    /// Runs something on the loop and waits for it.
    func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in execute { continuation.resume(returning: body()) } }
    }
}
