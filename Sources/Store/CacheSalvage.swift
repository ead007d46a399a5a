internal import Core

/// Copies what can be read of a damaged cache file into a new one: one bad page must not cost thousands of good blocks.
///
/// The table is walked in the order of its keys. Where a page cannot be read, the walk goes on at the nearest key whose way
/// through the tree avoids it, found by doubling the distance and then halving it. Every block's check sum is tried; one that
/// fails is left behind. What the file has beyond the time allowed, or beyond the space of the
/// disk, stays in the old file only.
struct CacheSalvage {
    /// Messages that the new file has now.
    private(set) var messages: Int64 = 0
    /// Blocks whose pages or check sums are wrong, as far as they were seen.
    private(set) var damagedBlocks: Int64 = 0
    /// Whether the walk came to the end of the file.
    private(set) var isComplete = false

    private let source: Database
    private let target: BreakpointCache
    private let deadline: MonotonicTime
    private let clock: () -> MonotonicTime

    static let maximumDuration: Duration = .seconds(60)
    /// Bytes of one transaction.
    private static let batchBytes: Int64 = 8 << 20

    /// - Parameters:
    ///   - path: of the damaged file, under its new name.
    ///   - target: a file without lanes.
    ///   - clock: for the time allowed.
    init(
        of path: String, into target: BreakpointCache, vfs: String?, clock: @escaping () -> MonotonicTime
    ) throws(StoreError) {
        source = try Database(path: path, layout: BreakpointCache.layout, vfs: vfs)
        self.target = target
        self.clock = clock
        deadline = clock() + CacheSalvage.maximumDuration
    }

    /// Copies. An error is one of the new file; what was copied before it is there.
    mutating func run() throws(StoreError) {
        defer { source.close() }
        isComplete = true
        try copyClock()
        for lane in readableLanes() {
            var lane = lane
            var key = lane.firstKey
            while let next = nextKey(from: key, lane) {
                guard try copyBatch(from: next, &lane, &key) else { break }
                if clock() > deadline {
                    isComplete = false
                    break
                }
            }
            if lane.head == nil { lane.acknowledged = max(lane.acknowledged, lane.last) }
            let finished = lane
            try target.database.transaction { () throws(StoreError) in try target.put(finished) }
        }
    }

    /// The lanes whose rows can be read.
    private func readableLanes() -> [CacheLane] {
        // A file from before the second step of its layout has no more of a lane.
        guard let select = try? source.statement("SELECT number, name, acknowledged FROM lane ORDER BY number") else { return [] }
        var lanes: [CacheLane] = []
        while (try? select.step()) == true {
            var lane = CacheLane(number: select.integer(0), name: select.text(1))
            lane.acknowledged = select.integer(2)
            lane.last = lane.acknowledged
            guard (1...CacheKey.maximumLane).contains(lane.number), !lane.name.isEmpty,
                (0...CacheKey.maximumSequence).contains(lane.acknowledged),
                !lanes.contains(where: { $0.name == lane.name || $0.number == lane.number })
            else { continue }
            lanes.append(lane)
        }
        return lanes
    }

    /// The epochs that the blocks' times belong to.
    private func copyClock() throws(StoreError) {
        guard let select = try? source.statement("SELECT number, boot, distance, correction FROM epoch") else { return }
        try target.database.transaction { () throws(StoreError) in
            while (try? select.step()) == true {
                let insert = try target.database.statement("INSERT OR REPLACE INTO epoch VALUES (?, ?, ?, ?)")
                try insert.bind(1, select.integer(0))
                try insert.bind(2, select.text(1))
                try insert.bind(3, select.integer(2))
                try insert.bind(4, select.optionalInteger(3))
                try insert.run()
            }
        }
    }

    /// Copies blocks in one transaction; false when the disk is full.
    ///
    /// - Parameter key: becomes the first one that was not looked at.
    private mutating func copyBatch(
        from first: Int64, _ lane: inout CacheLane, _ key: inout Int64
    ) throws(StoreError) -> Bool {
        var copied = lane
        var next: Int64? = first
        var position = first
        var (count, damaged, bytes) = (Int64(0), Int64(0), Int64(0))
        do throws(StoreError) {
            try target.database.transaction { () throws(StoreError) in
                while let id = next, bytes < CacheSalvage.batchBytes {
                    if let block = readBlock(id, copied) {
                        try block.data.withUnsafeBufferPointer { data throws(StoreError) in
                            try target.insert(block.head, data: UnsafeRawBufferPointer(data))
                        }
                        copied.after = copied.after + block.head.own
                        copied.last = max(copied.last, block.head.last)
                        if copied.head == nil { copied.head = block.head }
                        count += block.head.own.messages
                        bytes += block.head.own.bytes
                    } else {
                        damaged += 1
                        bytes += BreakpointCache.rowBytes
                    }
                    position = id + 1
                    next = nextKey(from: position, copied)
                }
                if copied.head == nil { copied.acknowledged = max(copied.acknowledged, copied.last) }
                try target.put(copied)
            }
        } catch {
            guard error.isFull else { throw error }
            isComplete = false
            return false
        }
        lane = copied
        key = position
        messages += count
        damagedBlocks += damaged
        return true
    }

    private struct Block {
        var head: CacheBlockHead
        var data: [UInt8]
    }

    /// A block that is whole, with the sums of the new file.
    private func readBlock(_ id: Int64, _ lane: CacheLane) -> Block? {
        guard let select = try? source.statement("SELECT last, oldest, newest, data FROM block WHERE id = ?"),
            (try? select.bind(1, id)) != nil, (try? select.step()) == true
        else { return nil }
        defer { select.reset() }
        let (last, oldest, newest) = (select.integer(0), select.integer(1), select.integer(2))
        let data = select.withBytes(3) { Array($0) }
        guard last > lane.last || lane.head == nil, oldest <= newest, last <= CacheKey.maximumSequence,
            let decoder = data.withUnsafeBytes({ CacheBlockDecoder($0, key: id, last: last, compression: target.compression) })
        else { return nil }
        let own = CacheSums(blocks: 1, messages: decoder.count, bytes: Int64(data.count) + BreakpointCache.rowBytes)
        return Block(
            head: CacheBlockHead(
                key: id, last: last, oldest: oldest, newest: newest, before: lane.after, own: own,
                level: extra("SELECT level FROM block WHERE id = ?", id) ?? 0,
                epoch: extra("SELECT epoch FROM block WHERE id = ?", id)),
            data: data)
    }

    /// A column that a file of the first layout does not have.
    private func extra(_ sql: StaticString, _ id: Int64) -> Int64? {
        guard let select = try? source.statement(sql), (try? select.bind(1, id)) != nil, (try? select.step()) == true
        else { return nil }
        defer { select.reset() }
        return select.optionalInteger(0)
    }

    /// The key of the lane's first block at or behind `key` that can be reached; nil when there is none.
    private func nextKey(from key: Int64, _ lane: CacheLane) -> Int64? {
        guard key <= lane.endKey else { return nil }
        if case .some(let found) = probe(key, lane) { return found }
        // The way to this key is blocked. Find one that is not, then the nearest.
        var (blocked, distance) = (key, Int64(1))
        var found: Int64??
        var open = key
        while found == nil, clock() <= deadline {
            guard blocked < lane.endKey else { return nil }
            open = min(lane.endKey, key + distance)
            found = probe(open, lane)
            if found == nil { blocked = open }
            distance *= 2
        }
        while open - blocked > 1 {
            let middle = blocked + (open - blocked) / 2
            if let nearer = probe(middle, lane) {
                (open, found) = (middle, nearer)
            } else {
                blocked = middle
            }
        }
        return found ?? nil
    }

    /// The first key at or behind another one: nil when the way to it is damaged, a nil inside when there is none.
    private func probe(_ key: Int64, _ lane: CacheLane) -> Int64?? {
        guard let select = try? source.statement("SELECT id FROM block WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1"),
            (try? select.bind(1, key)) != nil, (try? select.bind(2, lane.endKey)) != nil, let isThere = try? select.step()
        else { return .none }
        defer { select.reset() }
        return .some(isThere ? select.integer(0) : nil)
    }
}
