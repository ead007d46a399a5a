internal import Glibc

/// A file that is read as a whole: certificates, keys, passwords.
enum SmallFile {
    /// Why a file could not be read; `reason` is the system's, or says that it is too large.
    struct Failure: Error {
        var path: String
        var reason: String
        var description: String { "\(path): \(reason)" }
    }

    /// - Parameter limit: bytes that the file has at most.
    static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(path: path, reason: "cannot be opened: \(system(errno))") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Failure(path: path, reason: system(errno)) }
        if status.st_mode & S_IFMT == S_IFDIR { throw Failure(path: path, reason: "is a directory, not a file") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure(path: path, reason: "cannot be read: \(system(errno))")
            }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            if bytes.count > limit { throw Failure(path: path, reason: "is larger than the \(limit) bytes that are read") }
        }
    }

    /// Whether others than the file's owner and group may read it. False if it cannot be told.
    static func isReadableByAll(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
    }

    /// Whether the file's group may read it though it is the owner who does. A file of root's that a service reads by its group
    /// is as it should be. False if it cannot be told.
    static func isReadableByGroupInVain(_ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { return false }
        return status.st_mode & S_IRGRP != 0 && status.st_uid == geteuid() && status.st_uid != 0
    }

    static func system(_ number: Int32) -> String { String(cString: strerror(number)) }
}
