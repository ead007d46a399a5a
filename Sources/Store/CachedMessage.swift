public import Core

/// A message of the breakpoint cache with its place in its lane.
public struct CachedMessage: Sendable {
    /// 1 for the first message that the lane ever held; goes on over restarts and is never used twice.
    public let sequence: Int64
    public let message: Message

    public init(sequence: Int64, message: Message) {
        self.sequence = sequence
        self.message = message
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
