internal import Core

/// What a commit did to the cache.
public struct CacheReport: Sendable {
    /// Messages that are on disk now and were not before.
    public var appended: Int64 = 0
    /// Messages given up or not taken, by lane and reason; empty when all is well.
    public var losses: [CacheLoss] = []

    mutating func add(_ other: CacheReport) {
        appended += other.appended
        for loss in other.losses { add(loss.messages, lostBy: loss.lane, loss.reason) }
    }

    mutating func add(_ messages: Int64, lostBy lane: String, _ reason: CacheLoss.Reason) {
        guard messages > 0 else { return }
        if let index = losses.firstIndex(where: { $0.lane == lane && $0.reason == reason }) {
            losses[index].messages += messages
        } else {
            losses.append(CacheLoss(lane: lane, messages: messages, reason: reason))
        }
    }
}

/// The messages that wait for the upstream: a queue per bridge (a lane), in blocks (CacheBlock.swift), in one file.
///
/// Not Sendable, blocks while the disk works; ``Storage`` gives it a thread. After an error of ``commit(_:acknowledgements:now:)``
/// the object is used up: close it and open the file anew.
final class BreakpointCache {
    let database: Database
    let limits: CacheLimits
    var lanes: [CacheLane] = []
    var laneIndex: [String: Int] = [:]
    var encoder = CacheBlockEncoder()
    /// Where reading stands in each lane, so that the next read goes on inside a block.
    var readers: [Int64: CacheBlockDecoder] = [:]
    var journal = JournalPolicy()
    var journalInUse = Database.JournalMode.wal

    static let layout = Database.Layout(pageSize: 1024, cacheBytes: 4 << 20, checkpointBytes: 4 << 20)
    /// What a block's row takes beside its bytes.
    static let rowBytes: Int64 = 48

    init(path: String, limits: CacheLimits, vfs: String? = nil, checkIntegrity: Bool = false) throws(StoreError) {
        self.limits = limits
        database = try Database(path: path, layout: BreakpointCache.layout, vfs: vfs)
        if checkIntegrity { try database.checkIntegrity() }
        try database.migrate(BreakpointCache.migrations)
        try database.compactIfMostlyFree()
        try loadLanes()
    }

    func close() { database.close() }

    private static let migrations = [
        Migration(
            name: "blocks",
            sql: """
                CREATE TABLE lane (
                    number INTEGER PRIMARY KEY,
                    name TEXT NOT NULL,
                    acknowledged INTEGER NOT NULL
                );
                CREATE TABLE block (
                    id INTEGER PRIMARY KEY, -- lane << 51 | sequence of the first message
                    last INTEGER NOT NULL,  -- sequence of the last message
                    oldest INTEGER NOT NULL,
                    newest INTEGER NOT NULL,
                    blocks_before INTEGER NOT NULL,
                    messages_before INTEGER NOT NULL,
                    bytes_before INTEGER NOT NULL,
                    data BLOB NOT NULL
                );
                """)
    ]

    /// The state of the cache and of its file.
    func status() throws(StoreError) -> CacheStatus {
        CacheStatus(
            lanes: lanes.map(\.status), bytes: totalBytes, fileBytes: try database.fileBytes(),
            freeBytes: try database.freeBytes())
    }

    var totalBytes: Int64 { lanes.reduce(0) { $0 + $1.bytes } }

    private func damaged(_ message: String) -> StoreError { .damaged(file: database.path, message: message) }

    private func loadLanes() throws(StoreError) {
        let select = try database.statement("SELECT number, name, acknowledged FROM lane ORDER BY number")
        while try select.step() {
            let number = select.integer(0)
            var lane = CacheLane(number: number, name: select.text(1))
            lane.acknowledged = select.integer(2)
            lane.last = lane.acknowledged
            guard (1...CacheKey.maximumLane).contains(number), laneIndex[lane.name] == nil,
                (0...CacheKey.maximumSequence).contains(lane.acknowledged)
            else {
                select.reset()
                throw damaged("lane \(number) makes no sense")
            }
            laneIndex[lane.name] = lanes.count
            lanes.append(lane)
        }
        for index in lanes.indices {
            lanes[index].head = try firstBlock(ofLane: lanes[index], from: lanes[index].firstKey)
            try loadTail(&lanes[index])
        }
    }

    private func loadTail(_ lane: inout CacheLane) throws(StoreError) {
        let select = try database.statement(
            """
            SELECT id, last, oldest, newest, blocks_before, messages_before, bytes_before, length(data) FROM block
            WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1
            """)
        try select.bind(1, lane.firstKey)
        try select.bind(2, lane.endKey)
        guard try select.step() else { return }
        defer { select.reset() }
        guard let tail = CacheBlockHead(row: select), let head = lane.head, tail.bytesBefore >= head.bytesBefore,
            tail.blocksBefore >= head.blocksBefore, tail.messagesBefore >= head.messagesBefore
        else { throw damaged("a block of lane \(lane.name) makes no sense") }
        lane.last = max(lane.last, tail.last)
        lane.blocksAfter = tail.blocksBefore + 1
        lane.messagesAfter = tail.messagesBefore + tail.messages
        lane.bytesAfter = tail.bytesBefore + select.integer(7) + BreakpointCache.rowBytes
    }

    /// The first block of a lane whose key is `key` or greater.
    func firstBlock(ofLane lane: CacheLane, from key: Int64) throws(StoreError) -> CacheBlockHead? {
        let select = try database.statement(
            """
            SELECT id, last, oldest, newest, blocks_before, messages_before, bytes_before FROM block
            WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1
            """)
        return try block(select, key, lane.endKey)
    }

    /// The last block of a lane whose key is `key` or less.
    func lastBlock(ofLane lane: CacheLane, upTo key: Int64) throws(StoreError) -> CacheBlockHead? {
        let select = try database.statement(
            """
            SELECT id, last, oldest, newest, blocks_before, messages_before, bytes_before FROM block
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
