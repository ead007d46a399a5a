internal import Core

extension BreakpointCache {
    /// Stores messages, acknowledges others, forgets lanes and holds the limits, all in one transaction that is on disk on
    /// return.
    ///
    /// Giving a batch again that was stored already changes nothing. A batch with nothing in it still drops what has
    /// become too old, or too much for new limits.
    ///
    /// - Parameter removals: lanes to forget, before the rest of the batch.
    func commit(
        _ appends: [LaneAppend], acknowledgements: [LaneAcknowledgement], removals: [String] = [], now: Moment
    ) throws(StoreError) -> CacheReport {
        let clockHasChanged = noteTime(now)
        let mustDrop = limitsAreNew || clockHasChanged || !forgotten.isEmpty || lanes.contains { isTooOld($0, at: now) }
        let removals = removals.filter { laneIndex[$0] != nil }
        // A batch with nothing for the cache writes nothing: the disk may be full.
        let hasAppends = appends.contains { !$0.messages.isEmpty }
        guard mustDrop || !acknowledgements.isEmpty || !removals.isEmpty || hasAppends else { return takeUnreported() }
        if journal.mode != journalInUse {
            try database.setJournalMode(journal.mode)
            journalInUse = journal.mode
        }

        var change = CacheChange(lanes: lanes)
        if limitsAreNew { change.neededFor = RoutePolicy.priorities.upperBound }
        var forgotten = forgotten
        try database.transaction { () throws(StoreError) in
            change.presentEpoch = try updateClock(now, hasChanged: clockHasChanged, isAdding: hasAppends)
            change.clock = clock
            for lane in removals { try remove(lane, &change) }
            for acknowledgement in acknowledgements { try apply(acknowledgement, to: &change) }
            for append in appends where !append.messages.isEmpty { try write(append, to: &change, now: now) }
            try holdLimits(&change, now: now)
            // Rows go last: pages freed before an insert of the same transaction would be journaled when it takes them.
            try finish(&change)
            forgotten = try deleteSome(of: forgotten + change.removed.map { change.lanes[$0].number })
        }
        limitsAreNew = change.totalBytes > limits.maximumBytes && limitsAreNew && change.bytesGiven > 0
        self.forgotten = forgotten
        for index in change.removed { readers[change.lanes[index].number] = nil }
        lanes = change.lanes.indices.filter { !change.removed.contains($0) }.map { change.lanes[$0] }
        laneIndex = Dictionary(uniqueKeysWithValues: lanes.indices.map { (lanes[$0].name, $0) })
        _ = journal.next(afterAdding: Int(change.bytesAdded))
        var report = takeUnreported()
        report.add(change.report)
        return report
    }

    private func takeUnreported() -> CacheReport {
        defer { unreported = CacheReport() }
        return unreported
    }

    private func apply(_ acknowledgement: LaneAcknowledgement, to change: inout CacheChange) throws(StoreError) {
        guard let index = change.index(ofLane: acknowledgement.lane) else { return }
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
                try advance(&lane, to: around)
            } else {
                try advance(&lane, to: firstBlock(ofLane: lane, from: next))
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
            let room = roomForBlock(ofLane: change.lanes[index], in: change)
            let epoch = epoch(of: append.messages[stored], change, now)
            let clock = moment(in: epoch, now)
            encoder.start()
            for message in append.messages[stored...] {
                let bytes = encoder.byteCount + message.byteCount
                if encoder.count > 0 {
                    if bytes > limits.blockBytes || bytes > room - CacheBlock.trailerSize { break }
                    if self.epoch(of: message, change, now) != epoch { break }
                }
                encoder.append(message, expiresAt: clock.wallTime(of: message.expiresAt))
            }
            guard encoder.byteCount + CacheBlock.trailerSize <= room else {
                return lose(append.messages[stored...], of: append, &change)
            }
            try insertBlock(first: append.firstSequence + Int64(stored), epoch: epoch, into: &change, lane: index)
            stored += encoder.count
        }
    }

    /// Whose clock a message's time is: it may have been published before the clock was set, and be stored after that.
    private func epoch(of message: Message, _ change: CacheChange, _ now: Moment) -> Int64? {
        if clock.epochs.isEmpty { return change.presentEpoch }
        return clock.earlierEpoch(ofBoot: boot, for: message.publishedAt, at: now)?.number ?? change.presentEpoch
    }

    /// A moment as an epoch's clock would have given it.
    private func moment(in epoch: Int64?, _ now: Moment) -> Moment {
        guard let epoch = epoch.flatMap({ clock.epochs[$0] }) else { return now }
        return Moment(
            wall: Timestamp(milliseconds: CacheClock.monotonic(now) &+ epoch.offset), monotonic: now.monotonic)
    }

    /// Bytes that the next block of a lane may have beside its row.
    private func roomForBlock(ofLane lane: CacheLane, in change: CacheChange) -> Int {
        let policy = limits.policy(ofRoute: lane.route)
        let room: Int64 =
            switch policy.whenFull {
            case .dropNewest: room(forRoute: lane.route, in: change)
            // What is larger than the limit alone would displace everything and then itself.
            case .dropOldest, .thin: min(policy.maximumBytes ?? .max, limits.maximumBytes)
            case .refuse: .max
            }
        return Int(clamping: max(0, room - BreakpointCache.rowBytes))
    }

    private func lose(_ messages: ArraySlice<Message>, of append: LaneAppend, _ change: inout CacheChange) {
        var (oldest, newest) = (Int64.max, Int64.min)
        for message in messages {
            oldest = min(oldest, message.publishedAt.milliseconds)
            newest = max(newest, message.publishedAt.milliseconds)
        }
        change.report.add(
            CacheLoss(
                lane: append.lane, messages: Int64(messages.count), reason: .newest,
                sequences: append.firstSequence + Int64(messages.startIndex)...append.firstSequence + Int64(messages.endIndex) - 1,
                oldest: Timestamp(milliseconds: oldest), newest: Timestamp(milliseconds: newest)))
    }

    /// Adds the encoder's block to a lane.
    private func insertBlock(
        first: Int64, epoch: Int64?, into change: inout CacheChange, lane index: Int
    ) throws(StoreError) {
        var lane = change.lanes[index]
        let key = CacheKey.key(lane: lane.number, sequence: first)
        let count = Int64(encoder.count)
        finishBlock(key: key, &lane.compressionTrial)
        let block = CacheBlockHead(
            key: key, last: first + count - 1, oldest: encoder.oldest, newest: encoder.newest, before: lane.after,
            own: CacheSums(blocks: 1, messages: count, bytes: Int64(encoder.bytes.count) + BreakpointCache.rowBytes),
            epoch: epoch)
        try insert(block, data: encoder.bytes)

        lane.after = lane.after + block.own
        lane.last = block.last
        lane.tailKey = block.key
        if lane.head == nil { lane.head = block }
        change.lanes[index] = lane
        change.bytesAdded += block.own.bytes
        change.report.appended += count
        change.neededFor = max(change.neededFor ?? 0, limits.policy(ofRoute: lane.route).priority)
    }

    /// Completes the encoder's block.
    func finishBlock(key: Int64, _ trial: inout CompressionTrial) {
        let isTried = limits.compression == .zstd && encoder.byteCount >= BlockCompression.smallest && trial.isDue()
        encoder.finish(key: key, compression: isTried ? compression : nil)
        if isTried { trial.ended(hasShrunk: encoder.isCompressed) }
    }

    /// Adds a block's row, or puts it in the place of the one that has its key.
    func insert(_ block: CacheBlockHead, data: UnsafeRawBufferPointer) throws(StoreError) {
        let insert = try database.statement("INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        try insert.bind(1, block.key)
        try insert.bind(2, block.last)
        try insert.bind(3, block.oldest)
        try insert.bind(4, block.newest)
        try insert.bind(5, block.before.blocks)
        try insert.bind(6, block.before.messages)
        try insert.bind(7, block.before.bytes)
        try insert.bind(8, inPlace: data)
        try insert.bind(9, block.isWhole ? nil : block.own.messages)
        try insert.bind(10, block.level == 0 ? nil : block.level)
        try insert.bind(11, block.epoch)
        try insert.run()
    }

    private func laneNumber(_ name: String, in change: inout CacheChange) throws(StoreError) -> Int {
        if let index = change.index(ofLane: name) { return index }
        let used = Set(change.lanes.map(\.number) + forgotten)
        guard let number = (1...CacheKey.maximumLane).first(where: { !used.contains($0) }) else {
            throw .failed(code: .full, message: "the cache has \(used.count) lanes and takes no more", sql: "")
        }
        change.lanes.append(CacheLane(number: number, name: name))
        return change.lanes.count - 1
    }

    /// Deletes the blocks before each lane's head and writes the lanes that have changed.
    private func finish(_ change: inout CacheChange) throws(StoreError) {
        for index in change.lanes.indices where !change.removed.contains(index) {
            let lane = change.lanes[index]
            let old = index < change.before.count ? change.before[index] : nil
            if change.shortened.contains(index) {
                let delete = try database.statement("DELETE FROM block WHERE id BETWEEN ? AND ?")
                try delete.bind(1, lane.firstKey)
                try delete.bind(2, lane.head.map { $0.key - 1 } ?? lane.endKey)
                try delete.run()
            }
            // A lane without blocks: what its rows no longer say.
            if lane.head == nil { change.lanes[index].acknowledged = max(lane.acknowledged, lane.last) }
            if old?.acknowledged != change.lanes[index].acknowledged || old?.spare != lane.spare {
                try put(change.lanes[index])
            }
        }
    }
}
