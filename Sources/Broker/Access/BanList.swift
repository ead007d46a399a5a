public import Core

/// Who may not connect for a while.
///
/// Bounded: at ``maximumCount`` subjects those that have not been looked at for longest are let in again.
public struct BanList {
    public static let maximumCount = 20_000

    public enum Subject: Sendable, Hashable {
        /// A ``NetworkAddress/site``.
        case address(NetworkAddress)
        case clientIdentifier(String)
        case userName(String)
    }

    private var ends = BoundedTable<Subject, MonotonicTime>(limit: maximumCount)

    public init() {}

    public var count: Int { ends.count }

    public mutating func ban(_ subject: Subject, until end: MonotonicTime) { ends[subject] = end }

    public mutating func isBanned(_ subject: Subject, now: MonotonicTime) -> Bool {
        guard !ends.isEmpty, let end = ends[subject] else { return false }
        if end > now { return true }
        ends[subject] = nil
        return false
    }
}

extension BanList.Subject: CustomStringConvertible {
    public var description: String {
        switch self {
        case .address(let address): "address \(address)"
        case .clientIdentifier(let identifier): "client identifier \(identifier.inQuotes)"
        case .userName(let name): "user name \(name.inQuotes)"
        }
    }
}

/// Counts what somebody does within a span of time that begins with the first and starts anew after it.
///
/// Bounded like ``BanList``.
struct EventCounter<Key: Hashable> {
    private struct Count {
        var since: MonotonicTime
        var events: Int
    }

    private var counts: BoundedTable<Key, Count>

    init(limit: Int = BanList.maximumCount) { counts = BoundedTable(limit: limit) }

    /// Counts one more.
    ///
    /// - Returns: how many there are within `window` with this one.
    mutating func count(_ key: Key, window: Duration, now: MonotonicTime) -> Int {
        var count = counts[key] ?? Count(since: now, events: 0)
        if now >= count.since + window { count = Count(since: now, events: 0) }
        count.events += 1
        counts[key] = count
        return count.events
    }

    mutating func forget(_ key: Key) {
        if !counts.isEmpty { counts[key] = nil }
    }
}
