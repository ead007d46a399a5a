internal import Glibc

/// A folder for the files of one test, removed with what is in it.
public final class TestFolder {
    public let path: String

    public init() {
        var template = Array("/tmp/martlet-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("cannot make a folder in /tmp") }
        path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }

    deinit { TestFolder.remove(path) }

    private static func remove(_ path: String) {
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
                if name != ".", name != "..", unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
            }
            closedir(directory)
        }
        rmdir(path)
    }

    /// Writes a file and makes the folders that it is to be in.
    ///
    /// - Returns: its path.
    @discardableResult
    public func write(_ name: String, _ bytes: [UInt8], mode: UInt32 = 0o600) -> String {
        let file = "\(path)/\(name)"
        var folder = path
        for part in name.split(separator: "/").dropLast() {
            folder += "/\(part)"
            mkdir(folder, 0o700)
        }
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0, Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { fatalError("cannot write \(file)") }
        fchmod(descriptor, mode)
        close(descriptor)
        return file
    }

    @discardableResult
    public func write(_ name: String, _ text: String, mode: UInt32 = 0o600) -> String {
        write(name, Array(text.utf8), mode: mode)
    }

    /// A file's content.
    public func text(_ name: String) throws -> String {
        guard let file = fopen("\(path)/\(name)", "r") else { throw CannotRead(name: name) }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    public struct CannotRead: Error { public var name: String }
}
