import Glibc

/// A directory that is removed with what is in it.
public struct ScratchDirectory {
    public let path: String

    /// - Parameter parent: where it is made; the system's place for temporary files if nil.
    public init(in parent: String? = nil) throws(ScratchError) {
        let base = parent ?? getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/martlet-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ScratchError(message: "cannot make a directory in \(base): \(String(cString: strerror(errno)))")
        }
        path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }

    /// One in memory, where the system has a place for it, or else among the temporary files.
    public static func inMemory() throws(ScratchError) -> ScratchDirectory {
        do throws(ScratchError) {
            return try ScratchDirectory(in: "/dev/shm")
        } catch {
            return try ScratchDirectory()
        }
    }

    public func remove() { ScratchDirectory.remove(path) }

    private static func remove(_ path: String) {
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name == "." || name == ".." { continue }
                if unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
            }
            closedir(directory)
        }
        rmdir(path)
    }
}

public struct ScratchError: Error, CustomStringConvertible {
    public var message: String
    public init(message: String) { self.message = message }
    public var description: String { message }
}
