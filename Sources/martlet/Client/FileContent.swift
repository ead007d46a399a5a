import Glibc

/// Files and standard input as bytes.
enum FileContent {
    /// A whole file.
    ///
    /// - Parameter limit: bytes that it may have.
    static func read(_ path: String, limit: Int) throws(ClientError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .file("\(path): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        return try read(file, name: path, limit: limit)
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Everything until the end of the input.
    static func readStandardInput(limit: Int) throws(ClientError) -> [UInt8] {
        try read(STDIN_FILENO, name: "standard input", limit: limit)
    }

    private static func read(_ file: Int32, name: String, limit: Int) throws(ClientError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .file("\(name): \(String(cString: strerror(errno)))") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw .file("\(name): more than \(limit) bytes") }
        }
    }
}
