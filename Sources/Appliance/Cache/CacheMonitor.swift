import Bridge
import Core
import Logging
import MQTTCodec
import Payload
import Store

/// Watches the cache of a box that runs: its figures, when it is nearly full, and what it loses.
///
/// Belongs to the broker's event loop.
final class CacheMonitor {
    /// Whose figures the cache has.
    var size: CacheSize { didSet { limits.maximumBytes = size.bytes } }
    /// What each route may hold.
    private(set) var limits: CacheLimits
    private let base: CachePlan
    private let logger: Logger
    /// Told of what happens.
    private let events: (CacheEvent) -> Void

    private(set) var lanes: [LaneStatus]
    private(set) var losses = LossLedger()
    private var appended: UInt64 = 0
    private var records = MeanRate(window: .seconds(300))
    private var written = MeanRate(window: .seconds(300))
    private var bytesPerRecord = 0.0
    private var watch = FillWatch()
    private var routeRates = RouteRates()
    private var routeWatches: [RouteName: FillWatch] = [:]
    private var bridgeRates: [String: (in: MeanRate, out: MeanRate)] = [:]

    /// - Parameters:
    ///   - limits: what each route may hold; those of the whole come from `size`.
    ///   - base: the plan's limits and endurance; its load is measured here.
    ///   - lanes: what the cache holds.
    init(
        size: CacheSize, limits: CacheLimits, base: CachePlan, lanes: [LaneStatus], logger: Logger, now: MonotonicTime,
        events: @escaping (CacheEvent) -> Void
    ) {
        self.size = size
        self.limits = limits
        self.limits.maximumBytes = size.bytes
        self.base = base
        self.lanes = lanes
        self.logger = logger
        self.events = events
        records.update(0, at: now)
        written.update(UInt64(clamping: WrittenBytes.now.toDisk), at: now)
        routeRates.update(lanes, at: now)
        measureRecords()
    }

    /// A commit is on disk, or something was purged.
    ///
    /// - Parameters:
    ///   - appended: messages that are new.
    ///   - lanes: all of them.
    func changed(appended: Int64, losses: [CacheLoss], lanes: [LaneStatus]) {
        self.appended &+= UInt64(clamping: appended)
        self.lanes = lanes
        for loss in losses { self.losses.add(loss) }
    }

    /// The limits of routes are others from now on; that of the whole stays.
    func replace(limits: CacheLimits) {
        self.limits = limits
        self.limits.maximumBytes = size.bytes
    }

    /// To be called about once a second.
    func tick(now: MonotonicTime, bridges: [Bridge]) {
        records.update(appended, at: now)
        written.update(UInt64(clamping: WrittenBytes.now.toDisk), at: now)
        routeRates.update(lanes, at: now)
        measureRecords()
        for bridge in bridges where !bridge.hasStopped {
            let lane = bridge.statistics
            bridgeRates[bridge.configuration.name, default: (MeanRate(window: .seconds(10)), MeanRate(window: .seconds(10)))].in
                .update(lane.appended, at: now)
            bridgeRates[bridge.configuration.name]?.out.update(lane.acknowledged, at: now)
        }
        for bridge in bridges {
            for (priority, messages) in bridge.takeSkipped() { losses.add(messages, bridge: bridge.configuration.name, priority: priority) }
        }
        warn()
        warnOfRoutes()
        for report in losses.takeDue(now) { tell(report, bridges: bridges) }
    }

    /// Messages a second into a bridge's part of the cache, and out of it.
    func rates(of bridge: String) -> (in: Double, out: Double) {
        bridgeRates[bridge].map { ($0.in.perSecond, $0.out.perSecond) } ?? (0, 0)
    }

    var figures: CacheFigures {
        var plan = base
        plan.load.recordsPerSecond = records.perSecond
        plan.load.cachedBytesPerRecord = bytesPerRecord
        plan.load.writtenBytesPerRecord = records.perSecond > 0 ? written.perSecond / records.perSecond : 0
        return CacheFigures(
            size: size, usedBytes: usedBytes, messages: lanes.reduce(0) { $0 + $1.messages }, plan: plan, routeFills: routeFills)
    }

    private var usedBytes: Int64 { lanes.reduce(0) { $0 + $1.bytes } }

    /// What a record takes, from those that wait: a few may share a block with many that have gone.
    private func measureRecords() {
        let messages = lanes.reduce(Int64(0)) { $0 + $1.messages }
        guard messages >= 100 || bytesPerRecord == 0 && messages > 0 else { return }
        bytesPerRecord = Double(usedBytes) / Double(messages)
    }

    private func warn() {
        let figures = figures
        switch watch.update(figures.fraction) {
        case nil: break
        case .above(let percent):
            logger.warning(
                "the cache is nearly full",
                metadata: [
                    "percent": "\(percent)", "bytes": "\(figures.usedBytes)", "limit": "\(size.bytes)",
                    "full-in": "\(Quantity.seconds(figures.secondsUntilFull))",
                ])
            events(.filling(percent: percent, figures))
        case .below(let percent):
            logger.notice("the cache has room again", metadata: ["percent": "\(percent)", "bytes": "\(figures.usedBytes)"])
            events(.emptying(percent: percent, figures))
        }
    }

    private func warnOfRoutes() {
        let fills = routeFills
        routeWatches = routeWatches.filter { watch in fills.contains { $0.route == watch.key } }
        for fill in fills {
            guard let change = routeWatches[fill.route, default: FillWatch()].update(fill.fraction) else { continue }
            let metadata: Logger.Metadata = [
                "bridge": "\(fill.route.bridge)", "priority": "\(fill.route.priority)", "bytes": "\(fill.usedBytes)", "limit": "\(fill.limitBytes)",
                "full-in": "\(Quantity.seconds(fill.secondsUntilFull))",
            ]
            switch change {
            case .above(let percent):
                logger.warning("a route of the cache is nearly full", metadata: metadata.merging(["percent": "\(percent)"]) { $1 })
                events(.routeFilling(percent: percent, fill))
            case .below(let percent):
                logger.notice("a route of the cache has room again", metadata: metadata.merging(["percent": "\(percent)"]) { $1 })
                events(.routeEmptying(percent: percent, fill))
            }
        }
    }

    /// Of the routes that may not fill the whole cache.
    var routeFills: [RouteFill] { RouteFill.all(limits, lanes: lanes, rates: routeRates.bytesPerSecond) }

    /// In the log, as an event here, and upstream, so that it is known there what is missing.
    private func tell(_ report: LossLedger.Report, bridges: [Bridge]) {
        // What was skipped the bridge has said itself, with the topic.
        if case .cache = report.reason {
            logger.warning(
                "the cache has lost messages",
                metadata: [
                    "bridge": "\(report.bridge ?? "")", "priority": "\(report.priority)", "messages": "\(report.messages)",
                    "reason": "\(report.reason.word)", "from": "\(ISOTime.text(report.from))", "to": "\(ISOTime.text(report.to))",
                ])
        }
        events(.lost(report))
        bridges.first { $0.configuration.name == report.bridge }?
            .report(EventPublisher.payload(at: SystemClock.wall()) { CacheEvent.lost(report).write(to: &$0) })
    }
}
