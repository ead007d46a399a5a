import Bridge
import Broker
import Core
import FieldBus
import MQTTServer

/// Makes the ``ApplianceReport`` from the parts that run.
///
/// Belongs to the broker's event loop.
final class Reporter {
    private let loop: BrokerLoop
    private let context: ServerContext
    private let publisher: PointPublisher
    private let cache: CacheMonitor
    private let field: FieldSide
    private let damage: DamageAlarm
    private let startedAt: MonotonicTime
    var listeners: [String]
    var rules: [RuleClient] = []
    /// How many values of the buses have been lost on the way to the loop.
    var lostSamples: () -> UInt64 = { 0 }

    init(
        loop: BrokerLoop, context: ServerContext, publisher: PointPublisher, cache: CacheMonitor, listeners: [String],
        field: FieldSide, damage: DamageAlarm, startedAt: MonotonicTime
    ) {
        self.field = field
        self.damage = damage
        self.cache = cache
        self.loop = loop
        self.context = context
        self.publisher = publisher
        self.listeners = listeners
        self.startedAt = startedAt
    }

    func report() -> ApplianceReport {
        ApplianceReport(
            wall: SystemClock.wall(), now: SystemClock.monotonic(), uptime: SystemClock.monotonic() - startedAt, statistics: loop.broker.statistics,
            census: loop.broker.census(), traffic: context.traffic,
            connections: listeners.map { ($0, context.connections[$0] ?? 0) }, commits: loop.commits,
            damagedFiles: damage.files.count,
            bridges: bridges(), cache: cache.figures, losses: cache.losses.totals,
            rules: rules.map { ApplianceReport.Rule(name: $0.name, matched: $0.matched, failed: $0.failed) },
            buses: field.buses.map { $0.driver.status() }, samples: publisher.samples, lostSamples: lostSamples())
    }

    func bridges() -> [BridgeReport] {
        let fills = cache.routeFills
        return loop.bridges.filter { !$0.hasStopped }.map { bridge in
            let rates = cache.rates(of: bridge.configuration.name)
            return BridgeReport(status: bridge.status, inPerSecond: rates.in, outPerSecond: rates.out, fills: fills.filter { $0.route.bridge == bridge.configuration.name })
        }
    }
}
