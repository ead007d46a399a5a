internal import Core

extension BreakpointCache {
    /// Reads the lanes of the file.
    func loadLanes() throws(StoreError) {
        let select = try database.statement(
            """
            SELECT number, name, acknowledged, last, spare_blocks, spare_messages, spare_bytes FROM lane ORDER BY number
            """)
        while try select.step() {
            let number = select.integer(0)
            var lane = CacheLane(number: number, name: select.text(1))
            lane.acknowledged = select.integer(2)
            lane.last = max(lane.acknowledged, select.integer(3))
            lane.spare = CacheSums(blocks: select.integer(4), messages: select.integer(5), bytes: select.integer(6))
            guard (1...CacheKey.maximumLane).contains(number), laneIndex[lane.name] == nil,
                (0...CacheKey.maximumSequence).contains(lane.acknowledged), lane.last <= CacheKey.maximumSequence,
                lane.spare.isPlausible
            else {
                select.reset()
                throw damaged("lane \(number) makes no sense")
            }
            guard !lane.name.isEmpty else {
                forgotten.append(number)
                continue
            }
            laneIndex[lane.name] = lanes.count
            lanes.append(lane)
        }
        for index in lanes.indices { try loadBlocks(&lanes[index]) }
    }

    /// Reads what the blocks of a lane say of it.
    func loadBlocks(_ lane: inout CacheLane) throws(StoreError) {
        try setHead(&lane, firstBlock(ofLane: lane, from: lane.firstKey))
        lane.after = CacheSums()
        lane.levels = nil
        lane.tailKey = 0
        guard let head = lane.head, let tail = try lastBlock(ofLane: lane, upTo: lane.endKey) else { return }
        lane.last = max(lane.last, tail.last)
        lane.tailKey = tail.key
        lane.after = tail.before + tail.own
        guard tail.before.isAtLeast(head.before), lane.sums.isPlausible else {
            throw damaged("a block of lane \(lane.name) makes no sense")
        }
    }

    /// Makes a block the lane's first one, without looking at the others.
    func setHead(_ lane: inout CacheLane, _ head: CacheBlockHead?) throws(StoreError) {
        lane.head = head
        lane.headSequences = []
        guard let head, !head.isWhole, var decoder = try decoder(of: head) else { return }
        var sequences: [Int64] = []
        decoder.walk { record in
            sequences.append(record.sequence)
            return true
        }
        lane.headSequences = sequences
    }

    /// A block to be walked over; nil when it is damaged.
    func decoder(of block: CacheBlockHead) throws(StoreError) -> CacheBlockDecoder? {
        let select = try database.statement("SELECT data FROM block WHERE id = ?")
        try select.bind(1, block.key)
        guard try select.step() else { return nil }
        defer { select.reset() }
        return select.withBytes(0) { CacheBlockDecoder($0, key: block.key, last: block.last, compression: compression) }
    }

    /// Writes a lane's row.
    func put(_ lane: CacheLane) throws(StoreError) {
        let put = try database.statement(
            """
            INSERT INTO lane VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (number) DO UPDATE
            SET name = ?2, acknowledged = ?3, last = ?4, spare_blocks = ?5, spare_messages = ?6, spare_bytes = ?7
            """)
        try put.bind(1, lane.number)
        try put.bind(2, lane.name)
        try put.bind(3, lane.acknowledged)
        try put.bind(4, lane.last)
        try put.bind(5, lane.spare.blocks)
        try put.bind(6, lane.spare.messages)
        try put.bind(7, lane.spare.bytes)
        try put.run()
    }

    /// Takes a lane out: from now on it is not there. Its blocks are deleted little by little, for there may be gigabytes
    /// of them; until then its row stays, without a name.
    func remove(_ name: String, _ change: inout CacheChange) throws(StoreError) {
        guard let index = change.index(ofLane: name) else { return }
        let forget = try database.statement("UPDATE lane SET name = '' WHERE number = ?")
        try forget.bind(1, change.lanes[index].number)
        try forget.run()
        change.removed.insert(index)
        change.lanes[index].head = nil
    }

    /// Deletes some of the blocks of lanes without names, and the rows of those that have none left; the numbers of the
    /// others.
    func deleteSome(of forgotten: [Int64]) throws(StoreError) -> [Int64] {
        guard let number = forgotten.first else { return [] }
        let (first, end) = (CacheKey.key(lane: number, sequence: 0), CacheKey.key(lane: number + 1, sequence: 0) - 1)
        let select = try database.statement("SELECT id, length(data) FROM block WHERE id BETWEEN ? AND ? ORDER BY id")
        try select.bind(1, first)
        try select.bind(2, end)
        var (last, bytes) = (end, Int64(0))
        var isAll = true
        while try select.step() {
            bytes += select.integer(1) + BreakpointCache.rowBytes
            guard bytes >= BreakpointCache.maximumDeletedBytes else { continue }
            last = select.integer(0)
            isAll = false
            select.reset()
            break
        }
        let delete = try database.statement("DELETE FROM block WHERE id BETWEEN ? AND ?")
        try delete.bind(1, first)
        try delete.bind(2, last)
        try delete.run()
        guard isAll else { return forgotten }
        let forget = try database.statement("DELETE FROM lane WHERE number = ?")
        try forget.bind(1, number)
        try forget.run()
        return Array(forgotten.dropFirst())
    }

    /// Bytes of a forgotten lane's blocks that one commit deletes.
    static let maximumDeletedBytes: Int64 = 8 << 20

    /// All lanes as their owners see them.
    var laneStatuses: [LaneStatus] {
        let change = CacheChange(lanes: lanes)
        return lanes.map { lane in
            var status = lane.status
            status.isFull = isFull(lane.route, in: change)
            status.oldestPublishedAt = lane.head.map { time($0.oldest, $0.epoch) }
            return status
        }
    }

    /// The first block of a lane whose key is `key` or greater.
    func firstBlock(ofLane lane: CacheLane, from key: Int64) throws(StoreError) -> CacheBlockHead? {
        let select = try database.statement(
            """
            SELECT id, last, oldest, newest, blocks_before, messages_before, bytes_before, length(data), messages, level,
                epoch
            FROM block
            WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1
            """)
        return try block(select, key, lane.endKey)
    }

    /// The last block of a lane whose key is `key` or less.
    func lastBlock(ofLane lane: CacheLane, upTo key: Int64) throws(StoreError) -> CacheBlockHead? {
        let select = try database.statement(
            """
            SELECT id, last, oldest, newest, blocks_before, messages_before, bytes_before, length(data), messages, level,
                epoch
            FROM block
            WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1
            """)
        return try block(select, lane.firstKey, key)
    }

    private func block(_ select: Statement, _ low: Int64, _ high: Int64) throws(StoreError) -> CacheBlockHead? {
        try select.bind(1, low)
        try select.bind(2, high)
        guard try select.step() else { return nil }
        defer { select.reset() }
        guard let head = CacheBlockHead(row: select) else { throw damaged("block \(select.integer(0)) makes no sense") }
        return head
    }
}
