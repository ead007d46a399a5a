internal import Core

// A block whose check sum or frame is wrong is taken out of its lane and kept beside it, so that whoever wants to know what
// happened to the medium can look at it. Of these only the newest are kept.

extension BreakpointCache {
    static let keptDamagedBlocks: Int64 = 64
    static let keptDamagedBytes: Int64 = 4 << 20

    /// Blocks that were found damaged since the file was made, and the messages in them.
    func damageCount() throws(StoreError) -> (blocks: Int64, messages: Int64) {
        let select = try database.statement("SELECT number, messages_until FROM damaged ORDER BY number DESC LIMIT 1")
        guard try select.step() else { return (0, 0) }
        defer { select.reset() }
        return (select.integer(0), select.integer(1))
    }

    /// Moves a block out of its lane. On a full disk it stays where it is, and is found again by the next read.
    ///
    /// - Parameters:
    ///   - messages: of it, those that are not acknowledged; they count as lost.
    ///   - sequences: those among which they are.
    func setAside(
        _ key: Int64, lane index: Int, messages: Int64, sequences: ClosedRange<Int64>, now: Moment
    ) throws(StoreError) {
        var lane = lanes[index]
        let times = try times(of: key, orElse: now.wall)
        do throws(StoreError) {
            try database.transaction { () throws(StoreError) in
                try keepDamaged(key, lane: lane.name, messages: messages, now: now)
                try takeOut(key, &lane)
            }
        } catch {
            guard error.isFull else { throw error }
            return
        }
        lanes[index] = lane
        unreported.add(
            CacheLoss(
                lane: lane.name, messages: messages, reason: .damaged, sequences: sequences, oldest: times.oldest,
                newest: times.newest))
    }

    /// The times that a block's row gives for its messages.
    private func times(of key: Int64, orElse now: Timestamp) throws(StoreError) -> (oldest: Timestamp, newest: Timestamp) {
        let select = try database.statement("SELECT oldest, newest, epoch FROM block WHERE id = ?")
        try select.bind(1, key)
        guard try select.step() else { return (now, now) }
        defer { select.reset() }
        let (oldest, newest) = (select.integer(0), select.integer(1))
        guard oldest <= newest else { return (now, now) }
        let epoch = select.optionalInteger(2)
        return (time(oldest, epoch), time(newest, epoch))
    }

    /// Copies a block into the table of the damaged ones.
    private func keepDamaged(_ key: Int64, lane: String, messages: Int64, now: Moment) throws(StoreError) {
        let count = try damageCount()
        let copy = try database.statement(
            """
            INSERT INTO damaged (number, lane, id, last, found_at, messages_until, data)
            SELECT ?, ?, id, last, ?, ?, CASE WHEN length(data) <= ? THEN data ELSE x'' END FROM block WHERE id = ?
            """)
        try copy.bind(1, count.blocks + 1)
        try copy.bind(2, lane)
        try copy.bind(3, now.wall.milliseconds)
        try copy.bind(4, count.messages + messages)
        try copy.bind(5, BreakpointCache.keptDamagedBytes)
        try copy.bind(6, key)
        try copy.run()

        let select = try database.statement("SELECT number, length(data) FROM damaged ORDER BY number DESC")
        var (kept, bytes) = (Int64(0), Int64(0))
        while try select.step() {
            kept += 1
            bytes += select.integer(1)
            guard kept > BreakpointCache.keptDamagedBlocks || bytes > BreakpointCache.keptDamagedBytes else { continue }
            let last = select.integer(0)
            select.reset()
            let delete = try database.statement("DELETE FROM damaged WHERE number <= ?")
            try delete.bind(1, last)
            try delete.run()
            break
        }
    }

    /// Deletes one block of a lane, wherever it stands, and sees to it that the lane's sums are right afterwards.
    func takeOut(_ key: Int64, _ lane: inout CacheLane) throws(StoreError) {
        // The rows beside it, whatever is wrong with the row itself.
        let previous = try lastBlock(ofLane: lane, upTo: key - 1)
        let next = try firstBlock(ofLane: lane, from: key + 1)
        let block = try sums(of: key)
        if let next {
            // What is wrong with the row may be its last sequence: it had no more than lies between it and the next one.
            let room = next.before - block.before
            let own = block.own.atMost(room)
            lane.spare = previous != nil ? lane.spare + own : lane.spare - (room - own)
        } else if let previous {
            // The one before becomes the last one, whose own row says what it has.
            lane.spare = lane.spare - (block.before - previous.before - previous.own)
        } else {
            lane.spare = CacheSums()
        }
        let delete = try database.statement("DELETE FROM block WHERE id = ?")
        try delete.bind(1, key)
        try delete.run()
        readers[lane.number] = nil
        try loadBlocks(&lane)
        if lane.head == nil { lane.acknowledged = max(lane.acknowledged, lane.last) }
        try put(lane)
    }

    private func sums(of key: Int64) throws(StoreError) -> (before: CacheSums, own: CacheSums) {
        let select = try database.statement(
            """
            SELECT blocks_before, messages_before, bytes_before, length(data), messages, id, last FROM block WHERE id = ?
            """)
        try select.bind(1, key)
        guard try select.step() else { return (CacheSums(), CacheSums()) }
        defer { select.reset() }
        let messages = select.optionalInteger(4)
        return (
            CacheSums(blocks: select.integer(0), messages: select.integer(1), bytes: select.integer(2)),
            CacheSums(
                blocks: 1, messages: messages ?? select.integer(6) &- CacheKey.sequence(of: key) &+ 1,
                bytes: select.integer(3) + BreakpointCache.rowBytes)
        )
    }
}
