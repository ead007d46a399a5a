import Glibc

/// The file system that the data directory lies on, as the cache's size depends on it.
struct DiskSpace: Sendable, Equatable {
    /// Bytes of the whole file system.
    var total: Int64
    /// Bytes in use.
    var used: Int64
    /// Bytes that the box may still write; less than what is not in use, where some is kept for root or by a quota.
    var available: Int64
    /// Bytes of the cache's own files, which are used again.
    var own: Int64 = 0

    /// Bytes that all else on the file system takes.
    var others: Int64 { max(0, used - own) }

    /// Of a directory, or of the nearest one above it that exists: it may not be made yet.
    static func of(directory: String) -> DiskSpace? {
        var path = directory
        var status = statvfs()
        while statvfs(path, &status) != 0 {
            guard errno == ENOENT, let slash = path.lastIndex(of: "/") else {
                path = path.hasPrefix("/") ? "/" : "."
                guard statvfs(path, &status) == 0 else { return nil }
                break
            }
            path = String(path[..<slash])
            if path.isEmpty { path = "/" }
        }
        let block = Int64(clamping: status.f_frsize)
        let own = cacheFiles.reduce(Int64(0)) { $0 + taken(directory + "/" + $1) }
        let total = Int64(clamping: status.f_blocks)
        return DiskSpace(
            total: bytes(total, block), used: bytes(max(0, total - Int64(clamping: status.f_bfree)), block),
            available: bytes(Int64(clamping: status.f_bavail), block), own: own)
    }

    private static let cacheFiles = ["cache.db", "cache.db-wal", "cache.db-journal"]

    /// Bytes that a file takes on the disk; 0 if it is not there.
    private static func taken(_ path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? bytes(Int64(status.st_blocks), 512) : 0
    }

    private static func bytes(_ blocks: Int64, _ size: Int64) -> Int64 {
        let (product, overflow) = blocks.multipliedReportingOverflow(by: size)
        return overflow ? .max : product
    }
}
