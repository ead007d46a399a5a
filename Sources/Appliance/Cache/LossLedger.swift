import Bridge
import Core
import Store

/// What the cache has lost, added up until it is time to say so: a cache that is full loses something with every commit.
struct LossLedger {
    /// Losses of one route for one reason.
    struct Report: Sendable, Equatable {
        /// nil for a lane of nobody's.
        var bridge: String?
        var priority: Int
        var reason: CacheLoss.Reason
        var messages: Int64
        /// When the earliest and the latest of the messages were published.
        var from: Timestamp
        var to: Timestamp
    }

    private struct Key: Hashable {
        var bridge: String?
        var priority: Int
        var reason: CacheLoss.Reason
    }

    /// Between two reports of the same route and reason.
    static let interval = Duration.seconds(10)

    private var waiting: [Key: Report] = [:]
    private var reportedAt: [Key: MonotonicTime] = [:]
    /// Since the program started.
    private(set) var totals: [(bridge: String, priority: Int, reason: CacheLoss.Reason, messages: Int64)] = []

    mutating func add(_ loss: CacheLoss) {
        let name = LaneName(loss.lane)
        let key = Key(bridge: name?.bridge, priority: name?.priority ?? LaneName.defaultPriority, reason: loss.reason)
        var report = waiting[key]
            ?? Report(
                bridge: key.bridge, priority: key.priority, reason: key.reason, messages: 0, from: loss.oldest, to: loss.newest)
        report.messages += loss.messages
        report.from = min(report.from, loss.oldest)
        report.to = max(report.to, loss.newest)
        waiting[key] = report
        let bridge = key.bridge ?? loss.lane
        if let index = totals.firstIndex(where: { $0.bridge == bridge && $0.priority == key.priority && $0.reason == key.reason }) {
            totals[index].messages += loss.messages
        } else if totals.count < 1000 {
            totals.append((bridge, key.priority, key.reason, loss.messages))
        }
    }

    /// The reports whose time has come, which are over with that.
    mutating func takeDue(_ now: MonotonicTime) -> [Report] {
        var due: [Report] = []
        for (key, report) in waiting where reportedAt[key].map({ now - $0 >= LossLedger.interval }) ?? true {
            due.append(report)
            waiting[key] = nil
            reportedAt[key] = now
        }
        return due.sorted { ($0.bridge ?? "", -$0.priority, $0.reason.rawValue) < ($1.bridge ?? "", -$1.priority, $1.reason.rawValue) }
    }
}
