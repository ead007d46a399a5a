public import Core

/// A damaged file that was set aside and still lies in the data directory.
public struct DamagedFile: Sendable, Hashable {
    /// Its path.
    public var path: String
    /// When it was set aside.
    public var time: Timestamp

    public init(path: String, time: Timestamp) {
        self.path = path
        self.time = time
    }
}

extension Storage {
    /// Those that are there, the oldest first. Whoever takes one away has seen it. nil if the directory cannot be read now, as
    /// without a free descriptor, and after ``close()``.
    public func damagedFiles() -> [DamagedFile]? { directory?.damagedFiles }
}

extension StorageDirectory {
    fileprivate var damagedFiles: [DamagedFile]? {
        var files: [DamagedFile] = []
        for name in [Storage.sessionsFile, Storage.cacheFile] {
            guard let names = namesOfDamaged(name) else { return nil }
            let prefix = StorageDirectory.damagedPrefix(name)
            files += names.compactMap { found in
                let digits = found.dropFirst(prefix.count).prefix { $0 != "-" }
                return Int64(digits).map { DamagedFile(path: file(found), time: Timestamp(milliseconds: $0)) }
            }
        }
        return files.sorted { ($0.time.milliseconds, $0.path) < ($1.time.milliseconds, $1.path) }
    }
}
