#include "CStorageFaults.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct storage_faults {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    char name[64];
    int kinds;
    long countdown;
    int sticky;
    int full;
    long failures;
    const char *directory;
    int64_t size_limit;
    int recording;
    storage_record *log;
    size_t count;
    size_t capacity;
};

typedef struct {
    sqlite3_file base;
    storage_faults *faults;
    char *name;
    sqlite3_file *real;
} faulty_file;

static int must_fail(storage_faults *faults, int kind) {
    if (!(faults->kinds & kind) || faults->countdown == 0) return 0;
    if (faults->countdown > 1) {
        faults->countdown--;
        return 0;
    }
    if (!faults->sticky) faults->countdown = 0;
    faults->failures++;
    return 1;
}

static void record(storage_faults *faults, int kind, const char *name, int64_t offset, const void *bytes, size_t count) {
    if (!faults->recording) return;
    if (faults->count == faults->capacity) {
        faults->capacity = faults->capacity ? faults->capacity * 2 : 256;
        faults->log = realloc(faults->log, faults->capacity * sizeof *faults->log);
        if (!faults->log) abort();
    }
    storage_record *entry = &faults->log[faults->count++];
    entry->kind = kind;
    entry->name = strdup(name);
    entry->offset = offset;
    entry->count = count;
    uint8_t *copy = count ? malloc(count) : NULL;
    if (copy) memcpy(copy, bytes, count);
    entry->bytes = copy;
}

// MARK: Files

static int file_close(sqlite3_file *file) {
    faulty_file *self = (faulty_file *)file;
    int code = self->real->pMethods ? self->real->pMethods->xClose(self->real) : SQLITE_OK;
    free(self->name);
    self->name = NULL;
    return code;
}

static int file_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
    faulty_file *self = (faulty_file *)file;
    if (must_fail(self->faults, STORAGE_READ)) return SQLITE_IOERR_READ;
    return self->real->pMethods->xRead(self->real, bytes, count, offset);
}

/// Whether the directory would be larger than its limit if the file grew to `end`.
static int is_over_limit(faulty_file *self, sqlite3_int64 end) {
    storage_faults *faults = self->faults;
    sqlite3_int64 total = end;
    sqlite3_int64 own = 0;
    if (!faults->size_limit || self->real->pMethods->xFileSize(self->real, &own) != SQLITE_OK || end <= own) return 0;
    total -= own;
    DIR *directory = opendir(faults->directory);
    if (!directory) return 0;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        struct stat status;
        if (fstatat(dirfd(directory), entry->d_name, &status, 0) == 0 && S_ISREG(status.st_mode)) total += status.st_size;
    }
    closedir(directory);
    return total > faults->size_limit;
}

static int file_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    faulty_file *self = (faulty_file *)file;
    if (must_fail(self->faults, STORAGE_WRITE)) {
        int half = count / 2;
        if (half && self->real->pMethods->xWrite(self->real, bytes, half, offset) == SQLITE_OK) {
            record(self->faults, STORAGE_WRITE, self->name, offset, bytes, (size_t)half);
        }
        return self->faults->full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    if (is_over_limit(self, offset + count)) return SQLITE_FULL;
    int code = self->real->pMethods->xWrite(self->real, bytes, count, offset);
    if (code == SQLITE_OK) record(self->faults, STORAGE_WRITE, self->name, offset, bytes, (size_t)count);
    return code;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
    faulty_file *self = (faulty_file *)file;
    if (must_fail(self->faults, STORAGE_TRUNCATE)) return SQLITE_IOERR_TRUNCATE;
    int code = self->real->pMethods->xTruncate(self->real, size);
    if (code == SQLITE_OK) record(self->faults, STORAGE_TRUNCATE, self->name, size, NULL, 0);
    return code;
}

static int file_sync(sqlite3_file *file, int flags) {
    faulty_file *self = (faulty_file *)file;
    (void)flags;
    // The disk is not asked: what a power cut leaves is computed from the log.
    if (must_fail(self->faults, STORAGE_SYNC)) return SQLITE_IOERR_FSYNC;
    record(self->faults, STORAGE_SYNC, self->name, 0, NULL, 0);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    faulty_file *self = (faulty_file *)file;
    return self->real->pMethods->xFileSize(self->real, size);
}

static int file_lock(sqlite3_file *file, int lock) {
    faulty_file *self = (faulty_file *)file;
    return self->real->pMethods->xLock(self->real, lock);
}

static int file_unlock(sqlite3_file *file, int lock) {
    faulty_file *self = (faulty_file *)file;
    return self->real->pMethods->xUnlock(self->real, lock);
}

static int file_check_lock(sqlite3_file *file, int *result) {
    faulty_file *self = (faulty_file *)file;
    return self->real->pMethods->xCheckReservedLock(self->real, result);
}

static int file_control(sqlite3_file *file, int operation, void *argument) {
    faulty_file *self = (faulty_file *)file;
    // A hint makes the real layer write, which would go past the log.
    if (operation == SQLITE_FCNTL_SIZE_HINT) return SQLITE_OK;
    return self->real->pMethods->xFileControl(self->real, operation, argument);
}

static int file_sector_size(sqlite3_file *file) {
    faulty_file *self = (faulty_file *)file;
    return self->real->pMethods->xSectorSize(self->real);
}

static int file_characteristics(sqlite3_file *file) {
    faulty_file *self = (faulty_file *)file;
    return self->real->pMethods->xDeviceCharacteristics(self->real);
}

// Version 1: no shared memory and no memory mapping, neither of which an exclusively locked file needs.
static const sqlite3_io_methods file_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

// MARK: The layer

static const char *last_component(const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path ? path : "";
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags) {
    storage_faults *faults = vfs->pAppData;
    faulty_file *self = (faulty_file *)file;
    memset(self, 0, sizeof *self);
    if (must_fail(faults, STORAGE_OPEN)) return SQLITE_CANTOPEN;
    self->faults = faults;
    self->real = (sqlite3_file *)(self + 1);
    int code = faults->real->xOpen(faults->real, path, self->real, flags, out_flags);
    if (code != SQLITE_OK) return code;
    self->name = strdup(last_component(path));
    self->base.pMethods = &file_methods;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_directory) {
    storage_faults *faults = vfs->pAppData;
    if (must_fail(faults, STORAGE_DELETE)) return SQLITE_IOERR_DELETE;
    int code = faults->real->xDelete(faults->real, path, sync_directory);
    if (code == SQLITE_OK) record(faults, STORAGE_DELETE, last_component(path), 0, NULL, 0);
    return code;
}

storage_faults *storage_faults_create(const char *name) {
    sqlite3_initialize();
    storage_faults *faults = calloc(1, sizeof *faults);
    if (!faults) return NULL;
    faults->real = sqlite3_vfs_find(NULL);
    snprintf(faults->name, sizeof faults->name, "%s", name);
    faults->vfs = *faults->real;
    faults->vfs.pNext = NULL;
    faults->vfs.zName = faults->name;
    faults->vfs.pAppData = faults;
    faults->vfs.szOsFile = (int)sizeof(faulty_file) + faults->real->szOsFile;
    faults->vfs.xOpen = vfs_open;
    faults->vfs.xDelete = vfs_delete;
    sqlite3_vfs_register(&faults->vfs, 0);
    return faults;
}

void storage_faults_destroy(storage_faults *faults) {
    sqlite3_vfs_unregister(&faults->vfs);
    for (size_t index = 0; index < faults->count; index++) {
        free((void *)faults->log[index].name);
        free((void *)faults->log[index].bytes);
    }
    free(faults->log);
    free((void *)faults->directory);
    free(faults);
}

void storage_faults_fail(storage_faults *faults, int kinds, long nth, int sticky, int full) {
    faults->kinds = kinds;
    faults->countdown = nth;
    faults->sticky = sticky;
    faults->full = full;
    faults->failures = 0;
}

void storage_faults_limit_size(storage_faults *faults, const char *directory, int64_t bytes) {
    free((void *)faults->directory);
    faults->directory = strdup(directory);
    faults->size_limit = bytes;
}

long storage_faults_failures(const storage_faults *faults) { return faults->failures; }

void storage_faults_record(storage_faults *faults) { faults->recording = 1; }

void storage_faults_record_file(storage_faults *faults, const char *name, const uint8_t *bytes, size_t count) {
    int recording = faults->recording;
    faults->recording = 1;
    record(faults, STORAGE_WRITE, name, 0, bytes, count);
    record(faults, STORAGE_SYNC, name, 0, NULL, 0);
    faults->recording = recording;
}

void storage_faults_mark(storage_faults *faults, int64_t value) { record(faults, STORAGE_MARK, "", value, NULL, 0); }

size_t storage_faults_record_count(const storage_faults *faults) { return faults->count; }

storage_record storage_faults_record_at(const storage_faults *faults, size_t index) { return faults->log[index]; }

// MARK: Memory

static _Thread_local long memory_countdown;
static _Thread_local int memory_failure;
static sqlite3_mem_methods real_memory;

static int memory_must_fail(void) {
    if (memory_countdown == 0 || --memory_countdown > 0) return 0;
    memory_failure = 1;
    return 1;
}

static void *memory_allocate(int size) { return memory_must_fail() ? NULL : real_memory.xMalloc(size); }

static void *memory_reallocate(void *pointer, int size) {
    return memory_must_fail() ? NULL : real_memory.xRealloc(pointer, size);
}

void storage_memory_fail(long nth) {
    memory_countdown = nth;
    memory_failure = 0;
}

int storage_memory_failed(void) { return memory_failure; }

// Before main, because SQLite takes an allocator only before it is initialized.
__attribute__((constructor)) static void install_memory(void) {
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory);
    sqlite3_mem_methods methods = real_memory;
    methods.xMalloc = memory_allocate;
    methods.xRealloc = memory_reallocate;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}
