/// When to connect: at once, then after waits that double from the shortest to the longest, each shortened by a random part
/// of up to half so that the boxes of a site do not come back all in the same second.
public struct Reconnection: Sendable {
    public enum State: Sendable, Equatable {
        /// Not started, or stopped.
        case idle
        case connecting(since: MonotonicTime)
        case connected(since: MonotonicTime)
        case waiting(until: MonotonicTime)

        public var isConnected: Bool { if case .connected = self { true } else { false } }
    }

    /// A connection that lasted this long starts the waits anew.
    static let provenAfter = Duration.seconds(30)

    public private(set) var state = State.idle
    /// Connections that failed or ended early, one after the other.
    public private(set) var failures = 0
    private var random: SplitMix64
    private let shortestWait: Duration
    private let longestWait: Duration

    /// - Parameters:
    ///   - seed: of the random part of the waits.
    ///   - shortestWait: the first wait, and the least that the random part leaves of any.
    ///   - longestWait: what the waits double up to, at least `shortestWait`.
    public init(seed: UInt64, shortestWait: Duration = .seconds(1), longestWait: Duration = .seconds(120)) {
        random = SplitMix64(seed: seed)
        self.shortestWait = shortestWait
        self.longestWait = max(shortestWait, longestWait)
    }

    /// To be called at the start and about once a second; true if the connection is to be made now.
    public mutating func shouldConnect(now: MonotonicTime) -> Bool {
        switch state {
        case .idle:
            break
        case .waiting(let until):
            guard now >= until else { return false }
        case .connecting, .connected:
            return false
        }
        state = .connecting(since: now)
        return true
    }

    /// The other end accepted the connection.
    public mutating func connected(now: MonotonicTime) { state = .connected(since: now) }

    /// The attempt failed, or the connection ended.
    public mutating func failed(now: MonotonicTime) {
        if isProven(now: now) { failures = 0 }
        // 2^20 times the shortest wait that a configuration allows is more than the longest.
        let longest = min(longestWait, shortestWait * (1 << min(failures, 20)))
        failures += 1
        let half = longest / 2
        let wait = half + .nanoseconds(Int64.random(in: 0...half.wholeNanoseconds, using: &random))
        state = .waiting(until: now + max(wait, shortestWait))
    }

    /// The attempt failed, or the connection ended, and there is another place to try at once.
    public mutating func retry(now: MonotonicTime) { state = .connecting(since: now) }

    /// The other end has shown that it works: the waits begin anew.
    public mutating func startOver() { failures = 0 }

    /// Whether the present connection has lasted long enough to count as a good one.
    public func isProven(now: MonotonicTime) -> Bool {
        if case .connected(let since) = state { now - since >= Reconnection.provenAfter } else { false }
    }

    /// No connection is wanted any more.
    public mutating func stop() { state = .idle }
}
