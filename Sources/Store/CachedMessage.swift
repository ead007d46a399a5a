public import Core

/// A message of the breakpoint cache with its place in its lane.
public struct CachedMessage: Sendable {
    /// 1 for the first message that the lane ever held; goes on over restarts and is never used twice.
    public let sequence: Int64
    public let message: Message
    /// What the store has added to the message's `publishedAt`, in ms: it was stored by a clock that had not been set, and
    /// what that clock was wrong by is known now. Times in the payload are as they were.
    public let timeCorrection: Int64
    /// Whether the message was stored by a clock that had not been set, and nobody knows what it was wrong by.
    public let isTimeUncertain: Bool

    public init(sequence: Int64, message: Message, timeCorrection: Int64 = 0, isTimeUncertain: Bool = false) {
        self.sequence = sequence
        self.message = message
        self.timeCorrection = timeCorrection
        self.isTimeUncertain = isTimeUncertain
    }
}

/// What one read from a lane gave.
public struct CacheReading: Sendable {
    /// In order of their sequence; there is a hole where messages were dropped, thinned out or damaged.
    public var messages: [CachedMessage] = []
    /// Where the next read goes on. Greater than the lane's last sequence when everything has been read.
    public var nextSequence: Int64
    /// Messages that cannot be read because their block failed its check sum; the reading went on behind them, and the
    /// block has left the lane.
    public var damagedMessages: Int64 = 0

    init(nextSequence: Int64) { self.nextSequence = nextSequence }
}
