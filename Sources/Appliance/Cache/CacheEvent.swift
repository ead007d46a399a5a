import Bridge
import Core
import Payload
import Store

/// What happens to the cache, as its event topics say it.
enum CacheEvent: Sendable {
    /// So many percent are in use.
    case filling(percent: Int, CacheFigures)
    /// Well below so many percent again.
    case emptying(percent: Int, CacheFigures)
    /// So many percent of what a route may hold are in use.
    case routeFilling(percent: Int, RouteFill)
    /// Well below so many percent of it again.
    case routeEmptying(percent: Int, RouteFill)
    case lost(LossLedger.Report)

    var topic: String {
        switch self {
        case .filling, .routeFilling: "$events/cache/filling"
        case .emptying, .routeEmptying: "$events/cache/emptying"
        case .lost: "$events/cache/lost"
        }
    }

    /// The members of the JSON object after `time`.
    func write(to writer: inout JSONWriter) {
        switch self {
        case .filling(let percent, let figures), .emptying(let percent, let figures):
            writer.member("percent", Int64(percent))
            writer.member("bytes", figures.usedBytes)
            writer.member("limitBytes", figures.size.bytes)
            writer.member("secondsUntilFull", seconds: figures.secondsUntilFull)
        case .routeFilling(let percent, let fill), .routeEmptying(let percent, let fill):
            writer.name("bridge")
            writer.string(fill.route.bridge)
            writer.member("priority", Int64(fill.route.priority))
            writer.member("percent", Int64(percent))
            writer.member("bytes", fill.usedBytes)
            writer.member("limitBytes", fill.limitBytes)
            writer.member("secondsUntilFull", seconds: fill.secondsUntilFull)
        case .lost(let report):
            if let bridge = report.bridge {
                writer.name("bridge")
                writer.string(bridge)
            }
            writer.member("priority", Int64(report.priority))
            writer.name("reason")
            writer.string(report.reason.word)
            writer.member("messages", report.messages)
            writer.member("from", report.from.milliseconds)
            writer.member("to", report.to.milliseconds)
        }
    }
}
