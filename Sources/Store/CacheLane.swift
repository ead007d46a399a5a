internal import Core

/// Sums over blocks.
struct CacheSums: Equatable {
    var blocks: Int64 = 0
    var messages: Int64 = 0
    /// Of the blocks with what their rows take beside them.
    var bytes: Int64 = 0

    static func + (a: CacheSums, b: CacheSums) -> CacheSums {
        CacheSums(blocks: a.blocks &+ b.blocks, messages: a.messages &+ b.messages, bytes: a.bytes &+ b.bytes)
    }

    static func - (a: CacheSums, b: CacheSums) -> CacheSums {
        CacheSums(blocks: a.blocks &- b.blocks, messages: a.messages &- b.messages, bytes: a.bytes &- b.bytes)
    }

    /// Whether sums that were read from the disk can be ones of blocks before others.
    var isPlausible: Bool {
        let range: ClosedRange<Int64> = 0...(1 << 60)
        return range.contains(blocks) && range.contains(messages) && range.contains(bytes)
    }

    func atMost(_ other: CacheSums) -> CacheSums {
        CacheSums(
            blocks: min(blocks, other.blocks), messages: min(messages, other.messages), bytes: min(bytes, other.bytes))
    }

    func isAtLeast(_ other: CacheSums) -> Bool {
        blocks >= other.blocks && messages >= other.messages && bytes >= other.bytes
    }
}

/// What is known of a block without its messages.
struct CacheBlockHead: Equatable {
    let key: Int64
    let last: Int64
    let oldest: Int64
    let newest: Int64
    /// Over all earlier blocks of the lane as they were written: the lane's size is the difference of two rows, less what
    /// its blocks have lost since, not a walk over all.
    let before: CacheSums
    /// The block alone, as it is.
    let own: CacheSums
    /// How often it was thinned.
    var level: Int64 = 0
    /// Whose clock its times are (``ClockEpoch``); nil: one that was right.
    var epoch: Int64?

    var first: Int64 { CacheKey.sequence(of: key) }
    /// Whether it has a message for every sequence from its first to its last.
    var isWhole: Bool { own.messages == last - first + 1 }

    /// Reads a row of id, last, oldest, newest, blocks_before, messages_before, bytes_before, length(data), messages, level and
    /// epoch; nil when its numbers make no sense.
    init?(row: Statement) {
        key = row.integer(0)
        last = row.integer(1)
        oldest = row.integer(2)
        newest = row.integer(3)
        before = CacheSums(blocks: row.integer(4), messages: row.integer(5), bytes: row.integer(6))
        let first = CacheKey.sequence(of: key)
        let messages = row.optionalInteger(8) ?? (last &- first &+ 1)
        own = CacheSums(blocks: 1, messages: messages, bytes: row.integer(7) &+ BreakpointCache.rowBytes)
        level = row.integer(9)
        epoch = row.optionalInteger(10)
        guard key > 0, last >= first, (0...CacheLane.maximumLevel).contains(level), last <= CacheKey.maximumSequence, oldest <= newest, before.isPlausible,
            (0...last - first + 1).contains(messages)
        else { return nil }
    }

    init(
        key: Int64, last: Int64, oldest: Int64, newest: Int64, before: CacheSums, own: CacheSums, level: Int64 = 0,
        epoch: Int64? = nil
    ) {
        self.key = key
        self.last = last
        self.oldest = oldest
        self.newest = newest
        self.before = before
        self.own = own
        self.level = level
        self.epoch = epoch
    }
}

/// Neighbouring blocks of a lane that were thinned equally often; the older ones never less often than the newer.
struct CacheLevel {
    let level: Int64
    /// The key of the first block and the bytes that the lane had been given before it.
    var firstKey: Int64
    var bytesBefore: Int64
}

/// The state of one lane in memory. A commit works on a copy, which takes the original's place when it has succeeded.
struct CacheLane {
    let number: Int64
    let name: String
    let route: String
    /// What stands behind the last `#` of the name, 0 if that is no number: of a route's lanes, the smaller is the older.
    let generation: UInt64
    var acknowledged: Int64 = 0
    var last: Int64 = 0
    var head: CacheBlockHead?
    /// The sequences of the first block's messages when it has not one for every sequence.
    var headSequences: [Int64] = []
    var compressionTrial = CompressionTrial()
    /// The last block's key; 0 for none.
    var tailKey: Int64 = 0
    /// What was thinned how often, oldest first; nil until it is asked for.
    var levels: [CacheLevel]?
    /// Over all blocks that the lane has had since its oldest one came, as they were written.
    var after = CacheSums()
    /// What ``after`` and ``CacheBlockHead/before`` count too much between them: what blocks of the lane have lost since
    /// they were written, and blocks that are gone from between others.
    var spare = CacheSums()

    init(number: Int64, name: String) {
        self.number = number
        self.name = name
        route = RoutePolicy.route(ofLane: name)
        generation = UInt64(name.dropFirst(route.count + 1)) ?? 0
    }

    var firstKey: Int64 { CacheKey.key(lane: number, sequence: 0) }
    var endKey: Int64 { CacheKey.key(lane: number, sequence: CacheKey.maximumSequence) }

    /// All blocks of the lane.
    var sums: CacheSums { head.map { after - $0.before - spare } ?? CacheSums() }
    var bytes: Int64 { sums.bytes }

    /// Messages that wait for their acknowledgement.
    var messages: Int64 { sums.messages - acknowledgedOfHead }

    /// Messages of the first block that were acknowledged.
    private var acknowledgedOfHead: Int64 {
        guard let head, acknowledged >= head.first else { return 0 }
        if head.isWhole { return min(acknowledged, head.last) - head.first + 1 }
        let through = acknowledged
        return Int64(headSequences.partition(upTo: through))
    }

    /// Messages of the first block that were not acknowledged.
    var waitingOfHead: Int64 { head.map { $0.own.messages - acknowledgedOfHead } ?? 0 }

    /// A block of this level is not thinned further: of 65,536 messages of a topic one is left.
    static let maximumLevel: Int64 = 16

    var status: LaneStatus {
        LaneStatus(
            lane: name, firstSequence: head.map { max($0.first, acknowledged + 1) }, lastSequence: last,
            acknowledgedSequence: acknowledged, messages: messages, bytes: bytes, blocks: sums.blocks,
            oldestPublishedAt: head.map { Timestamp(milliseconds: $0.oldest) })
    }
}

extension [Int64] {
    /// How many of its numbers, which rise, are no greater than `limit`.
    fileprivate func partition(upTo limit: Int64) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if self[middle] <= limit { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
