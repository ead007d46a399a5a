public import MQTTCodec

/// What the broker has counted since it started.
public struct BrokerStatistics: Sendable, Equatable {
    /// Messages published, by clients and by parts of this program.
    public var received: UInt64 = 0
    /// Deliveries, one for each receiver.
    public var delivered: UInt64 = 0
    /// Messages that did not reach a receiver, by reason.
    public var drops = DropCounts()
    /// CONNECTs accepted.
    public var connections: UInt64 = 0
    /// The most network clients that were connected at one time.
    public var maximumClients = 0
    /// CONNECTs refused, by reason code.
    public var refusals: [ReasonCode: UInt64] = [:]
    /// Connections that the client ended with DISCONNECT, by its reason code.
    public var departures: [ReasonCode: UInt64] = [:]
    /// Connections that ended without a word.
    public var connectionsLost: UInt64 = 0
    /// Connections that the broker ended, by reason code.
    public var closings: [ReasonCode: UInt64] = [:]
    /// Sessions that ended because their Session Expiry Interval had passed.
    public var expiredSessions: UInt64 = 0

    public init() {}

    /// Dropped because of a limit.
    public var dropped: UInt64 { drops.total &- drops[.expired] &- drops[.retainedFull] &- drops[.returned] }
    /// Not delivered because their time had passed.
    public var expired: UInt64 { drops[.expired] }
    /// Not retained for want of room: delivered all the same, or refused if the publisher could be told.
    public var retainedRefused: UInt64 { drops[.retainedFull] }
}

/// A count for each ``DropReason``.
public struct DropCounts: Sendable, Equatable {
    private var counts = [UInt64](repeating: 0, count: DropReason.allCases.count)

    public init() {}

    public subscript(reason: DropReason) -> UInt64 {
        get { counts[reason.rawValue] }
        set { counts[reason.rawValue] = newValue }
    }

    public var total: UInt64 { counts.reduce(0, &+) }
}

/// How much the broker holds now. Making one walks all sessions: for every few seconds, not for every message.
public struct BrokerCensus: Sendable, Equatable {
    /// Network clients connected.
    public var clients = 0
    /// Network clients' sessions, connected or not.
    public var sessions = 0
    public var subscriptions = 0
    public var sharedSubscriptions = 0
    public var retainedMessages = 0
    public var retainedBytes = 0
    /// QoS 1 and 2 messages in the queues of network clients' sessions, one for each session.
    public var queuedMessages = 0
    /// Bytes of those.
    public var queuedBytes = 0
    /// Of those, sent and not acknowledged.
    public var inFlight = 0
    /// Bytes that wait to be written to connections.
    public var outboxBytes = 0
    /// Changes that wait for the next batch, and bytes of the messages in them.
    public var pendingOperations = 0
    public var pendingBytes = 0

    public init() {}
}

extension Broker {
    /// Counts what is there.
    public func census() -> BrokerCensus {
        var census = BrokerCensus()
        census.clients = clientCount
        for session in sessions.values {
            if session.isOfProgram { continue }
            if let client = session.client { census.outboxBytes += client.outboxBytes }
            census.sessions += 1
            census.subscriptions += session.subscriptions.count
            for filter in session.subscriptions.keys where filter.hasPrefix("$share/") { census.sharedSubscriptions += 1 }
            census.queuedMessages += session.queue.count
            census.queuedBytes += session.queue.byteCount
            census.inFlight += session.queue.inFlight
        }
        census.retainedMessages = retained.all.count
        census.retainedBytes = retained.all.byteCount
        census.pendingOperations = operations.count
        census.pendingBytes = operationBytes
        return census
    }
}
