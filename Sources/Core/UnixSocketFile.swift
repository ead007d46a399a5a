internal import Glibc

/// Why a Unix socket cannot be opened.
public enum UnixSocketError: Error, CustomStringConvertible {
    /// Somebody listens there.
    case inUse(path: String)
    /// Another kind of file has the name.
    case notASocket(path: String)
    case tooLong(path: String)
    case system(path: String, call: String, errno: Int32)

    public var description: String {
        switch self {
        case .inUse(let path): "\(path) is in use by another program"
        case .notASocket(let path): "\(path) exists and is not a socket: move it away, or choose another path"
        case .tooLong(let path): "\(path) is too long: a socket's path has at most 107 bytes"
        case .system(let path, let call, let code): "\(path): \(call): \(String(cString: strerror(code)))"
        }
    }
}

/// A socket in the file system that is bound and not yet listened on: nobody can connect before the file has its permissions.
public struct UnixSocketFile: Sendable {
    /// Belongs to whoever takes it from here.
    public let descriptor: CInt
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Binds a new socket. A file that an earlier run left behind is removed if nobody listens on it.
    ///
    /// - Parameter mode: permissions of the file: who may write to it may connect.
    public init(path: String, mode: UInt32) throws(UnixSocketError) {
        var address = try UnixSocketFile.address(path)
        try UnixSocketFile.removeStale(path, &address)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system(path: path, call: "socket", errno: errno) }
        var status = stat()
        var failed: String?
        if UnixSocketFile.withSockaddr(&address, { bind(descriptor, $0, $1) }) != 0 {
            failed = "bind"
        } else if chmod(path, mode) != 0 {
            failed = "chmod"
        } else if lstat(path, &status) != 0 {
            failed = "stat"
        }
        if let failed {
            let code = errno
            close(descriptor)
            throw .system(path: path, call: failed, errno: code)
        }
        self.descriptor = descriptor
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes the file, unless another one has taken its name.
    public func remove() {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
        unlink(path)
    }

    private static func removeStale(_ path: String, _ address: inout sockaddr_un) throws(UnixSocketError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            // What else is wrong with the path, `bind` says.
            return
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard probe >= 0 else { throw .system(path: path, call: "socket", errno: errno) }
        let isConnected = withSockaddr(&address) { connect(probe, $0, $1) } == 0
        let code = errno
        close(probe)
        // Without a listener the connection is refused at once; a full backlog gives EAGAIN.
        guard !isConnected, code == ECONNREFUSED else { throw .inUse(path: path) }
        guard unlink(path) == 0 else { throw .system(path: path, call: "unlink", errno: errno) }
    }

    private static func address(_ path: String) throws(UnixSocketError) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let isWritten = withUnsafeMutableBytes(of: &address.sun_path) { room -> Bool in
            // The zero at the end belongs to it.
            guard bytes.count < room.count else { return false }
            room.copyBytes(from: bytes)
            return true
        }
        guard isWritten else { throw .tooLong(path: path) }
        return address
    }

    private static func withSockaddr(
        _ address: inout sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}
