public import Core

/// A bridge as a summary shows it.
public struct BridgeStatus: Sendable {
    public var name: String
    public var state: Reconnection.State
    /// Why the last connection failed or ended; stays when there is a new one.
    public var lastError: String?
    /// When that was; nil with ``lastError``.
    public var lastErrorAt: MonotonicTime?
    /// Messages that have not arrived upstream.
    public var messages: Int64
    /// Bytes of their blocks on disk, as of the last commit.
    public var bytes: Int64
    /// When the oldest of them was published, as of the last commit; nil if there is none.
    public var oldestPublishedAt: Timestamp?
    /// Messages per second in the last second, sent and received.
    public var sentPerSecond: Double
    public var receivedPerSecond: Double
    public var lane: BridgeLaneStatistics
    public var counts: BridgeCounts
    /// By priority, the greatest first.
    public var routes: [Route] = []

    /// One priority of the bridge.
    public struct Route: Sendable, Equatable {
        public var priority: Int
        /// Messages that have not arrived upstream.
        public var messages: Int64
        /// Bytes of their blocks on disk, as of the last commit.
        public var bytes: Int64
        /// When the oldest of them was published, as of the last commit; nil if there is none.
        public var oldestPublishedAt: Timestamp?
        /// Whether what has waited for a connection is being sent beside what is published now.
        public var isBackfilling: Bool
    }
}

/// What a bridge has counted beside its lane's statistics.
public struct BridgeCounts: Sendable, Equatable {
    /// Messages that came from the upstream and were published here.
    public var received: UInt64 = 0
    /// Messages, of either direction, for whose topic there is no name on the other side.
    public var unmapped: UInt64 = 0
    /// Local messages of QoS 0, or of this program, for which a full route that refuses had no room.
    public var refused: UInt64 = 0
    /// PUBACKs for messages that were not in flight.
    public var unexpectedAcknowledgements: UInt64 = 0
    /// Connections that were accepted.
    public var connections: UInt64 = 0

    public init() {}
}
