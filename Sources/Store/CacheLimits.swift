public import Core

/// How much the breakpoint cache may hold, over all lanes together.
public struct CacheLimits: Sendable, Hashable {
    /// What happens when ``maximumBytes`` is reached.
    public enum WhenFull: Sendable, Hashable {
        /// The oldest blocks make room, whichever lane they are in.
        case dropOldest
        /// New messages are refused until older ones were acknowledged.
        case refuseNewest
    }

    /// Bytes of all blocks. The file is a little larger (pages, free space) and does not grow beyond that.
    public var maximumBytes: Int64
    /// Blocks whose newest message is older are dropped; nil for no limit of age.
    public var maximumAge: Duration?
    public var whenFull: WhenFull
    /// Bytes after which a commit starts another block, at most 4 MiB; a greater message has a block of its own.
    public let blockBytes: Int

    static let maximumBlockBytes = 4 << 20

    public init(
        maximumBytes: Int64 = 1 << 30, maximumAge: Duration? = .seconds(30 * 86_400), whenFull: WhenFull = .dropOldest,
        blockBytes: Int = 256 << 10
    ) {
        self.maximumBytes = maximumBytes
        self.maximumAge = maximumAge
        self.whenFull = whenFull
        self.blockBytes = min(max(1, blockBytes), CacheLimits.maximumBlockBytes)
    }

    /// Earlier times (ms) come from a clock that was not set yet; such messages have no age.
    public static let earliestPlausibleTime: Int64 = 1_577_836_800_000  // 2020-01-01

    /// Blocks whose newest message is earlier are too old; nil when none is.
    func oldestAllowed(at now: Timestamp) -> Int64? {
        guard let maximumAge else { return nil }
        let (limit, overflow) = now.milliseconds.subtractingReportingOverflow(maximumAge.wholeMilliseconds)
        return overflow ? nil : limit
    }
}

/// Messages to add at the end of a lane.
public struct LaneAppend: Sendable {
    /// The bridge's name. A lane is made by its first append.
    public var lane: String
    /// The sequence of the first of `messages`; the others follow without a hole. What the lane has already is skipped,
    /// so that a batch whose outcome is unknown may be given again.
    public var firstSequence: Int64
    public var messages: [Message]

    public init(lane: String, firstSequence: Int64, messages: [Message]) {
        self.lane = lane
        self.firstSequence = firstSequence
        self.messages = messages
    }
}

/// Says that everything of a lane up to a sequence has arrived at the other end.
public struct LaneAcknowledgement: Sendable, Hashable {
    public var lane: String
    /// Beyond the lane's last sequence it counts as the last one.
    public var through: Int64

    public init(lane: String, through: Int64) {
        self.lane = lane
        self.through = through
    }
}

/// Messages that the cache gave up or did not take.
public struct CacheLoss: Sendable, Hashable {
    public enum Reason: String, Sendable, Hashable {
        /// Dropped to make room for newer ones.
        case size
        /// Dropped because they were older than the limit.
        case age
        /// Not taken because the cache is full.
        case refused
    }

    public var lane: String
    public var messages: Int64
    public var reason: Reason
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
}
