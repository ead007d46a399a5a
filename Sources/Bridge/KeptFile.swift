import Glibc
import NIOCore
import NIOPosix
import Security

/// What a form has the box keep, in a file of the data directory that its owner alone may read.
enum KeptFile {
    static func path(directory: String, bridge: String, _ kept: FormKept) -> String { "\(directory)/bridge-\(bridge).\(kept.rawValue)" }

    /// nil if there is none.
    static func read(_ path: String, eventLoop: any EventLoop) -> EventLoopFuture<[UInt8]?> {
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { try read(path) }
    }

    static func read(_ path: String) throws -> [UInt8]? {
        if access(path, F_OK) != 0, errno == ENOENT { return nil }
        return try SecretFile.read(path)
    }

    /// Done when it is on disk.
    static func write(_ bytes: [UInt8], _ path: String, eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { try write(bytes, path) }
    }

    /// A power cut leaves the old file or the new one.
    static func write(_ bytes: [UInt8], _ path: String) throws {
        let new = "\(path).new"
        let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: new) }
        do {
            defer { close(descriptor) }
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                guard count > 0 else { throw IOError(errnoCode: errno, reason: new) }
                rest = rest.dropFirst(count)
            }
            guard fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0 else { throw IOError(errnoCode: errno, reason: new) }
        }
        guard rename(new, path) == 0 else { throw IOError(errnoCode: errno, reason: path) }
        let directory = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        let folder = open(directory.isEmpty ? "/" : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw IOError(errnoCode: errno, reason: directory) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw IOError(errnoCode: errno, reason: directory) }
    }
}
