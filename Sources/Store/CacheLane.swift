internal import Core

/// What is known of a block without its messages.
struct CacheBlockHead: Equatable {
    let key: Int64
    let last: Int64
    let oldest: Int64
    let newest: Int64
    /// Sums over all earlier blocks of the lane: the lane's size is the difference of two rows, not a walk over all.
    let blocksBefore: Int64
    let messagesBefore: Int64
    let bytesBefore: Int64

    var first: Int64 { CacheKey.sequence(of: key) }
    var messages: Int64 { last - first + 1 }

    /// Reads a row that starts with all these columns in this order; nil when its numbers make no sense.
    init?(row: Statement) {
        key = row.integer(0)
        last = row.integer(1)
        oldest = row.integer(2)
        newest = row.integer(3)
        blocksBefore = row.integer(4)
        messagesBefore = row.integer(5)
        bytesBefore = row.integer(6)
        let limit: Int64 = 1 << 60
        guard key > 0, last >= CacheKey.sequence(of: key), last <= CacheKey.maximumSequence, oldest <= newest,
            (0...limit).contains(blocksBefore), (0...limit).contains(messagesBefore), (0...limit).contains(bytesBefore)
        else { return nil }
    }

    init(
        key: Int64, last: Int64, oldest: Int64, newest: Int64, blocksBefore: Int64, messagesBefore: Int64,
        bytesBefore: Int64
    ) {
        self.key = key
        self.last = last
        self.oldest = oldest
        self.newest = newest
        self.blocksBefore = blocksBefore
        self.messagesBefore = messagesBefore
        self.bytesBefore = bytesBefore
    }
}

/// The state of one lane in memory. A commit works on a copy, which takes the original's place when it has succeeded.
struct CacheLane {
    let number: Int64
    let name: String
    var acknowledged: Int64 = 0
    var last: Int64 = 0
    var head: CacheBlockHead?
    /// Sums over all blocks that the lane has had since its oldest one came.
    var blocksAfter: Int64 = 0
    var messagesAfter: Int64 = 0
    var bytesAfter: Int64 = 0

    init(number: Int64, name: String) {
        self.number = number
        self.name = name
    }

    var firstKey: Int64 { CacheKey.key(lane: number, sequence: 0) }
    var endKey: Int64 { CacheKey.key(lane: number, sequence: CacheKey.maximumSequence) }
    var bytes: Int64 { head.map { bytesAfter - $0.bytesBefore } ?? 0 }
    var blocks: Int64 { head.map { blocksAfter - $0.blocksBefore } ?? 0 }

    /// Messages that wait for their acknowledgement.
    var messages: Int64 {
        guard let head else { return 0 }
        return messagesAfter - head.messagesBefore - max(0, min(acknowledged, head.last) - head.first + 1)
    }

    var status: LaneStatus {
        LaneStatus(
            lane: name, firstSequence: head.map { max($0.first, acknowledged + 1) }, lastSequence: last,
            acknowledgedSequence: acknowledged, messages: messages, bytes: bytes, blocks: blocks,
            oldestPublishedAt: head.map { Timestamp(milliseconds: $0.oldest) })
    }
}
