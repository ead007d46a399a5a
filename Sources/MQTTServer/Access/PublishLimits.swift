import Broker
import Core

/// How fast one client may publish.
public struct PublishLimits: Sendable, Equatable {
    public enum Policy: Sendable, Equatable {
        /// Nothing is read from the client until it is within its rate again: it waits, and loses nothing.
        case slowDown
        /// The connection ends with Message rate too high.
        case disconnect
    }

    /// Messages a second, with a burst of as many; nil for any number.
    public var messages: Int?
    /// Bytes of PUBLISH packets a second, with a burst of as many; nil for any number.
    public var bytes: Int?
    public var policy = Policy.slowDown

    public init() {}

    var isNone: Bool { messages == nil && bytes == nil }
}

/// Measures what one client publishes, over all its connections.
final class PublishMeter {
    private var messages: TokenBucket?
    private var bytes: TokenBucket?
    let policy: PublishLimits.Policy

    init(_ limits: PublishLimits, now: MonotonicTime) {
        messages = limits.messages.map { TokenBucket(rate: Double($0), now: now) }
        bytes = limits.bytes.map { TokenBucket(rate: Double($0), now: now) }
        policy = limits.policy
    }

    /// A message of so many bytes has come.
    ///
    /// - Returns: how long it is until the client is within its rate again.
    func count(bytes count: Int, now: MonotonicTime) -> Duration {
        let forMessages = messages?.spend(1, now: now) ?? .zero
        let forBytes = bytes?.spend(Double(count), now: now) ?? .zero
        return max(forMessages, forBytes)
    }
}

/// The meters of the clients that came last: whoever connects again goes on with what he has spent.
struct PublishMeters {
    /// A client is known by its identifier and by where it comes from: nobody spends for another one by using his name.
    private struct Key: Hashable {
        var clientIdentifier: String
        var site: NetworkAddress?
    }

    /// Clients that are remembered.
    static let maximumCount = 20_000

    private var meters = BoundedTable<Key, PublishMeter>(limit: PublishMeters.maximumCount)

    /// - Returns: nil if the limits are none.
    mutating func meter(
        _ limits: PublishLimits, of clientIdentifier: String, at address: NetworkAddress?, now: MonotonicTime
    ) -> PublishMeter? {
        guard !limits.isNone else { return nil }
        let key = Key(clientIdentifier: clientIdentifier, site: address?.site)
        if let known = meters[key] { return known }
        let meter = PublishMeter(limits, now: now)
        meters[key] = meter
        return meter
    }

    /// The limits are others now.
    mutating func removeAll() { meters.removeAll() }
}
