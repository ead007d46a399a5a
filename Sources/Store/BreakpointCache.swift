internal import Core

/// The messages that wait for the upstream: a queue per bridge and generation (a lane), in blocks (CacheBlock.swift), in
/// one file.
///
/// Not Sendable, blocks while the disk works; ``Storage`` gives it a thread. After an error of ``commit(_:acknowledgements:removals:now:)``
/// the object is used up: close it and open the file anew.
final class BreakpointCache {
    let database: Database
    var limits: CacheLimits {
        didSet { limitsAreNew = isOverLimits }
    }
    /// Whether the limits have become smaller than what the file holds: the next commits make room, whoever has to give it.
    var limitsAreNew = false
    var lanes: [CacheLane] = []
    var laneIndex: [String: Int] = [:]
    /// Numbers of lanes that were removed and whose blocks are not all deleted yet.
    var forgotten: [Int64] = []
    var encoder = CacheBlockEncoder()
    let compression = BlockCompression()
    /// Where reading stands in each lane, so that the next read goes on inside a block.
    var readers: [Int64: CacheBlockDecoder] = [:]
    /// What was lost outside of commits: it goes into the next one's report.
    var unreported = CacheReport()
    var clock = CacheClock()
    /// This boot of the machine: the monotonic clock starts anew with every one.
    let boot: String
    var journal = JournalPolicy()
    var journalInUse = Database.JournalMode.wal

    /// Blocks are written once and read once, so only the pages above them are worth keeping.
    static let layout = Database.Layout(pageSize: 1024, cacheBytes: 1 << 20, changedBytes: 4 << 20, checkpointBytes: 4 << 20)
    /// What a block's row takes beside its bytes.
    static let rowBytes: Int64 = 48

    init(
        path: String, limits: CacheLimits, boot: String = "", vfs: String? = nil, checkIntegrity: Bool = false
    ) throws(StoreError) {
        self.limits = limits
        self.boot = boot
        database = try Database(path: path, layout: BreakpointCache.layout, vfs: vfs)
        if checkIntegrity { try database.checkIntegrity() }
        try database.migrate(BreakpointCache.migrations)
        try database.compactIfMostlyFree()
        try loadClock()
        try loadLanes()
        limitsAreNew = isOverLimits
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
                """),
        // Columns behind the data are reached through all its pages, unless the row says NULL, as nearly all do.
        Migration(
            name: "routes",
            sql: """
                ALTER TABLE lane ADD COLUMN last INTEGER NOT NULL DEFAULT 0; -- at least
                ALTER TABLE lane ADD COLUMN spare_blocks INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE lane ADD COLUMN spare_messages INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE lane ADD COLUMN spare_bytes INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE block ADD COLUMN messages INTEGER; -- NULL: all from the first to the last
                ALTER TABLE block ADD COLUMN level INTEGER;    -- how often it was thinned; NULL: never
                ALTER TABLE block ADD COLUMN epoch INTEGER;    -- whose clock its times are; NULL: one that was right
                CREATE TABLE damaged (
                    number INTEGER PRIMARY KEY, -- counts all that were ever found
                    lane TEXT NOT NULL,
                    id INTEGER NOT NULL,
                    last INTEGER NOT NULL,
                    found_at INTEGER NOT NULL,
                    messages_until INTEGER NOT NULL, -- in it and in all before
                    data BLOB NOT NULL
                );
                """),
        clockMigration,
    ]

    /// The state of the cache and of its file.
    func status() throws(StoreError) -> CacheStatus {
        let damage = try damageCount()
        return CacheStatus(
            lanes: laneStatuses, bytes: totalBytes, fileBytes: try database.fileBytes(),
            freeBytes: try database.freeBytes(), damagedBlocks: damage.blocks, damagedMessages: damage.messages)
    }

    var totalBytes: Int64 { lanes.reduce(0) { $0 + $1.bytes } }

    func damaged(_ message: String) -> StoreError { .damaged(file: database.path, message: message) }
}
