import Broker
import Core

/// Keeps those that are turned away from filling the log: what happens again and again to clients of one address is said once
/// in a while, with how often it happened.
///
/// Belongs to the server's event loop.
struct RefusalLog {
    /// What is the same line: the address as it is banned (of IPv6 the first 64 bits), and the message.
    private struct Key: Hashable {
        var site: NetworkAddress?
        var message: String
    }

    /// How many lines were left out.
    struct Summary: Equatable {
        /// nil for addresses and messages of all kinds, more than are told apart.
        var message: String?
        /// nil for a Unix socket.
        var site: NetworkAddress?
        var count: UInt64
    }

    /// Time for which a line is not repeated.
    static let interval = Duration.seconds(60)
    /// Lines that are told apart within that time.
    static let maximumLines = 100

    private var leftOut: [Key: UInt64] = [:]
    private var others: UInt64 = 0
    private var since: MonotonicTime?

    /// Whether a line is to be written; if not, it is counted.
    mutating func admits(_ message: String, from site: NetworkAddress?, now: MonotonicTime) -> Bool {
        let key = Key(site: site, message: message)
        if since == nil { since = now }
        if let count = leftOut[key] {
            leftOut[key] = count + 1
            return false
        }
        guard leftOut.count < RefusalLog.maximumLines else {
            others += 1
            return false
        }
        leftOut[key] = 0
        return true
    }

    /// What was left out, when the interval is over; the next one begins with the next line.
    mutating func takeSummaries(now: MonotonicTime) -> [Summary] {
        guard let since, now >= since + RefusalLog.interval else { return [] }
        var summaries: [Summary] = []
        for (key, count) in leftOut where count > 0 {
            summaries.append(Summary(message: key.message, site: key.site, count: count))
        }
        summaries.sort { $0.count > $1.count }
        if others > 0 { summaries.append(Summary(message: nil, site: nil, count: others)) }
        self = RefusalLog()
        return summaries
    }
}
