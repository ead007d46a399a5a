import Bridge
import Broker
import Configuration
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

    private let plan: AppliancePlan
    private let sink: LogfmtHandler.Sink
    private let showsSummary: Bool
    private let stopping = AsyncStream.makeStream(of: Void.self)
    private let ready: (@Sendable ([Int]) -> Void)?

    /// - Parameters:
    ///   - showsSummary: draws the live summary on standard output.
    ///   - ready: called once when all listeners are open, with their ports.
    public init(
        plan: AppliancePlan, sink: LogfmtHandler.Sink, showsSummary: Bool, ready: (@Sendable ([Int]) -> Void)? = nil
    ) {
        self.plan = plan
        self.sink = sink
        self.showsSummary = showsSummary
        self.ready = ready
    }

    /// Ends ``run()``.
    public func stop() { stopping.continuation.finish() }

    private func logger(_ component: String) -> Logger {
        let level = Logger.Level(rawValue: plan.configuration.appliance.logLevel.rawValue) ?? .notice
        let sink = sink
        return Logger(label: component) { LogfmtHandler(label: $0, level: level, sink: sink) }
    }

    /// Opens the data directory and the listeners, and works until ``stop()`` is called or the task is cancelled.
    ///
    /// - Throws: ``ApplianceError`` when the data directory or a listener cannot be opened.
    public func run() async throws(ApplianceError) {
        let log = logger("appliance")
        let storage = try openStorage(log)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { group.shutdownGracefully { _ in } }
        let snapshot: SessionSnapshot
        var lanes: [String: LaneStatus] = [:]
        do throws(StoreError) {
            snapshot = try await storage.load(at: Moment.now())
            for lane in try await storage.status().cache.lanes { lanes[lane.lane] = lane }
        } catch {
            throw .storage("\(error)")
        }
        let names = Set(plan.bridges.map { Bridge.laneName($0.name) })
        for lane in lanes.values where !names.contains(lane.lane) && lane.messages > 0 {
            log.warning(
                "the cache holds messages for a bridge that is not configured; they stay until they are too old",
                metadata: ["bridge": "\(lane.lane)", "messages": "\(lane.messages)", "bytes": "\(lane.bytes)"])
        }
        let core = await makeCore(group.next(), snapshot: snapshot, lanes: lanes)
        let channels = try await openListeners(core, group: group)
        let metrics = try await openMetrics(core, group: group)
        let ports = channels.compactMap { $0.localAddress?.port }
        log.notice(
            "running", metadata: ["name": "\(plan.configuration.appliance.name)", "ports": "\(ports)", "data": "\(plan.configuration.dataDirectory)"])
        ready?(ports)
        await work(core, storage: storage, listeners: channels + metrics)
        await storage.close()
        log.notice("stopped")
    }

    // MARK: Start

    private func openStorage(_ log: Logger) throws(ApplianceError) -> Storage {
        let directory = plan.configuration.dataDirectory
        do throws(StoreError) {
            let storage = try Storage(
                directory: directory, limits: plan.configuration.cacheLimits, now: SystemClock.wall())
            for alarm in storage.alarms { log.critical("a damaged file was set aside", metadata: ["detail": "\(alarm)"]) }
            return storage
        } catch {
            throw .storage("\(error)")
        }
    }

    private func makeCore(
        _ eventLoop: any EventLoop, snapshot: SessionSnapshot, lanes: [String: LaneStatus]
    ) async -> ApplianceCore {
        let plan = plan
        let loggers = ApplianceCore.Loggers(
            broker: logger("broker"), bridge: logger("bridge"), rules: logger("rules"), bus: logger("bus"),
            store: logger("store"))
        let keepsLatest = showsSummary
        return await eventLoop.run {
            ApplianceCore(
                plan: plan, eventLoop: eventLoop, loggers: loggers, snapshot: snapshot, lanes: lanes,
                keepsLatest: keepsLatest)
        }
    }

    private func openListeners(
        _ core: ApplianceCore, group: MultiThreadedEventLoopGroup
    ) async throws(ApplianceError) -> [any Channel] {
        var channels: [any Channel] = []
        for listener in plan.configuration.serverListeners {
            do {
                let opening = await core.eventLoop.run { core.open(listener, group: group) }
                channels.append(try await opening.get())
            } catch {
                throw .listener("listener \(listener.name) cannot be opened on \(listener.address):\(listener.port): \(error)")
            }
        }
        return channels
    }

    private func openMetrics(
        _ core: ApplianceCore, group: MultiThreadedEventLoopGroup
    ) async throws(ApplianceError) -> [any Channel] {
        guard let server = plan.configuration.metricsServer(core, logger: logger("metrics")) else { return [] }
        do {
            return [try await server.open(group: group).get()]
        } catch {
            throw .listener("the metrics cannot be opened on \(server.address):\(server.port): \(error)")
        }
    }

    // MARK: Work

    private func work(_ core: ApplianceCore, storage: Storage, listeners: [any Channel]) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await core.commitAll(to: storage) }
            tasks.addTask { await core.readAll(from: storage) }
            for driver in core.drivers {
                tasks.addTask { await core.poll(driver) }
                tasks.addTask { await core.carryOutCommands(driver) }
            }
            if showsSummary { tasks.addTask { await self.drawSummary(core) } }
            for await _ in stopping.stream {}
            // The committer goes on until the shutdown has given it the last batch.
            tasks.addTask { await self.settle(core, listeners: listeners) }
            await tasks.waitForAll()
        }
    }

    /// Ends what brings in new data, then lets the store have what is left.
    private func settle(_ core: ApplianceCore, listeners: [any Channel]) async {
        // Before the clients are sent away, or they would come back at once.
        for listener in listeners { try? await listener.close() }
        core.stopInput()
        let loop = core.eventLoop
        await loop.run { core.shutDownBroker() }
        // A disk that takes no more must not keep the box from being switched off.
        for _ in 0..<250 {
            if await loop.run({ core.settle() }) { break }
            try? await Task.sleep(for: .milliseconds(20))
        }
        core.stopOutput()
    }

    private func drawSummary(_ core: ApplianceCore) async {
        guard LiveSummary.terminalSize != nil else { return }
        sink.capture()
        LiveSummary.open()
        var summary = LiveSummary()
        while !core.isStopping, let size = LiveSummary.terminalSize {
            let buses = await core.busStatuses()
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
    case listener(String)

    public var description: String {
        switch self {
        case .storage(let message), .listener(let message): message
        }
    }
}

extension MartletConfiguration {
    var dataDirectory: String { resolve(path: appliance.dataDirectory) }
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
