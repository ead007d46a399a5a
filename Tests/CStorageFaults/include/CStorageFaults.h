#ifndef C_STORAGE_FAULTS_H
#define C_STORAGE_FAULTS_H

// Makes SQLite's disk and memory fail on demand, and remembers what was written.
//
// A `storage_faults` is a layer of SQLite's operating-system interface over the real one, registered under a name of its
// own. It counts operations, lets the Nth of them fail, and keeps a log from which a test rebuilds the files as a power
// cut would leave them. One thread at a time.

#include <stddef.h>
#include <stdint.h>

enum {
    STORAGE_WRITE = 1,
    STORAGE_SYNC = 2,
    STORAGE_TRUNCATE = 4,
    STORAGE_DELETE = 8,
    STORAGE_READ = 16,
    STORAGE_OPEN = 32,
    /// In the log only: a remark of the test.
    STORAGE_MARK = 64,
};

typedef struct storage_faults storage_faults;

/// Registers a layer under `name`; NULL when there is no memory.
storage_faults *storage_faults_create(const char *name);
/// Unregisters it; no file may be open any more.
void storage_faults_destroy(storage_faults *faults);

/// From now on the `nth` operation (1 is the next) of the kinds in `kinds` fails, once, or with `sticky` all after it too.
/// `full` makes failing writes say that the disk is full. 0 lets nothing fail. A write that fails writes its first half.
void storage_faults_fail(storage_faults *faults, int kinds, long nth, int sticky, int full);
/// From now on the files of a directory have `bytes` in all: writes that would make them grow beyond say that the disk is
/// full. 0 for no limit.
void storage_faults_limit_size(storage_faults *faults, const char *directory, int64_t bytes);
/// How many operations have failed since `storage_faults_fail`.
long storage_faults_failures(const storage_faults *faults);

/// Starts the log.
void storage_faults_record(storage_faults *faults);
/// Adds a file that was written and synced before the log started.
void storage_faults_record_file(storage_faults *faults, const char *name, const uint8_t *bytes, size_t count);
/// Adds a remark to the log.
void storage_faults_mark(storage_faults *faults, int64_t value);

typedef struct {
    int kind;
    /// The file's name without its directory.
    const char *name;
    /// Where a write begins, the length that a truncation leaves, or the remark's value.
    int64_t offset;
    /// A write's bytes.
    const uint8_t *bytes;
    size_t count;
} storage_record;

size_t storage_faults_record_count(const storage_faults *faults);
storage_record storage_faults_record_at(const storage_faults *faults, size_t index);

/// The `nth` allocation of SQLite on this thread fails from now on, once; 0 for none. Whether one has failed.
void storage_memory_fail(long nth);
int storage_memory_failed(void);

#endif
