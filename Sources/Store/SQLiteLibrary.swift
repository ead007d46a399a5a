internal import CSQLite

/// SQLite's state of the whole process, set up once before the first file is opened.
enum SQLiteLibrary {
    private static let result: Int32 = {
        // Statistics would take a lock at every allocation. MISUSE only says that SQLite had been started already.
        _ = csqlite_config_memory_status(0)
        return sqlite3_initialize()
    }()

    static func start() throws(StoreError) {
        if result != SQLITE_OK { throw StoreError(code: result, connection: nil, file: "SQLite", sql: "") }
    }
}
