internal import Glibc

/// The data directory: who may use it, and the names in it.
///
/// A lock on the file `lock` keeps a second process out as long as this object lives.
final class StorageDirectory {
    let path: String
    private let lock: Int32

    static let sidecars = ["", "-wal", "-shm", "-journal"]
    /// Damaged files kept of each kind; older ones are deleted, for the disk is not endless.
    static let keptDamagedFiles = 2

    /// Makes the directory (0700) if it is not there, and locks it.
    init(path: String) throws(StoreError) {
        self.path = path
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw .system(errno, "cannot make the directory \(path)") }
        let file = path + "/lock"
        // Kept in the property only at the end: an initializer that throws afterwards runs `deinit`, which would close the
        // descriptor a second time, and by then it may be somebody else's.
        let lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw .system(errno, "cannot open \(file)") }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let number = errno
            let owner = StorageDirectory.owner(lock)
            Glibc.close(lock)
            guard number == EWOULDBLOCK else { throw .system(number, "cannot lock \(file)") }
            throw .busy(
                message: "\(path) is in use by another process (pid \(owner)); stop it or set another data-directory")
        }
        let line = "\(getpid())\n"
        _ = ftruncate(lock, 0)
        _ = line.withCString { pwrite(lock, $0, strlen($0), 0) }
        self.lock = lock
    }

    deinit { Glibc.close(lock) }

    func file(_ name: String) -> String { path + "/" + name }

    /// What the kernel calls this boot of the machine; empty where it does not say.
    static let boot: String = {
        let descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { Glibc.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)).prefix { $0 > 0x20 }, as: UTF8.self)
    }()

    /// Makes an empty file (0600) unless it is there, so that SQLite gives its journals the same permissions.
    func prepareFile(_ name: String) throws(StoreError) {
        let descriptor = open(file(name), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(errno, "cannot open \(file(name))") }
        Glibc.close(descriptor)
    }

    /// Whether what is written into the open files is still found by a later start: they, or the directory, may have been
    /// deleted meanwhile.
    func checkPresence(of names: [String]) throws(StoreError) {
        var status = stat()
        let isHere = fstat(lock, &status) == 0 && status.st_nlink > 0 && names.allSatisfy { access(file($0), F_OK) == 0 }
        guard isHere else {
            throw .failed(
                code: .cannotOpen, message: "\(path) or files in it were deleted while in use; restart martlet", sql: "")
        }
    }

    /// Bytes of the reserve, if there are so many, or fewer: a write-ahead log that is carried over into its file, and more.
    private static let reserveSizes: [off_t] = [5 << 20, 1 << 20, 1 << 18, 1 << 16]

    /// Takes space that is given back when the disk is full: even to delete needs some, for the journal.
    ///
    /// Without effect when the reserve is there, or there is no space for it either.
    func makeReserve() {
        let path = file("reserve")
        if access(path, F_OK) == 0 { return }
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { Glibc.close(descriptor) }
        if !StorageDirectory.reserveSizes.contains(where: { posix_fallocate(descriptor, 0, $0) == 0 }) { unlink(path) }
    }

    func releaseReserve() { unlink(file("reserve")) }

    /// Writes the names of new files to the disk.
    func sync() throws(StoreError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(errno, "cannot open \(path)") }
        defer { Glibc.close(descriptor) }
        if fsync(descriptor) != 0 { throw .system(errno, "cannot sync \(path)") }
    }

    /// Remembers over a restart that a file was found damaged while it was in use.
    func markSuspect(_ name: String) {
        let descriptor = open(file(name) + ".suspect", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    func isSuspect(_ name: String) -> Bool { access(file(name) + ".suspect", F_OK) == 0 }

    func clearSuspect(_ name: String) { unlink(file(name) + ".suspect") }

    func size(_ name: String) -> Int64 {
        var status = stat()
        return stat(file(name), &status) == 0 ? Int64(status.st_size) : 0
    }

    /// Whether a file, or one of its journals, holds anything.
    static func hasContent(_ path: String) -> Bool {
        sidecars.contains { sidecar in
            var status = stat()
            return stat(path + sidecar, &status) == 0 && status.st_size > 0
        }
    }

    /// Whether a file that was in use is empty now, as a file system leaves it that was not checked after a power cut. A file
    /// without content has a log.
    func hasLost(_ name: String) -> Bool {
        access(file("reserve"), F_OK) == 0 && access(file(name), F_OK) == 0
            && !StorageDirectory.hasContent(file(name))
    }

    /// Renames a file and its journals to `name.damaged-milliseconds`; the new name.
    func setAside(_ name: String, at milliseconds: Int64) throws(StoreError) -> String {
        var aside = "\(StorageDirectory.damagedPrefix(name))\(milliseconds)"
        var attempt = 1
        while access(file(aside), F_OK) == 0 {
            aside = "\(StorageDirectory.damagedPrefix(name))\(milliseconds)-\(attempt)"
            attempt += 1
        }
        // The journals first: a database without its journal is opened as what it is, a journal without its database
        // would be applied to the new one.
        for sidecar in StorageDirectory.sidecars.reversed() {
            if rename(file(name) + sidecar, file(aside) + sidecar) != 0, errno != ENOENT {
                throw .system(errno, "cannot rename \(file(name))\(sidecar)")
            }
        }
        try sync()
        deleteOldDamaged(name)
        return file(aside)
    }

    static func damagedPrefix(_ name: String) -> String { "\(name).damaged-" }

    /// The files of a name that are set aside, without their journals; nil if the directory cannot be read.
    func namesOfDamaged(_ name: String) -> [String]? {
        names(startingWith: StorageDirectory.damagedPrefix(name))?.filter { candidate in
            !StorageDirectory.sidecars.dropFirst().contains { candidate.hasSuffix($0) }
        }
    }

    private func deleteOldDamaged(_ name: String) {
        for name in (namesOfDamaged(name) ?? []).sorted().dropLast(StorageDirectory.keptDamagedFiles) {
            for sidecar in StorageDirectory.sidecars { unlink(file(name) + sidecar) }
        }
    }

    private func names(startingWith prefix: String) -> [String]? {
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(prefix) { names.append(name) }
        }
        return names
    }

    private static func owner(_ lock: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(lock, &bytes, bytes.count, 0)
        let digits = bytes.prefix(max(0, count)).prefix { (0x30...0x39).contains($0) }
        return digits.isEmpty ? "unknown" : String(decoding: digits, as: UTF8.self)
    }
}
