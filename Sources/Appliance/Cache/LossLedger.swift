import Bridge
import Core
import Store

/// What the cache has lost and what the upstream would not have, added up until it is time to say so: a cache that is full loses
/// something with every commit.
struct LossLedger {
    enum Reason: Hashable {
        case cache(CacheLoss.Reason)
        case skipped(SkippedMessages.Reason)

        /// As events, reports and metrics say it.
        var word: String {
            switch self {
            case .cache(let reason): reason.rawValue
            case .skipped(let reason): reason.rawValue
            }
        }
    }

    /// Losses of one route for one reason.
    struct Report: Equatable {
        /// nil for a lane of nobody's.
        var bridge: String?
        var priority: Int
        var reason: Reason
        var messages: Int64
        /// When the earliest and the latest of the messages were published.
        var from: Timestamp
        var to: Timestamp
    }

    private struct Key: Hashable {
        var bridge: String?
        var priority: Int
        var reason: Reason
    }

    /// Between two reports of the same route and reason.
    static let interval = Duration.seconds(10)

    private var waiting: [Key: Report] = [:]
    private var reportedAt: [Key: MonotonicTime] = [:]
    /// What the cache has lost since the program started; what was skipped the bridges count themselves.
    private(set) var totals: [(bridge: String, priority: Int, reason: CacheLoss.Reason, messages: Int64)] = []

    mutating func add(_ loss: CacheLoss) {
        let name = LaneName(loss.lane)
        let priority = name?.priority ?? RouteName.defaultPriority
        add(
            Report(
                bridge: name?.bridge, priority: priority, reason: .cache(loss.reason), messages: loss.messages, from: loss.oldest,
                to: loss.newest))
        let bridge = name?.bridge ?? loss.lane
        if let index = totals.firstIndex(where: { $0.bridge == bridge && $0.priority == priority && $0.reason == loss.reason }) {
            totals[index].messages += loss.messages
        } else if totals.count < 1000 {
            totals.append((bridge, priority, loss.reason, loss.messages))
        }
    }

    mutating func add(_ skipped: SkippedMessages, bridge: String, priority: Int) {
        for (reason, span) in skipped.spans {
            add(
                Report(
                    bridge: bridge, priority: priority, reason: .skipped(reason), messages: span.messages, from: span.oldest,
                    to: span.newest))
        }
    }

    private mutating func add(_ loss: Report) {
        let key = Key(bridge: loss.bridge, priority: loss.priority, reason: loss.reason)
        guard var report = waiting[key] else {
            waiting[key] = loss
            return
        }
        report.messages += loss.messages
        report.from = min(report.from, loss.from)
        report.to = max(report.to, loss.to)
        waiting[key] = report
    }

    /// The reports whose time has come, which are over with that.
    mutating func takeDue(_ now: MonotonicTime) -> [Report] {
        var due: [Report] = []
        for (key, report) in waiting where reportedAt[key].map({ now - $0 >= LossLedger.interval }) ?? true {
            due.append(report)
            waiting[key] = nil
            reportedAt[key] = now
        }
        return due.sorted { ($0.bridge ?? "", -$0.priority, $0.reason.word) < ($1.bridge ?? "", -$1.priority, $1.reason.word) }
    }
}
