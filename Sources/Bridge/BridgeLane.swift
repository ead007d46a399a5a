public import Core
import DequeModule
public import MQTTCodec

// A lane: the messages of one bridge on their way upstream, in the order of their sequence numbers.
//
//      acknowledgedThrough      bufferedThrough        committedThrough       lastSequence
//               │                      │                       │                   │
//     ──────────┼──────────┬───────────┼───────────────────────┼─────────┬─────────┼
//      arrived, │ in flight│ next to   │ only on disk          │ being   │ in the  │
//      forgotten│          │ be sent   │                       │commited │ batch   │
//               └────── buffer ────────┘                       └─────────┴─────────┘
//
// The buffer is a bounded run of committed messages from the oldest unacknowledged one on. While the upstream keeps up it
// reaches to the newest committed message, each commit adds to it, and the disk is only written. Once it is full, what is
// committed stays on disk alone, and comes back in pages when half of the buffer has been acknowledged.
//
// A message that has been sent stays in the buffer until PUBACK, so that a new connection starts again at its front.

/// The policy of the breakpoint cache for one bridge: what is sent when, kept how long, read and acknowledged where.
///
/// A value without I/O or clock: the owner tells what happened and asks what is to be done.
public struct BridgeLane {
    public struct Limits: Sendable {
        /// Messages unacknowledged towards the upstream.
        public var maximumInFlight = 100
        /// Bytes of committed messages held in memory, a quarter of it while there is no connection; one message is held even if
        /// it is larger.
        public var maximumBufferedBytes = 4 << 20
        /// Bytes of messages that wait for their commit. At half of it QoS 0 messages are refused and counted, at all of it
        /// every message: publishers of QoS 1 and 2 are held back before (``Bridge/isBehind``).
        public var maximumUncommittedBytes = uncommittedBytes
        static let uncommittedBytes = 64 << 20
        /// Messages of one page read from disk.
        public var pageCount = 2_000
        /// How long an acknowledgement may wait to be written when nothing else is.
        public var acknowledgementInterval = Duration.seconds(1)
        /// Messages acknowledged that may wait so long. As many are worth a commit of their own: a box that is killed before it
        /// sends them again.
        public var acknowledgementCount: Int64 = 500
        /// With messages in flight and no PUBACK for this long, the connection is of no use.
        public var stallTimeout = Duration.seconds(60)
        /// Messages that may wait when a connection comes back without becoming a back-fill of their own: they are away in a moment.
        public var smallBacklog: Int64 = 32
        /// Times that a message is sent which the upstream refuses without saying why, before it is skipped.
        public var maximumAttempts = 5
        /// Topic of what the box itself reports of losses: that one of these was skipped is not reported again.
        public var reportTopic: String?

        public init() {}
    }

    /// What a CONNACK said.
    public struct Link: Sendable {
        public var version: ProtocolVersion
        /// Whether the upstream still has our session: then what is sent again is marked as a duplicate.
        public var isResumed: Bool
        public var receiveMaximum: Int
        /// Bytes.
        public var maximumPacketSize: Int

        public init(version: ProtocolVersion, isResumed: Bool, receiveMaximum: Int = 65_535, maximumPacketSize: Int = .max) {
            self.version = version
            self.isResumed = isResumed
            self.receiveMaximum = receiveMaximum
            self.maximumPacketSize = maximumPacketSize
        }
    }

    struct Entry {
        enum State: UInt8 {
            /// To be sent on this connection.
            case waiting
            /// Sent on this connection, PUBACK outstanding.
            case sent
            /// Sent within the PUBLISH of an entry before it, and acknowledged with that.
            case following
            /// Sent with QoS 0; it has arrived when the PINGREQ behind it is answered.
            case unconfirmed
            /// Acknowledged or skipped.
            case done
            /// No longer in the cache, and not wanted.
            case givenUp
        }

        let sequence: Int64
        let message: Message
        /// Its time is wrong by nobody knows how much, as far as is known yet.
        var isTimeUncertain = false
        var state = State.waiting
        /// Sent at some time, on this connection or an earlier one.
        var wasSent = false
        var attempts: UInt8 = 0
        /// Entries behind it whose messages its PUBLISH carries too.
        var followers: UInt16 = 0
        /// With QoS 0: the number of the ping that confirms it.
        var ping: UInt64 = 0
        /// When it came into the buffer.
        var bufferedAt = MonotonicTime.zero

        /// Whether nothing more happens to it.
        var isOver: Bool { state == .done || state == .givenUp }

        /// What it costs in memory.
        var size: Int { message.byteCount + 128 }
    }

    /// What a batch under way holds of this lane.
    struct Batch {
        let number: Int64
        /// Of the first of `messages`.
        let firstSequence: Int64
        let messages: [Message]
        let bytes: Int
        /// Everything up to here is acknowledged on disk once the batch is.
        let acknowledged: Int64
        /// ``BridgeLane/passed`` of then.
        let passed: UInt64
    }

    /// The lane's name in the store.
    public let name: String
    public internal(set) var limits: Limits
    public internal(set) var statistics = BridgeLaneStatistics()
    /// Since ``takeSkipped()``.
    var skipped = SkippedMessages()

    // Before the commit
    var pending: [Message] = []
    var pendingBytes = 0
    var committing = Deque<Batch>()
    var committingBytes = 0
    /// Of the last message appended.
    public internal(set) var lastSequence: Int64

    // After the commit
    var committedThrough: Int64
    var bufferedThrough: Int64
    var buffer = Deque<Entry>()
    var bufferedBytes = 0
    /// `committedThrough` when the read under way was asked for.
    var readUpTo: Int64?
    /// Counts reads, so that what an abandoned one brings is recognised.
    var readNumber: UInt64 = 0

    // Towards the upstream
    var link: Link?
    /// Index in the buffer before which nothing is waiting, but for what is withheld.
    var cursor = 0
    /// What is passed over although its turn has come.
    var withheld = Withheld()
    var inFlight = 0
    /// Entries that wait for a ping.
    var unconfirmed = 0
    /// The number that the next ping will have.
    var nextPing: UInt64 = 1
    /// Everything up to here was stored before this connection was made: it is history by the time it is sent.
    var backfillThrough: Int64
    /// Which of the ranges of packet identifiers the lane has; nil while it may not send.
    public internal(set) var slot: Int? = 0
    /// Packet identifier of `buffer[0]` within the range, less 1; the following have the following ones.
    var headIdentifier = 0
    var pausedUntil = MonotonicTime.zero
    var pauses = 0
    var lastProgress = MonotonicTime.zero

    // Acknowledgements on their way to the disk
    var offeredThrough: Int64
    var persistedThrough: Int64
    var offeredAt = MonotonicTime.zero
    /// Messages that have left the buffer because they had arrived or were skipped, and those of them that the disk knows of.
    var passed: UInt64 = 0
    var persistedPassed: UInt64 = 0

    /// - Parameters:
    ///   - lastSequence: the lane's ``LaneStatus/lastSequence`` in the store, 0 for a new one.
    ///   - acknowledgedSequence: its ``LaneStatus/acknowledgedSequence``.
    public init(name: String, limits: Limits = Limits(), lastSequence: Int64 = 0, acknowledgedSequence: Int64 = 0) {
        self.name = name
        self.limits = limits
        self.lastSequence = max(lastSequence, acknowledgedSequence)
        committedThrough = self.lastSequence
        bufferedThrough = acknowledgedSequence
        offeredThrough = acknowledgedSequence
        persistedThrough = acknowledgedSequence
        backfillThrough = self.lastSequence
    }

    /// Everything up to here has arrived upstream or was skipped.
    public var acknowledgedThrough: Int64 { buffer.first.map { $0.sequence - 1 } ?? bufferedThrough }

    /// Memory that the committed messages held for sending take, in bytes.
    public var bufferedByteCount: Int { bufferedBytes }

    /// Messages that have not arrived, those included that wait for their commit.
    public var depth: Int64 { lastSequence - acknowledgedThrough }

    /// Messages that have not arrived. Unlike ``depth`` it does not count what the cache has given up from among them.
    ///
    /// - Parameter stored: ``LaneStatus/messages`` as of the last commit.
    public func waitingMessages(stored: Int64) -> Int64 {
        let uncommitted = committing.reduce(Int64(pending.count)) { $0 + Int64($1.messages.count) }
        return max(0, stored + uncommitted - Int64(clamping: passed - persistedPassed))
    }

    /// Whether there is a message that is not on disk yet and no batch has taken.
    public var hasAppends: Bool { !pending.isEmpty }

    /// Whether every message that it ever had has arrived, and the disk knows all of them.
    public var isDrained: Bool { depth == 0 && pending.isEmpty && committing.isEmpty }

    /// Bytes of messages that wait for their commit.
    public var uncommittedBytes: Int { pendingBytes + committingBytes }

    /// Whether committed messages wait on disk that the buffer has no room for.
    public var isReadingFromDisk: Bool { bufferedThrough < committedThrough }

    /// Whether messages wait that were stored before the present connection.
    public var hasBackfill: Bool { acknowledgedThrough < backfillThrough }

    /// Adds a message at the end, into the batch being filled. Its topic, QoS and retain flag are those to send it with.
    ///
    /// - Returns: false if too much waits for the disk already; the message is refused and counted.
    @discardableResult
    public mutating func append(_ message: Message) -> Bool {
        let waiting = uncommittedBytes
        let limit =
            message.qos == .atMostOnce ? limits.maximumUncommittedBytes / 2 : limits.maximumUncommittedBytes
        guard waiting + message.byteCount <= limit || waiting == 0 else {
            statistics.overflowed &+= 1
            note(message, .storage)
            return false
        }
        lastSequence += 1
        pending.append(message)
        pendingBytes += message.byteCount
        statistics.appended &+= 1
        return true
    }
}

/// What a lane has counted since the program started.
public struct BridgeLaneStatistics: Sendable, Equatable {
    public var appended: UInt64 = 0
    /// Sent, those sent again included.
    public var sent: UInt64 = 0
    public var sentAgain: UInt64 = 0
    /// Arrived: PUBACK for QoS 1; for QoS 0 the answer to a ping that was sent after them.
    public var acknowledged: UInt64 = 0
    /// Refused by the upstream and skipped.
    public var refused: UInt64 = 0
    /// Larger than the upstream takes, and skipped.
    public var tooLarge: UInt64 = 0
    /// Skipped because their time had passed.
    public var expired: UInt64 = 0
    /// Not taken because too much waited for the disk.
    public var overflowed: UInt64 = 0
    /// Given up by the cache to hold its limits of size and age, or not taken by it.
    public var dropped: UInt64 = 0
    /// Lost to damage on the disk.
    public var damaged: UInt64 = 0
    /// Left out because the upstream's form has no place for them.
    public var unmapped: UInt64 = 0

    public init() {}

    static func += (sum: inout BridgeLaneStatistics, other: BridgeLaneStatistics) {
        sum.appended &+= other.appended
        sum.sent &+= other.sent
        sum.sentAgain &+= other.sentAgain
        sum.acknowledged &+= other.acknowledged
        sum.refused &+= other.refused
        sum.tooLarge &+= other.tooLarge
        sum.expired &+= other.expired
        sum.overflowed &+= other.overflowed
        sum.dropped &+= other.dropped
        sum.damaged &+= other.damaged
        sum.unmapped &+= other.unmapped
    }
}
