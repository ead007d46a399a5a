import Bridge
import Broker
import Core
import FieldBus
import MQTTServer
import Store

/// All that is counted, at one moment: what `$SYS` and the metrics show. Made on the broker's loop.
struct ApplianceReport: Sendable {
    struct Rule: Sendable {
        var name: String
        var matched: UInt64
        var failed: UInt64
    }

    var wall: Timestamp
    /// At ``wall``.
    var now: MonotonicTime
    var uptime: Duration
    var statistics: BrokerStatistics
    var census: BrokerCensus
    var traffic: Traffic
    /// Open connections by listener, in the order of the configuration.
    var connections: [(listener: String, count: Int)]
    var commits: CommitStatistics
    /// Damaged files that were set aside and are still there.
    var damagedFiles: Int
    var bridges: [BridgeReport]
    var cache: CacheFigures
    /// Messages that the cache has lost, by bridge, priority and reason.
    var losses: [(bridge: String, priority: Int, reason: CacheLoss.Reason, messages: Int64)]
    var rules: [Rule]
    var buses: [BusStatus]
    /// Values read from field buses and published, calculated ones included.
    var samples: UInt64
    /// Values that were read and not published, because they came faster than that could be done.
    var lostSamples: UInt64
}
