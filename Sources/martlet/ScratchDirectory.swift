import Glibc

/// A directory that is removed with what is in it.
struct ScratchDirectory {
    let path: String

    /// - Parameter parent: where it is made; the system's place for temporary files if nil.
    init(in parent: String? = nil) throws(ScratchError) {
        let base = parent ?? getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/martlet-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ScratchError(message: "cannot make a directory in \(base): \(String(cString: strerror(errno)))")
        }
        path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }

    func remove() { ScratchDirectory.remove(path) }

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

struct ScratchError: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}

/// Output for people.
enum Console {
    static func error(_ text: String) { emit(text, to: STDERR_FILENO) }

    static func print(_ text: String) { emit(text, to: STDOUT_FILENO) }

    private static func emit(_ text: String, to file: Int32) {
        let bytes = Array((text + "\n").utf8)
        var at = 0
        while at < bytes.count {
            let count = bytes[at...].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            if count <= 0 { return }
            at += count
        }
    }
}
