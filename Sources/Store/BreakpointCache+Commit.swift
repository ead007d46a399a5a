internal import Core

extension BreakpointCache {
    /// Stores messages, acknowledges others and holds the limits, all in one transaction that is on disk on return.
    ///
    /// Giving a batch again that was stored already changes nothing. A batch with nothing in it still drops what has
    /// become too old.
    func commit(
        _ appends: [LaneAppend], acknowledgements: [LaneAcknowledgement], now: Moment
    ) throws(StoreError) -> CacheReport {
        let tooOld = limits.oldestAllowed(at: now.wall)
        let mustDrop = lanes.contains { isTooOld($0.head, tooOld) }
        guard mustDrop || !acknowledgements.isEmpty || appends.contains(where: { !$0.messages.isEmpty }) else {
            return CacheReport()
        }
        if journal.mode != journalInUse {
            try database.setJournalMode(journal.mode)
            journalInUse = journal.mode
        }

        var change = CacheChange(lanes: lanes)
        try database.transaction { () throws(StoreError) in
            for acknowledgement in acknowledgements { try apply(acknowledgement, to: &change) }
            for append in appends where !append.messages.isEmpty { try write(append, to: &change, now: now) }
            try holdLimits(&change, tooOld: tooOld)
            // Rows go last: pages freed before an insert of the same transaction would be journaled when it takes them.
            try finish(&change)
        }
        lanes = change.lanes
        laneIndex = Dictionary(uniqueKeysWithValues: lanes.indices.map { (lanes[$0].name, $0) })
        _ = journal.next(afterAdding: change.bytesAdded)
        return change.report
    }

    private func apply(_ acknowledgement: LaneAcknowledgement, to change: inout CacheChange) throws(StoreError) {
        guard let index = laneIndex[acknowledgement.lane] else { return }
        var lane = change.lanes[index]
        let through = min(acknowledgement.through, lane.last)
        guard through > lane.acknowledged else { return }
        lane.acknowledged = through
        if let head = lane.head, head.last <= through {
            change.shortened.insert(index)
            // The block that holds the next sequence, or the first one after it.
            let next = CacheKey.key(lane: lane.number, sequence: min(through + 1, CacheKey.maximumSequence))
            let around = try lastBlock(ofLane: lane, upTo: next)
            if let around, around.last > through {
                lane.head = around
            } else {
                lane.head = try firstBlock(ofLane: lane, from: next)
            }
        }
        change.lanes[index] = lane
    }

    private func write(_ append: LaneAppend, to change: inout CacheChange, now: Moment) throws(StoreError) {
        let count = Int64(append.messages.count)
        guard append.firstSequence >= 1, append.firstSequence <= CacheKey.maximumSequence - count else {
            throw .failed(code: .misuse, message: "lane \(append.lane) cannot start at \(append.firstSequence)", sql: "")
        }
        let index = try laneNumber(append.lane, in: &change)
        // What the lane has already came with a commit whose success the caller did not learn.
        var stored = Int(min(count, max(0, change.lanes[index].last - append.firstSequence + 1)))
        while stored < append.messages.count {
            encoder.start()
            for message in append.messages[stored...] {
                if encoder.count > 0, encoder.byteCount + message.byteCount > limits.blockBytes { break }
                encoder.append(message, expiresAt: now.wallTime(of: message.expiresAt))
            }
            guard try insertBlock(first: append.firstSequence + Int64(stored), into: &change, lane: index) else {
                return change.report.add(count - Int64(stored), lostBy: append.lane, .refused)
            }
            stored += encoder.count
        }
    }

    /// Adds the encoder's block to a lane; false when there is no room for it.
    private func insertBlock(first: Int64, into change: inout CacheChange, lane index: Int) throws(StoreError) -> Bool {
        var lane = change.lanes[index]
        let bytes = Int64(encoder.byteCount + CacheBlock.trailerSize) + BreakpointCache.rowBytes
        let total = limits.whenFull == .refuseNewest ? change.totalBytes : 0
        guard total + bytes <= limits.maximumBytes else { return false }

        let key = CacheKey.key(lane: lane.number, sequence: first)
        let count = Int64(encoder.count)
        encoder.finish(key: key)
        let block = CacheBlockHead(
            key: key, last: first + count - 1, oldest: encoder.oldest, newest: encoder.newest,
            blocksBefore: lane.blocksAfter, messagesBefore: lane.messagesAfter, bytesBefore: lane.bytesAfter)
        let insert = try database.statement("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        try insert.bind(1, block.key)
        try insert.bind(2, block.last)
        try insert.bind(3, block.oldest)
        try insert.bind(4, block.newest)
        try insert.bind(5, block.blocksBefore)
        try insert.bind(6, block.messagesBefore)
        try insert.bind(7, block.bytesBefore)
        try insert.bind(8, inPlace: encoder.bytes)
        try insert.run()

        lane.blocksAfter += 1
        lane.messagesAfter += count
        lane.bytesAfter += bytes
        lane.last = block.last
        if lane.head == nil { lane.head = block }
        change.lanes[index] = lane
        change.bytesAdded += Int(bytes)
        change.report.appended += count
        return true
    }

    private func laneNumber(_ name: String, in change: inout CacheChange) throws(StoreError) -> Int {
        if let index = laneIndex[name] { return index }
        if let index = change.lanes.firstIndex(where: { $0.name == name }) { return index }
        let used = Set(change.lanes.map(\.number))
        guard let number = (1...CacheKey.maximumLane).first(where: { !used.contains($0) }) else {
            throw .failed(code: .full, message: "the cache has \(used.count) lanes and takes no more", sql: "")
        }
        change.lanes.append(CacheLane(number: number, name: name))
        return change.lanes.count - 1
    }

    private func isTooOld(_ head: CacheBlockHead?, _ limit: Int64?) -> Bool {
        guard let head, let limit else { return false }
        return head.newest < limit && head.newest >= CacheLimits.earliestPlausibleTime
    }

    private func holdLimits(_ change: inout CacheChange, tooOld: Int64?) throws(StoreError) {
        for index in change.lanes.indices {
            while isTooOld(change.lanes[index].head, tooOld) { try dropHead(&change, lane: index, .age) }
        }
        while change.totalBytes > limits.maximumBytes {
            let full = change.lanes.indices.filter { change.lanes[$0].head != nil }
            guard let index = full.min(by: { change.isOlder($0, than: $1) }) else { return }
            try dropHead(&change, lane: index, .size)
        }
    }

    private func dropHead(_ change: inout CacheChange, lane index: Int, _ reason: CacheLoss.Reason) throws(StoreError) {
        var lane = change.lanes[index]
        guard let head = lane.head else { return }
        change.report.add(head.last - max(head.first - 1, lane.acknowledged), lostBy: lane.name, reason)
        lane.acknowledged = max(lane.acknowledged, head.last)
        change.shortened.insert(index)
        lane.head = try firstBlock(ofLane: lane, from: head.key + 1)
        change.lanes[index] = lane
    }

    /// Deletes the blocks before each lane's head and writes the positions that have changed.
    private func finish(_ change: inout CacheChange) throws(StoreError) {
        for index in change.lanes.indices {
            let lane = change.lanes[index]
            let old = index < lanes.count ? lanes[index] : nil
            if change.shortened.contains(index) {
                let delete = try database.statement("DELETE FROM block WHERE id BETWEEN ? AND ?")
                try delete.bind(1, lane.firstKey)
                try delete.bind(2, lane.head.map { $0.key - 1 } ?? lane.endKey)
                try delete.run()
            }
            if old?.acknowledged != lane.acknowledged {
                let put = try database.statement("INSERT OR REPLACE INTO lane VALUES (?, ?, ?)")
                try put.bind(1, lane.number)
                try put.bind(2, lane.name)
                try put.bind(3, lane.acknowledged)
                try put.run()
            }
        }
    }

    /// Forgets a lane with all that it holds. Its numbers start at 1 again when it is made anew.
    func removeLane(_ name: String) throws(StoreError) {
        guard let index = laneIndex[name] else { return }
        let lane = lanes[index]
        try database.transaction { () throws(StoreError) in
            let delete = try database.statement("DELETE FROM block WHERE id BETWEEN ? AND ?")
            try delete.bind(1, lane.firstKey)
            try delete.bind(2, lane.endKey)
            try delete.run()
            let forget = try database.statement("DELETE FROM lane WHERE number = ?")
            try forget.bind(1, lane.number)
            try forget.run()
        }
        lanes.remove(at: index)
        readers[lane.number] = nil
        laneIndex = Dictionary(uniqueKeysWithValues: lanes.indices.map { (lanes[$0].name, $0) })
    }
}

/// The lanes as a commit is going to leave them.
private struct CacheChange {
    var lanes: [CacheLane]
    var report = CacheReport()
    var bytesAdded = 0
    /// Indexes of lanes that lose blocks at their head.
    var shortened: Set<Int> = []

    var totalBytes: Int64 { lanes.reduce(0) { $0 + $1.bytes } }

    /// Whether a lane's first block is older than another's; of the same age it is the one of the greater lane.
    func isOlder(_ lane: Int, than other: Int) -> Bool {
        let (oldest, otherOldest) = (lanes[lane].head?.oldest ?? .max, lanes[other].head?.oldest ?? .max)
        return oldest != otherOldest ? oldest < otherOldest : lanes[lane].bytes > lanes[other].bytes
    }
}
