internal import CSQLite

/// A prepared statement. Owned by the ``Database`` that made it, which finalizes it when it closes.
final class Statement {
    private let handle: OpaquePointer
    private let file: String

    init(handle: OpaquePointer, file: String) {
        self.handle = handle
        self.file = file
    }

    func finalize() { sqlite3_finalize(handle) }

    func bind(_ index: Int32, _ value: Int64) throws(StoreError) {
        try check(sqlite3_bind_int64(handle, index, value))
    }

    func bind(_ index: Int32, _ value: Int64?) throws(StoreError) {
        if let value { try bind(index, value) } else { try check(sqlite3_bind_null(handle, index)) }
    }

    /// Binds a copy of the text.
    func bind(_ index: Int32, _ text: String) throws(StoreError) {
        var text = text
        let code = text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) {
                csqlite_bind_text_copy(handle, index, $0.baseAddress, UInt64($0.count))
            }
        }
        try check(code)
    }

    /// Binds a copy of the bytes; NULL for nil.
    func bind(_ index: Int32, _ bytes: [UInt8]?) throws(StoreError) {
        guard let bytes else { return try check(sqlite3_bind_null(handle, index)) }
        let code = bytes.withUnsafeBytes { csqlite_bind_blob_copy(handle, index, $0.baseAddress, UInt64($0.count)) }
        try check(code)
    }

    /// Binds bytes without copying: they must stay where they are until the statement has run.
    func bind(_ index: Int32, inPlace bytes: UnsafeRawBufferPointer) throws(StoreError) {
        try check(csqlite_bind_blob_in_place(handle, index, bytes.baseAddress, UInt64(bytes.count)))
    }

    /// Binds UTF-8 text without copying: it must stay where it is until the statement has run.
    func bind(_ index: Int32, textInPlace text: UnsafeRawBufferPointer) throws(StoreError) {
        let start = text.baseAddress?.assumingMemoryBound(to: CChar.self)
        try check(csqlite_bind_text_in_place(handle, index, start, UInt64(text.count)))
    }

    /// Goes to the next row; false when there is none. After an error or the last row the statement is reset.
    func step() throws(StoreError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW:
            return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        default:
            // The reset gives the extended code of what failed.
            let error = makeError(sqlite3_extended_errcode(sqlite3_db_handle(handle)))
            sqlite3_reset(handle)
            throw error
        }
    }

    /// Runs a statement whose rows, if any, do not matter.
    func run() throws(StoreError) {
        while try step() {}
    }

    /// Ends a walk over rows before the last one.
    func reset() { sqlite3_reset(handle) }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

    func text(_ column: Int32) -> String {
        withBytes(column) { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of a TEXT or BLOB column of the current row, valid inside `body` only.
    func withBytes<R, E: Error>(_ column: Int32, _ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        let start = sqlite3_column_blob(handle, column)
        let count = Int(sqlite3_column_bytes(handle, column))
        return try body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
    }

    private func check(_ code: Int32) throws(StoreError) {
        if code != SQLITE_OK { throw makeError(code) }
    }

    private func makeError(_ code: Int32) -> StoreError {
        let sql = sqlite3_sql(handle).map { String(cString: $0) } ?? ""
        return StoreError(code: code, connection: sqlite3_db_handle(handle), file: file, sql: sql)
    }
}
