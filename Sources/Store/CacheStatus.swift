public import Core

/// What a commit did to the cache.
public struct CacheReport: Sendable {
    /// Messages that are on disk now and were not before.
    public var appended: Int64 = 0
    /// Messages given up or not taken, by lane and reason; empty when all is well.
    public var losses: [CacheLoss] = []

    mutating func add(_ other: CacheReport) {
        appended += other.appended
        for loss in other.losses { add(loss) }
    }

    mutating func add(_ loss: CacheLoss) {
        guard loss.messages > 0 else { return }
        guard let index = losses.firstIndex(where: { $0.lane == loss.lane && $0.reason == loss.reason }) else {
            return losses.append(loss)
        }
        losses[index].messages += loss.messages
        losses[index].oldest = min(losses[index].oldest, loss.oldest)
        losses[index].newest = max(losses[index].newest, loss.newest)
        let (one, other) = (losses[index].sequences, loss.sequences)
        losses[index].sequences = min(one.lowerBound, other.lowerBound)...max(one.upperBound, other.upperBound)
    }
}

/// Messages that the cache gave up or did not take.
public struct CacheLoss: Sendable, Hashable {
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// Dropped to make room for others.
        case size
        /// Dropped because they were older than the limit.
        case age
        /// Not taken because there was no room for them (``RoutePolicy/WhenFull/dropNewest``).
        case newest
        /// Every second one went, to make room for others (``RoutePolicy/WhenFull/thin``).
        case thinned
        /// Their block failed its check sum.
        case damaged
        /// Given up because somebody wanted it (``Storage/purge(_:publishedBefore:now:)``).
        case purged
    }

    public var lane: String
    public var messages: Int64
    public var reason: Reason
    /// The earliest and the latest `publishedAt` of the messages; of dropped ones as their blocks say it, so that a message
    /// that had been acknowledged may stand at an end.
    public var oldest: Timestamp
    public var newest: Timestamp
    /// Where in the lane they were: all of these for ``Reason/size``, ``Reason/age`` and ``Reason/purged``, some of them for
    /// the others.
    public var sequences: ClosedRange<Int64>

    public init(
        lane: String, messages: Int64, reason: Reason, sequences: ClosedRange<Int64>, oldest: Timestamp, newest: Timestamp
    ) {
        self.lane = lane
        self.messages = messages
        self.reason = reason
        self.sequences = sequences
        self.oldest = oldest
        self.newest = newest
    }
}

/// The state of one lane.
public struct LaneStatus: Sendable, Hashable {
    public var lane: String
    /// The sequence of the first message that is not acknowledged; nil when all are.
    public var firstSequence: Int64?
    /// The sequence of the last message that the lane ever held; 0 for none. The next message has the one after it.
    public var lastSequence: Int64
    /// Everything up to here was acknowledged or dropped.
    public var acknowledgedSequence: Int64
    /// Messages that wait for their acknowledgement.
    public var messages: Int64
    /// Bytes of the lane's blocks.
    public var bytes: Int64
    public var blocks: Int64
    /// The earliest time of a message in the first block.
    public var oldestPublishedAt: Timestamp?
    /// Whether the route's next message would be dropped (``RoutePolicy/WhenFull/dropNewest``) or exceed the limit
    /// (``RoutePolicy/WhenFull/refuse``): publishers should be refused. Never true for the other policies, which make room.
    public var isFull = false
}

/// The state of the cache and its file.
public struct CacheStatus: Sendable, Hashable {
    public var lanes: [LaneStatus]
    /// Bytes of all blocks: what ``CacheLimits/maximumBytes`` limits.
    public var bytes: Int64
    /// Bytes of the file.
    public var fileBytes: Int64
    /// Bytes of the file that hold nothing and are used before it grows.
    public var freeBytes: Int64
    /// Blocks that were found damaged since the file was made; the newest of them are kept in it.
    public var damagedBlocks: Int64
    /// Messages in them.
    public var damagedMessages: Int64
}
