import Broker
import Core

/// Keeps those that are turned away from filling the log: what happens again and again to clients of one address is said once
/// in a while, with how often it happened.
///
/// Belongs to the server's event loop.
struct RefusalLog {
    /// What is the same line.
    struct Line: Hashable {
        var message: String
        /// Why, without what differs from client to client; nil for causes of all kinds, more than are told apart.
        var cause: String?
        var listener: String
        /// The address as it is banned (of IPv6 the first 64 bits); nil for a Unix socket.
        var site: NetworkAddress?
    }

    /// How many lines were left out.
    struct Summary: Equatable {
        /// nil for lines of all kinds, more than are told apart.
        var line: Line?
        var count: UInt64
    }

    /// Time for which a line is not repeated.
    static let interval = Duration.seconds(60)
    /// Lines that are told apart within that time.
    static let maximumLines = 100
    /// Of these for one message, listener and address: nobody takes the places of others by thinking of new mistakes.
    static let maximumCauses = 8
    /// Characters of a cause that are compared.
    private static let maximumCauseLength = 200

    private var leftOut: [Line: UInt64] = [:]
    /// By the line without its cause.
    private var causes: [Line: Int] = [:]
    private var others: UInt64 = 0
    private var since: MonotonicTime?

    /// Whether a line is to be written; if not, it is counted.
    mutating func admits(_ line: Line, now: MonotonicTime) -> Bool {
        var line = line
        line.cause = line.cause.map { String($0.unicodeScalars.prefix(RefusalLog.maximumCauseLength)) }
        if since == nil { since = now }
        if let count = leftOut[line] {
            leftOut[line] = count + 1
            return false
        }
        var general = line
        general.cause = nil
        guard causes[general, default: 0] < RefusalLog.maximumCauses else {
            leftOut[general, default: 0] += 1
            return false
        }
        guard leftOut.count < RefusalLog.maximumLines else {
            others += 1
            return false
        }
        leftOut[line] = 0
        causes[general, default: 0] += 1
        return true
    }

    /// What was left out, when the interval is over; the next one begins with the next line.
    mutating func takeSummaries(now: MonotonicTime) -> [Summary] {
        guard let since, now >= since + RefusalLog.interval else { return [] }
        var summaries: [Summary] = []
        for (line, count) in leftOut where count > 0 { summaries.append(Summary(line: line, count: count)) }
        summaries.sort { $0.count > $1.count }
        if others > 0 { summaries.append(Summary(line: nil, count: others)) }
        self = RefusalLog()
        return summaries
    }
}
