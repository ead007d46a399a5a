import Bridge
import Broker
import Configuration
import Core
import FieldBus
import Logging
import MQTTServer
import NIOCore
import Store
import Synchronization

/// The parts of a running appliance, and the ways between the broker's loop and the other threads.
// @unchecked Sendable: the stored properties do not change after `init`; `configuration`, which does, `loop`, `context`, `publisher`, `commands`,
// `devicePosts`, `access`, `makeBridge`, `reporter`, `cache`, `events` and `systemTopics` are only used on `eventLoop`.
final class ApplianceCore: @unchecked Sendable {
    struct Loggers: Sendable {
        var broker: Logger
        var bridge: Logger
        var rules: Logger
        var bus: Logger
        var store: Logger
    }

    let eventLoop: any EventLoop
    let field: FieldSide
    private let loggers: Loggers
    private let startedAt: MonotonicTime
    private let stopFlag = Atomic(false)

    private let loop: BrokerLoop
    private let context: ServerContext
    private let access: ApplianceAccess
    private let publisher: PointPublisher
    private let commands: CommandClient
    private let devicePosts: DevicePostClient
    private let makeBridge: (BridgeConfiguration, [LaneStatus]) -> Bridge
    private let reporter: Reporter
    let traces: BusTraces
    let cache: CacheMonitor
    private let damageAlarm: DamageAlarm
    private let events: EventPublisher
    private let systemTopics: SystemTopics
    private let ticker: RepeatedTask

    private let readings: Mailbox<DeviceReading>
    private let commits = AsyncStream.makeStream(of: BrokerLoop.PendingCommit.self)
    private let clock: ApplianceClock
    private let clockSettings = AsyncStream.makeStream(of: Void.self)
    private let damageFound = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let reads = AsyncStream.makeStream(of: CacheReadRequest.self)
    /// What is in force.
    private var configuration: MartletConfiguration

    /// Makes and wires everything; to be called on the event loop.
    init(
        plan: AppliancePlan, eventLoop: any EventLoop, loggers: Loggers, snapshot: SessionSnapshot,
        lanes: [LaneStatus], damage: (alarms: [StorageAlarm], files: [DamagedFile]), cache: (size: CacheSize, base: CachePlan), clock: ApplianceClock
    ) {
        configuration = plan.configuration
        self.clock = clock
        self.eventLoop = eventLoop
        self.loggers = loggers
        let now = SystemClock.monotonic()
        let wall = SystemClock.wall()
        startedAt = now
        let broker = Broker(limits: plan.configuration.brokerLimits, seed: UInt64.random(in: 0...UInt64.max))
        broker.mark(plan.configuration, plan.bridges)
        let batches = commits.continuation
        let loop = BrokerLoop(
            eventLoop: eventLoop, broker: broker, commitInterval: plan.configuration.cache.commitInterval,
            logger: loggers.store, store: { batches.yield($0) })
        self.loop = loop
        broker.restore(snapshot, now: now, wall: wall)
        context = ServerContext(
            eventLoop: eventLoop, broker: broker, logger: loggers.broker, scheduleTurn: { loop.scheduleTurn() })
        access = ApplianceAccess(
            plan: plan, broker: broker, eventLoop: eventLoop, logger: loggers.broker, now: now, wall: wall)
        context.access = access.control

        let events = EventPublisher(
            broker: broker, eventLoop: eventLoop, logger: loggers.broker, scheduleTurn: { loop.scheduleTurn() })
        self.events = events
        broker.observer = events
        let damageAlarm = DamageAlarm(logger: loggers.store) { events.retain(DamageAlarm.topic, $0 ?? []) }
        self.damageAlarm = damageAlarm
        damageAlarm.add(damage.alarms)
        damageAlarm.update(damage.files)
        let damageFound = damageFound.continuation
        loop.storageEvents = { event in
            events.observe(event)
            guard case .damaged(let alarms) = event else { return }
            damageAlarm.add(alarms)
            damageFound.yield()
        }
        let monitor = CacheMonitor(
            size: cache.size, limits: plan.configuration.cacheLimits(maximumBytes: cache.size.bytes), base: cache.base, lanes: lanes, logger: loggers.store, now: now,
            events: { events.observe($0) })
        self.cache = monitor
        loop.cacheChanged = { monitor.changed(appended: $0, losses: $1, lanes: $2) }

        field = FieldSide(logger: loggers.bus)
        let publisher = PointPublisher(broker: broker, devices: plan.publishedDevices)
        self.publisher = publisher
        // The plan has checked what a driver refuses.
        let buses = field.change(to: plan)
        commands = CommandClient(broker: broker, latest: { publisher.latest(of: $0) })
        commands.queues = buses.queues
        commands.start(now: now, wall: wall)

        let devicePosts = DevicePostClient(broker: broker, logger: loggers.bus)
        devicePosts.start(plan.postingProducts, busDevices: plan.buses.flatMap(\.deviceIdentifiers), now: now, wall: wall)
        self.devicePosts = devicePosts

        let rules = plan.rules.map { RuleClient($0, broker: broker, logger: loggers.rules) }
        for rule in rules { rule.start(now: now, wall: wall) }

        let reads = reads.continuation
        var environment = BridgeEnvironment(
            read: { read, completion in
                reads.yield(CacheReadRequest(read: read, completion: NIOLoopBound(completion, eventLoop: eventLoop)))
            }, scheduleTurn: { loop.scheduleTurn() })
        environment.keptDirectory = plan.configuration.dataDirectory
        environment.reportTopic = "martlet/\(plan.configuration.appliance.name)/cache/lost"
        environment.isTimeKnown = { [clock] in clock.now().isTimeKnown }
        let makeBridge = { [environment] (configuration: BridgeConfiguration, lanes: [LaneStatus]) in
            Bridge(
                configuration: configuration, stored: lanes, broker: broker, eventLoop: eventLoop,
                environment: environment, logger: loggers.bridge, seed: UInt64.random(in: 0...UInt64.max))
        }
        self.makeBridge = makeBridge
        loop.bridges = plan.bridges.map { makeBridge($0, lanes) }
        for bridge in loop.bridges { bridge.start() }

        let inbox = NIOLoopBoundBox<() -> Void>({}, eventLoop: eventLoop)
        let readings = Mailbox<DeviceReading>(capacity: PointPublisher.capacity, size: \.samples.count) {
            eventLoop.execute { inbox.value() }
        }
        self.readings = readings
        inbox.value = {
            let now = SystemClock.monotonic()
            let wall = SystemClock.wall()
            for reading in readings.drain() { publisher.publish(reading, now: now, wall: wall) }
            loop.scheduleTurn()
        }

        let reporter = Reporter(
            loop: loop, context: context, publisher: publisher, cache: monitor,
            listeners: plan.configuration.listeners.map(\.name), field: field, damage: damageAlarm, startedAt: now)
        reporter.rules = rules
        reporter.lostSamples = { readings.refused }
        self.reporter = reporter
        let traces = BusTraces(field)
        self.traces = traces
        let systemTopics = SystemTopics(broker: broker, interval: plan.configuration.systemTopicsInterval, now: now)
        self.systemTopics = systemTopics

        let context = context
        var freeMemory = FreeMemory(now: now)
        let clockSettings = clockSettings.continuation
        let tick = NIOLoopBound({ () -> Void in
            let moment = clock.now()
            let (now, wall) = (moment.monotonic, moment.wall)
            switch clock.takeChange() {
            case .none: break
            case .becameKnown:
                loggers.store.notice("the time is known now; what was stored before is corrected")
                clockSettings.yield()
            case .becameUnknown: loggers.store.warning("the clock was set to a time that cannot be; times are not known")
            case .stepped(let milliseconds):
                loggers.store.notice("the clock was set", metadata: ["by": "\(milliseconds) ms"])
            }
            broker.tick(now: now, wall: wall)
            context.tick(now: now)
            for bridge in loop.bridges { bridge.tick() }
            monitor.tick(now: now, bridges: loop.bridges)
            publisher.tick(now: now, wall: wall)
            devicePosts.tick(now: now, wall: wall)
            traces.tick(now: now)
            systemTopics.tick(now: now, report: reporter.report, bridges: reporter.bridges)
            freeMemory.tick(now: now)
            loop.scheduleTurn()
        }, eventLoop: eventLoop)
        field.begin(buses)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in tick.value() }
        loop.scheduleTurn()
    }

    /// On the event loop: see ``MQTTServer/Listener/open(group:shared:inPlaceOf:isAccepting:)``.
    func open(
        _ listener: MQTTServer.Listener, group: any EventLoopGroup, inPlaceOf port: (any Channel)?, isAccepting: Bool
    ) -> EventLoopFuture<any Channel> {
        listener.open(group: group, shared: context, inPlaceOf: port, isAccepting: isAccepting)
    }

    // MARK: Storage

    func commitAll(to storage: Storage) async {
        for await pending in commits.stream {
            do throws(StoreError) {
                let report = try await storage.commit(pending.batch, now: clock.now())
                eventLoop.execute { self.loop.commitDone(report) }
            } catch {
                let replaced = await ApplianceCore.replaceDamagedFiles(of: storage, after: error)
                eventLoop.execute { self.loop.commitFailed(error, replaced: replaced) }
            }
        }
    }

    func readAll(from storage: Storage) async {
        for await request in reads.stream {
            let read = request.read
            do throws(StoreError) {
                let reading = try await storage.read(
                    lane: read.lane, from: read.from, maximumCount: read.maximumCount, maximumBytes: read.maximumBytes,
                    now: clock.now())
                eventLoop.execute { request.completion.value(reading) }
            } catch {
                loggers.store.error("cannot read the cache", metadata: ["bridge": "\(read.lane)", "error": "\(error)"])
                let replaced = await ApplianceCore.replaceDamagedFiles(of: storage, after: error)
                eventLoop.execute {
                    self.loop.filesReplaced(replaced)
                    request.completion.value(nil)
                }
            }
        }
    }

    /// Has the store correct the times of what it took in before the time was known, whenever that becomes known.
    func correctTimes(in storage: Storage) async {
        for await _ in clockSettings.stream {
            do throws(StoreError) {
                try await storage.timeBecameKnown(at: clock.now())
                eventLoop.execute { for bridge in self.loop.bridges { bridge.rereadUnsent() } }
            } catch {
                // The next commit does it.
                loggers.store.error("cannot correct times in the cache", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Looks for damaged files that were set aside, and whether somebody has taken them away.
    func watchDamage(in storage: Storage) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                while (try? await Task.sleep(for: ApplianceCore.damageInterval)) != nil { self.damageFound.continuation.yield() }
            }
            for await _ in damageFound.stream {
                guard let files = await storage.damagedFiles() else { continue }
                await eventLoop.run { self.damageAlarm.update(files) }
            }
            tasks.cancelAll()
        }
    }

    private static let damageInterval = Duration.seconds(5)

    /// If a file is damaged, an empty one takes its place.
    private static func replaceDamagedFiles(of storage: Storage, after error: StoreError) async -> [StorageAlarm] {
        guard case .damaged = error else { return [] }
        return (try? await storage.replaceDamagedFiles(now: SystemClock.wall())) ?? []
    }

    // MARK: Field buses

    /// Polls all buses and carries out commands until ``stopInput()``.
    func workOnBuses() async {
        await field.run { bus in
            let losses = LossLog()
            let readings = self.readings
            let log = self.loggers.bus
            let name = bus.name
            await bus.work(
                deliver: { reading in
                    if readings.post(reading) { return }
                    guard let lost = losses.count(reading.samples.count, now: SystemClock.monotonic()) else { return }
                    log.error(
                        "readings come faster than they can be published; the newest are lost",
                        metadata: ["bus": "\(name)", "values": "\(lost)"])
                }, events: { log.report($0, bus: name) },
                finish: { command, results in
                    self.eventLoop.execute {
                        self.commands.finish(command, results)
                        self.loop.scheduleTurn()
                    }
                })
        }
    }

    func busStatuses() -> [BusStatus] { field.buses.map { $0.driver.status() } }

    // MARK: Reload

    /// What a reload brings in force.
    struct NewForce: Sendable {
        var plan: AppliancePlan
        /// The plan's configuration, but with the old values where the change has to wait for the next start.
        var settings: MartletConfiguration
        var buses: FieldSide.Change
        /// What the cache holds: of a bridge that is new here there may be messages from an earlier run.
        var lanes: [LaneStatus]
        /// Listeners' channels that were closed.
        var closed: [any Channel]
        /// New names of the listeners that stay, by their old ones.
        var renamed: [String: String]
    }

    /// On the event loop: brings in force what can change while everything runs.
    func apply(_ new: NewForce) {
        let now = SystemClock.monotonic()
        let wall = SystemClock.wall()
        loop.broker.limits = new.settings.brokerLimits
        loop.broker.mark(new.settings, new.plan.bridges)
        cache.replace(limits: new.settings.cacheLimits(maximumBytes: cache.size.bytes))
        systemTopics.interval = new.settings.systemTopicsInterval
        for (table, listener) in zip(new.settings.listeners, new.plan.listeners) {
            let isAsBefore =
                configuration.listeners.contains(table)
                && configuration.settings(of: table).allowsAnonymous == listener.settings.allowsAnonymous
            context.listener(at: listener.place)?.replace(settings: listener.settings, tls: listener.tls, keepsUnconnected: isAsBefore)
        }
        let isPostingOtherwise =
            configuration.products != new.settings.products || configuration.devices != new.settings.devices
        let same = configuration.products.filter { new.settings.products.contains($0) }.map(\.key)
        configuration = new.settings
        if isPostingOtherwise {
            devicePosts.start(
                new.plan.postingProducts, busDevices: new.plan.buses.flatMap(\.deviceIdentifiers), keeping: Set(same), now: now,
                wall: wall)
        }
        for reading in new.buses.gone(at: wall) { publisher.publish(reading, now: now, wall: wall) }
        publisher.replace(new.plan.publishedDevices, keeping: new.buses.kept)
        commands.queues = new.buses.queues
        replaceRules(new.plan.rules, now: now, wall: wall)
        replaceBridges(new.plan.bridges, lanes: new.lanes)
        for port in new.closed { context.closeConnections(of: port, now: now, wall: wall) }
        access.replace(with: new.plan, renamed: new.renamed, now: now, wall: wall)
        reporter.listeners = new.settings.listeners.map(\.name)
        loop.scheduleTurn()
    }

    /// Rules that are as they were go on, with what they have counted.
    private func replaceRules(_ rules: [CompiledRule], now: MonotonicTime, wall: Timestamp) {
        var old = Dictionary(reporter.rules.map { ($0.name, $0) }) { first, _ in first }
        for (name, client) in old where !rules.contains(where: { $0.name == name && $0.isSame(as: client.rule) }) {
            client.stop(now: now, wall: wall)
            old[name] = nil
        }
        reporter.rules = rules.map { rule in
            if let client = old[rule.name] { return client }
            let client = RuleClient(rule, broker: loop.broker, logger: loggers.rules)
            client.start(now: now, wall: wall)
            return client
        }
    }

    /// A bridge that is gone keeps its place, without a connection, for what of it is not yet on disk.
    private func replaceBridges(_ configurations: [BridgeConfiguration], lanes: [LaneStatus]) {
        for bridge in loop.bridges where !configurations.contains(where: { $0.name == bridge.configuration.name }) {
            let waiting = bridge.hasStopped ? 0 : bridge.status.messages
            if waiting > 0 {
                loggers.bridge.warning(
                    "the bridge is removed and what waits for its upstream stays in the cache, until a bridge of this name sends it or martlet cache purge --bridge gives it up",
                    metadata: ["bridge": "\(bridge.configuration.name)", "messages": "\(waiting)"])
            }
            bridge.stop()
        }
        for configuration in configurations {
            if let bridge = loop.bridges.first(where: { $0.configuration.name == configuration.name }) {
                if bridge.hasStopped || bridge.configuration != configuration { bridge.reconfigure(configuration) }
            } else {
                let bridge = makeBridge(configuration, lanes)
                loop.bridges.append(bridge)
                bridge.start()
            }
        }
    }

    // MARK: Shutdown

    var isStopping: Bool { stopFlag.load(ordering: .relaxed) }

    func stopInput() {
        stopFlag.store(true, ordering: .relaxed)
        field.stop()
    }

    /// On the event loop.
    func shutDownBroker() {
        ticker.cancel()
        for bridge in loop.bridges { bridge.stop() }
        // What upstreams have acknowledged last is stored too, or it would be sent again after the start.
        if !loop.bridges.isEmpty { loop.broker.touchBatch() }
        loop.broker.shutDown(now: SystemClock.monotonic(), wall: SystemClock.wall())
        loop.scheduleTurn()
    }

    /// On the event loop: whether everything has been stored, and how many connections have not taken what is left to be
    /// said to them.
    func settle() -> (isStored: Bool, connections: Int) {
        loop.commitNow()
        return (loop.isIdle, context.openConnections)
    }

    func stopOutput() {
        commits.continuation.finish()
        reads.continuation.finish()
        clockSettings.continuation.finish()
        damageFound.continuation.finish()
    }

    // MARK: Status

    /// On the event loop.
    func cacheFigures() -> CacheFigures { cache.figures }

    /// On the event loop: messages were taken out of the cache.
    func purged(_ losses: [CacheLoss], lanes: [LaneStatus]) { loop.purged(losses, lanes: lanes) }

    /// On the event loop: the routes of the bridges, those included that were removed in this run.
    var routeNames: [RouteName] {
        loop.bridges.flatMap { bridge in bridge.routes.map { RouteName(bridge: bridge.configuration.name, priority: $0.priority) } }
    }

    /// On the event loop.
    func report() -> ApplianceReport { reporter.report() }

    /// On the event loop.
    func snapshot(buses: [BusStatus]) -> StatusSnapshot {
        var points: [StatusSnapshot.Point] = []
        for device in configuration.devices where device.bus != nil {
            guard let product = configuration.product(key: device.product) else { continue }
            for point in product.points where point.isOnBus {
                points.append(
                    StatusSnapshot.Point(
                        device: device.identifier, identifier: point.identifier, unit: point.unit,
                        sample: publisher.latest(of: device.identifier)?[point.identifier]))
            }
        }
        let now = SystemClock.monotonic()
        return StatusSnapshot(
            time: SystemClock.wall(), monotonic: now, uptime: now - startedAt, name: configuration.appliance.name,
            listeners: configuration.listeners.map(\.place),
            clients: loop.broker.clientCount, broker: loop.broker.statistics, samples: publisher.samples, points: points,
            buses: buses,
            bridges: reporter.bridges(), cache: cache.figures,
            rules: reporter.rules.map { ($0.name, $0.matched, $0.failed) })
    }
}

/// A page of the cache that a bridge wants.
struct CacheReadRequest: Sendable {
    var read: LaneRead
    /// Takes what was read, nil after a failure; on the event loop.
    var completion: NIOLoopBound<(CacheReading?) -> Void>
}

extension Logger {
    /// What happens on a bus, as a field engineer wants to find it.
    fileprivate func report(_ event: BusEvent, bus: String) {
        switch event {
        case .opened:
            info("the line is open", metadata: ["bus": "\(bus)"])
        case .openFailed(let detail):
            warning("the line cannot be opened", metadata: ["bus": "\(bus)", "detail": "\(detail)"])
        case .programEnded(let detail, let again):
            warning(
                "the driver's program does not run",
                metadata: ["bus": "\(bus)", "detail": "\(detail)", "next-start-in": "\(again.wholeMilliseconds) ms"])
        case .deviceBad(let device, let reason, let detail):
            warning(
                "a device does not answer as it should",
                metadata: ["bus": "\(bus)", "device": "\(device)", "reason": "\(reason.rawValue)", "detail": "\(detail)"])
        case .deviceGood(let device):
            notice("a device answers", metadata: ["bus": "\(bus)", "device": "\(device)"])
        case .said(let text):
            notice("the driver's program says", metadata: ["bus": "\(bus)", "text": "\(text)"])
        case .pointsBad(let device, let points, let reason):
            warning(
                "a device refuses points",
                metadata: ["bus": "\(bus)", "device": "\(device)", "points": "\(points.joined(separator: " "))", "reason": "\(reason.rawValue)"])
        }
    }
}

extension Broker {
    /// Marks messages as the configuration says; what is remembered stays if that says the same as before.
    fileprivate func mark(_ configuration: MartletConfiguration, _ bridges: [BridgeConfiguration]) {
        let run = UInt64.random(in: 0...UInt64.max)
        guard let hops = configuration.broker.maxHops else { return markReturning(configuration, bridges, run: run) }
        let name = configuration.appliance.name
        guard hops > 0 else { return trail = nil }
        if let trail, trail.name == name, trail.maximumHops == hops, trail.begins == nil { return }
        trail = MessageTrail(name: name, maximumHops: hops, run: run)
    }

    /// Marks what a bridge sends and also receives. Nobody has been asked for a name that no other box has, so one is made.
    private func markReturning(_ configuration: MartletConfiguration, _ bridges: [BridgeConfiguration], run: UInt64) {
        let bothWays = Set(configuration.bridges.filter { $0.protocol == .v5 && $0.receivesWhatItSends }.map(\.name))
        let topics = ReturningTopics(bridges.filter { bothWays.contains($0.name) })
        guard !topics.isEmpty else { return trail = nil }
        let own = "\(configuration.appliance.name)-\(String(run, radix: 36))"
        let name = trail.flatMap { $0.begins == nil ? nil : $0.name } ?? own
        trail = MessageTrail(name: name, maximumHops: 16, run: run) { topics.contains($0) }
    }
}
