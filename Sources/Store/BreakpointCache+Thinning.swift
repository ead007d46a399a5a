internal import Core

// How a route with the policy `thin` makes room. Blocks that stand one behind the other are read as one run, of each topic
// every second message of the run is left out, and what is left is written as one block or a few. So what was written in
// many small commits comes together too. A block knows how often this has happened to it: its level. The run that is
// thinned is the oldest of the level that has the most bytes, so the levels come to have the same share of the space and
// each reaches twice as far back in time as the one before it:
//
//     oldest                                                                                   newest
//     ├────────── level 3 ──────────┼────────── level 2 ─────────┼──── level 1 ────┼─── level 0 ───┤
//       one message of a topic in 8           one in 4                one in 2           all
//
// The first message of a topic in a run stays, so the first of an outage always does, and the lane's last block is never
// thinned, so the last ones do too.

extension BreakpointCache {
    /// Bytes of blocks that one commit reads to thin them, if it adds little.
    static let maximumThinnedBytes: Int64 = 2 << 20
    private static let maximumRunBlocks = 1024

    /// Thins one run of a route's lanes; false when there is nothing that could be thinned further.
    func thin(_ change: inout CacheChange, route: String) throws(StoreError) -> Bool {
        var candidates: [(lane: Int, level: CacheLevel, bytes: Int64)] = []
        for index in change.lanesByAge(ofRoute: route) {
            try updateLevels(&change.lanes[index])
            let lane = change.lanes[index]
            let levels = lane.levels ?? []
            // Bytes as they were written, halved as often as they were thinned: near enough to choose by.
            let ends = levels.dropFirst().map(\.bytesBefore) + [lane.after.bytes]
            for (level, end) in zip(levels, ends).reversed() where level.level < CacheLane.maximumLevel {
                candidates.append((index, level, (end - level.bytesBefore) >> level.level))
            }
        }
        // Of the same size, the oldest lane and in it the level that lost least.
        let order = candidates.indices.sorted {
            candidates[$0].bytes != candidates[$1].bytes ? candidates[$0].bytes > candidates[$1].bytes : $0 < $1
        }
        for candidate in order.map({ candidates[$0] }) {
            let run = try blocks(
                ofLane: change.lanes[candidate.lane], from: candidate.level.firstKey, level: candidate.level.level)
            guard !run.isEmpty else { continue }
            try thin(run, &change, lane: candidate.lane)
            return true
        }
        return false
    }

    // MARK: Which

    /// Neighbouring blocks from `key` on whose half fits into one block, without the lane's last one.
    private func blocks(ofLane lane: CacheLane, from key: Int64, level: Int64) throws(StoreError) -> [CacheBlockHead] {
        var run: [CacheBlockHead] = []
        var bytes: Int64 = 0
        var next = key
        while run.count < BreakpointCache.maximumRunBlocks, next < lane.tailKey,
            let block = try firstBlock(ofLane: lane, from: next), block.key < lane.tailKey, block.level == level,
            block.epoch == run.first?.epoch || run.isEmpty
        {
            guard run.isEmpty || bytes + block.own.bytes <= 2 * Int64(limits.blockBytes) else { break }
            run.append(block)
            bytes += block.own.bytes
            next = block.key + 1
        }
        return run
    }

    /// Finds out what was thinned how often, unless it is known, and lets go of what the lane no longer has.
    private func updateLevels(_ lane: inout CacheLane) throws(StoreError) {
        guard let head = lane.head else { return lane.levels = nil }
        if var levels = lane.levels {
            while levels.count > 1, levels[1].firstKey <= head.key { levels.removeFirst() }
            if var first = levels.first, first.firstKey < head.key {
                first.firstKey = head.key
                first.bytesBefore = head.before.bytes
                levels[0] = first
            }
            return lane.levels = levels
        }
        var levels = [CacheLevel(level: head.level, firstKey: head.key, bytesBefore: head.before.bytes)]
        while let last = levels.last, last.level > 0, let next = try firstBlock(ofLane: lane, below: last) {
            levels.append(CacheLevel(level: next.level, firstKey: next.key, bytesBefore: next.before.bytes))
        }
        lane.levels = levels
    }

    /// The first block behind a level's first one that was thinned less often.
    private func firstBlock(ofLane lane: CacheLane, below level: CacheLevel) throws(StoreError) -> CacheBlockHead? {
        guard var found = try firstBlock(ofLane: lane, from: lane.tailKey), found.level < level.level else { return nil }
        var (low, high) = (level.firstKey, found.key)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            guard let block = try firstBlock(ofLane: lane, from: middle) else { break }
            if block.level < level.level {
                (high, found) = (middle, block)
            } else {
                low = block.key
            }
        }
        return found
    }

    // MARK: How

    private func thin(_ run: [CacheBlockHead], _ change: inout CacheChange, lane index: Int) throws(StoreError) {
        guard let first = run.first, let last = run.last else { return }
        var lane = change.lanes[index]
        let old = run.reduce(CacheSums()) { $0 + $1.own }
        change.bytesThinned += old.bytes
        readers[lane.number] = nil

        if let thinned = try thinned(run, lane), thinned.sums.bytes <= old.bytes {
            let delete = try database.statement("DELETE FROM block WHERE id BETWEEN ? AND ?")
            try delete.bind(1, first.key)
            try delete.bind(2, last.key)
            try delete.run()
            for (block, data) in thinned.blocks {
                try data.withUnsafeBufferPointer { data throws(StoreError) in
                    try insert(block, data: UnsafeRawBufferPointer(data))
                }
            }
            lane.spare = lane.spare + old - thinned.sums
            change.report.add(thinned.loss)
        } else {
            // One of them cannot be read, or there is nothing to gain. They count as thinned, or they would be chosen again.
            let update = try database.statement("UPDATE block SET level = ? WHERE id BETWEEN ? AND ?")
            try update.bind(1, first.level + 1)
            try update.bind(2, first.key)
            try update.bind(3, last.key)
            try update.run()
        }
        // The first one may be a later message now, or one of fewer messages.
        if lane.head?.key == first.key {
            try setHead(&lane, firstBlock(ofLane: lane, from: first.key))
        }
        try move(run, toNextLevelOf: &lane)
        change.bytesGiven += max(0, change.lanes[index].bytes - lane.bytes)
        change.lanes[index] = lane
    }

    private struct Thinned {
        var blocks: [(CacheBlockHead, [UInt8])] = []
        var sums = CacheSums()
        var loss: CacheLoss
    }

    /// A run without every second message of a topic; nil when a block is damaged.
    private func thinned(_ run: [CacheBlockHead], _ lane: CacheLane) throws(StoreError) -> Thinned? {
        guard let first = run.first, let last = run.last else { return nil }
        var lost: (count: Int64, oldest: Int64, newest: Int64) = (0, .max, .min)
        var result = Thinned(
            loss: CacheLoss(
                lane: lane.name, messages: 0, reason: .thinned, sequences: first.first...max(first.first, last.last),
                oldest: Timestamp(milliseconds: 0), newest: Timestamp(milliseconds: 0)))
        /// Whether the last message of a topic stayed. Topics whose hashes are equal take turns, which does no harm.
        var stayed: [UInt64: Bool] = [:]
        encoder.start()
        for block in run {
            guard var decoder = try decoder(of: block) else { return nil }
            decoder.walk { record in
                if record.sequence <= lane.acknowledged { return true }
                let hash = TopicDictionary.hash(record.topic)
                let goes = stayed[hash] ?? false
                stayed[hash] = !goes
                if goes {
                    let time = record.publishedAt.milliseconds
                    lost = (lost.count + 1, min(lost.oldest, time), max(lost.newest, time))
                    return true
                }
                if encoder.count > 0, encoder.byteCount + record.byteCount > limits.blockBytes {
                    finishBlock(first, lane, &result)
                }
                encoder.append(record)
                return true
            }
            if decoder.isDamaged { return nil }
        }
        finishBlock(first, lane, &result)
        result.loss.messages = lost.count
        result.loss.oldest = time(lost.oldest, first.epoch)
        result.loss.newest = time(lost.newest, first.epoch)
        return result
    }

    private func finishBlock(_ first: CacheBlockHead, _ lane: CacheLane, _ result: inout Thinned) {
        guard encoder.count > 0 else { return }
        let key = CacheKey.key(lane: lane.number, sequence: encoder.first)
        encoder.finish(key: key, compression: limits.compression == .zstd ? compression : nil)
        let own = CacheSums(
            blocks: 1, messages: Int64(encoder.count), bytes: Int64(encoder.bytes.count) + BreakpointCache.rowBytes)
        let block = CacheBlockHead(
            key: key, last: encoder.last, oldest: encoder.oldest, newest: encoder.newest, before: first.before + result.sums,
            own: own, level: first.level + 1, epoch: first.epoch)
        result.blocks.append((block, Array(encoder.bytes)))
        result.sums = result.sums + own
        encoder.start()
    }

    /// The run belongs to the level above its own now.
    private func move(_ run: [CacheBlockHead], toNextLevelOf lane: inout CacheLane) throws(StoreError) {
        guard var levels = lane.levels, let first = run.first, let last = run.last,
            let index = levels.firstIndex(where: { $0.level == first.level })
        else { return lane.levels = nil }
        // What is left of the run's last block may have a greater key than that had.
        let behind = CacheKey.key(lane: lane.number, sequence: min(last.last + 1, CacheKey.maximumSequence))
        let next = try firstBlock(ofLane: lane, from: behind)
        if let next, next.level == first.level {
            levels[index].firstKey = next.key
            levels[index].bytesBefore = next.before.bytes
        } else {
            levels.remove(at: index)
        }
        if index == 0 || levels[index - 1].level != first.level + 1 {
            levels.insert(
                CacheLevel(level: first.level + 1, firstKey: first.key, bytesBefore: first.before.bytes), at: index)
        }
        lane.levels = levels
    }
}
