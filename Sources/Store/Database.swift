internal import CSQLite

/// One connection to one SQLite file, which it holds alone (exclusive locking, so no shared-memory file either).
///
/// Not Sendable: whoever owns it calls it from one thread at a time.
final class Database {
    /// How a file is laid out and synchronised. Page size counts only when the file is made.
    struct Layout {
        /// Bytes, a power of two. Small pages make small commits cheap: SQLite writes whole pages.
        var pageSize: Int
        /// Pages kept in memory, in bytes.
        var cacheBytes: Int
        /// Changed pages that a transaction may hold beyond that before it has to write some of them, in bytes.
        var changedBytes: Int
        /// The WAL is carried over into the file when it holds this many bytes.
        var checkpointBytes: Int
    }

    let path: String
    private var connection: OpaquePointer?
    private var statements: [StaticString.Key: Statement] = [:]

    /// Opens the file, or makes it when it is empty or not there.
    ///
    /// - Parameter vfs: the name of SQLite's operating-system layer; nil for the usual one.
    init(path: String, layout: Layout, vfs: String? = nil) throws(StoreError) {
        self.path = path
        try SQLiteLibrary.start()
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = sqlite3_open_v2(path, &connection, flags, vfs)
        do throws(StoreError) {
            guard code == SQLITE_OK else { throw error(code) }
            try configure(layout)
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    private func configure(_ layout: Layout) throws(StoreError) {
        sqlite3_busy_timeout(connection, 1000)
        _ = csqlite_db_config_defensive(connection, 1)
        // Before anything reads the file: only then does a WAL need no shared-memory file.
        try execute("PRAGMA locking_mode = EXCLUSIVE")
        try execute("PRAGMA page_size = \(layout.pageSize)")
        // Freed pages are reused. Moving them to the end to cut the file would write a pointer map with every page.
        try execute("PRAGMA auto_vacuum = NONE")
        // Debian turns it on: it would overwrite every deleted page with zeros.
        try execute("PRAGMA secure_delete = OFF")
        try execute("PRAGMA cell_size_check = ON")
        try execute("PRAGMA trusted_schema = OFF")
        try execute("PRAGMA temp_store = MEMORY")
        try execute("PRAGMA cache_size = -\(max(1, layout.cacheBytes >> 10))")
        try execute("PRAGMA cache_spill = \(max(1, layout.changedBytes / layout.pageSize))")
        try execute("PRAGMA journal_size_limit = \(layout.checkpointBytes)")
        try execute("PRAGMA wal_autocheckpoint = \(max(1, layout.checkpointBytes / layout.pageSize))")
        // On a full disk a file that was left in the other mode stays in it.
        try unlessFull { () throws(StoreError) in try setJournalMode(.wal) }
        // A commit returns when the disk has it, in WAL as in PERSIST mode.
        try execute("PRAGMA synchronous = FULL")
    }

    /// Closes the connection and finalizes all statements; nothing else may be called afterwards.
    func close() {
        for statement in statements.values { statement.finalize() }
        statements.removeAll()
        sqlite3_close_v2(connection)
        connection = nil
    }

    /// The prepared statement for `sql`, made once for the life of the connection.
    func statement(_ sql: StaticString) throws(StoreError) -> Statement {
        let key = sql.key
        if let statement = statements[key] { return statement }
        let statement = try prepare(sql.description, flags: UInt32(SQLITE_PREPARE_PERSISTENT))
        statements[key] = statement
        return statement
    }

    /// Runs statements separated by `;` whose rows do not matter.
    func execute(_ sql: String) throws(StoreError) {
        let code = sqlite3_exec(connection, sql, nil, nil, nil)
        if code != SQLITE_OK { throw error(code, sql: sql) }
    }

    /// The first column of the first row; nil when there is no row.
    func integer(_ sql: String) throws(StoreError) -> Int64? {
        let statement = try prepare(sql, flags: 0)
        defer { statement.finalize() }
        return try statement.step() ? statement.integer(0) : nil
    }

    /// The first column of all rows.
    func texts(_ sql: String) throws(StoreError) -> [String] {
        let statement = try prepare(sql, flags: 0)
        defer { statement.finalize() }
        var texts: [String] = []
        while try statement.step() { texts.append(statement.text(0)) }
        return texts
    }

    private func prepare(_ sql: String, flags: UInt32) throws(StoreError) -> Statement {
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, flags, &handle, nil)
        guard code == SQLITE_OK, let handle else { throw error(code, sql: sql) }
        return Statement(handle: handle, file: path)
    }

    private func error(_ code: Int32, sql: String = "") -> StoreError {
        StoreError(code: code, connection: connection, file: path, sql: sql)
    }
}

// MARK: - Transactions

extension Database {
    /// Runs `body` in a transaction. When it throws, or the commit fails, nothing of it counts: the caller then closes
    /// the connection, and opening the file anew brings back what is really on disk.
    func transaction<R>(_ body: () throws(StoreError) -> R) throws(StoreError) -> R {
        try statement("BEGIN IMMEDIATE").run()
        do throws(StoreError) {
            let result = try body()
            try statement("COMMIT").run()
            return result
        } catch {
            if isInTransaction { try? statement("ROLLBACK").run() }
            throw error
        }
    }

    /// Rows that the last statement has added, changed or deleted.
    var changes: Int32 { sqlite3_changes(connection) }

    /// Rows that were added, changed or deleted since the file was opened.
    var totalChanges: Int32 { sqlite3_total_changes(connection) }

    var isInTransaction: Bool { sqlite3_get_autocommit(connection) == 0 }
}

// MARK: - Journal, space

extension Database {
    /// The two ways to make a commit atomic that are used here; both survive a power cut.
    enum JournalMode: String {
        /// New pages go to a log, later into the file: one sync per commit, every page is written twice.
        case wal
        /// Old pages go to a journal, new ones into the file: four syncs per commit, an added page is written once. The
        /// journal keeps its length: cutting it would make the file system free, discard and allocate every time.
        case persist
    }

    func setJournalMode(_ mode: JournalMode) throws(StoreError) {
        let sql = "PRAGMA journal_mode = \(mode.rawValue)"
        let result = try texts(sql).first ?? ""
        guard result == mode.rawValue else {
            throw .failed(code: .error, message: "\(path): the journal mode stays \(result)", sql: sql)
        }
    }

    /// Bytes of the file, without its journal.
    func fileBytes() throws(StoreError) -> Int64 {
        try (integer("PRAGMA page_count") ?? 0) &* (integer("PRAGMA page_size") ?? 0)
    }

    /// Bytes of the file that hold nothing and will be used before it grows.
    func freeBytes() throws(StoreError) -> Int64 {
        try (integer("PRAGMA freelist_count") ?? 0) &* (integer("PRAGMA page_size") ?? 0)
    }

    /// Gives space back to the file system when the file is large and little of it is in use.
    func compactIfMostlyFree() throws(StoreError) {
        let free = try freeBytes()
        let used = try fileBytes() - free
        if free >= 16 << 20, used <= 4 << 20 {
            try unlessFull { () throws(StoreError) in try execute("VACUUM") }
        }
    }

    /// Does something that may be left undone when the disk is full: a box that starts on a full disk has to come up.
    func unlessFull(_ body: () throws(StoreError) -> Void) throws(StoreError) {
        do throws(StoreError) {
            try body()
        } catch {
            guard error.isFull else { throw error }
        }
    }

    /// Walks over the whole file; throws ``StoreError/damaged(file:message:)`` with the first thing that is wrong.
    func checkIntegrity() throws(StoreError) {
        let findings = try texts("PRAGMA quick_check(1)")
        guard findings == ["ok"] else { throw .damaged(file: path, message: findings.first ?? "no result of the check") }
    }
}

extension StaticString {
    /// A literal's address and length: the statements of this module are literals, so each has one.
    struct Key: Hashable {
        let start: UInt
        let count: Int
    }

    fileprivate var key: Key {
        hasPointerRepresentation
            ? Key(start: UInt(bitPattern: utf8Start), count: utf8CodeUnitCount)
            : Key(start: UInt(unicodeScalar.value), count: -1)
    }
}
