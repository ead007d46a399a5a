#ifndef CSQLITE_SHIM_H
#define CSQLITE_SHIM_H

// Debian's SQLite for Swift: what Swift cannot import (variadic functions, casts in macros) as inline functions.

#include <sqlite3.h>

/// SQLITE_TRANSIENT: SQLite copies the bytes at once.
static inline int csqlite_bind_text_copy(sqlite3_stmt *statement, int index, const char *text, sqlite3_uint64 count) {
    return sqlite3_bind_text64(statement, index, text, count, SQLITE_TRANSIENT, SQLITE_UTF8);
}

/// SQLITE_TRANSIENT: SQLite copies the bytes at once.
static inline int csqlite_bind_blob_copy(sqlite3_stmt *statement, int index, const void *bytes, sqlite3_uint64 count) {
    return sqlite3_bind_blob64(statement, index, bytes, count, SQLITE_TRANSIENT);
}

/// SQLITE_STATIC: the bytes stay where they are until the statement is reset or bound anew.
static inline int csqlite_bind_text_in_place(sqlite3_stmt *statement, int index, const char *text, sqlite3_uint64 count) {
    return sqlite3_bind_text64(statement, index, text, count, SQLITE_STATIC, SQLITE_UTF8);
}

/// SQLITE_STATIC: the bytes stay where they are until the statement is reset or bound anew.
static inline int csqlite_bind_blob_in_place(sqlite3_stmt *statement, int index, const void *bytes, sqlite3_uint64 count) {
    return sqlite3_bind_blob64(statement, index, bytes, count, SQLITE_STATIC);
}

/// SQLITE_CONFIG_MEMSTATUS: without statistics an allocation takes no lock. Only before sqlite3_initialize().
static inline int csqlite_config_memory_status(int enabled) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, enabled); }

/// SQLITE_DBCONFIG_DEFENSIVE: SQL cannot damage the file on purpose.
static inline int csqlite_db_config_defensive(sqlite3 *database, int enabled) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, enabled, (int *)0);
}

#endif
