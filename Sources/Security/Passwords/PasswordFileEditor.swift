internal import Glibc

/// Changes single users of a password file. Comments, order and other lines stay as they are; the file is replaced in one
/// step, and only its owner can read it.
public struct PasswordFileEditor {
    private let path: String
    private var lines: [[UInt8]]
    private let existed: Bool

    /// Reads a file; one that does not exist is empty.
    ///
    /// - Throws: also if the file is damaged, so that a change never covers that up.
    public init(path: String) throws(PasswordFileError) {
        // A link is followed, else it would be replaced by a file.
        if let resolved = realpath(path, nil) {
            self.path = String(cString: resolved)
            free(resolved)
            existed = true
        } else {
            guard errno == ENOENT else { throw PasswordFileError(path: path, line: nil, reason: SmallFile.system(errno)) }
            self.path = path
            lines = []
            existed = false
            return
        }
        let bytes: [UInt8]
        do throws(SmallFile.Failure) {
            bytes = try SmallFile.read(self.path, limit: PasswordFile.limit)
        } catch {
            throw PasswordFileError(path: error.path, line: nil, reason: error.reason)
        }
        _ = try PasswordFile(bytes, path: path)
        lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { Array($0) }
        if lines.last?.isEmpty == true { lines.removeLast() }
    }

    /// Adds a user, or gives it another password.
    ///
    /// - Returns: whether the user was there before.
    @discardableResult
    public mutating func set(user: [UInt8], to hash: some CustomStringConvertible) throws(PasswordFileError) -> Bool {
        do throws(PasswordFormatError) {
            try PasswordFile.check(user: user)
        } catch {
            throw PasswordFileError(path: path, line: nil, reason: error.reason)
        }
        let line = user + Array(":\(hash)".utf8)
        guard let at = place(of: user) else {
            lines.append(line)
            return false
        }
        lines[at] = line
        return true
    }

    /// - Returns: whether the user was there.
    public mutating func remove(user: [UInt8]) -> Bool {
        guard let at = place(of: user) else { return false }
        lines.remove(at: at)
        return true
    }

    private func place(of user: [UInt8]) -> Int? {
        lines.firstIndex { line in
            // As it is read: without the white space in front.
            var content = TextLines(line)
            return content.next()?.bytes.starts(with: user + [UInt8(ascii: ":")]) ?? false
        }
    }

    /// Writes the file. Whatever happens, the old or the new one is there, whole.
    public func save() throws(PasswordFileError) {
        var template = Array("\(path).XXXXXX".utf8CString)
        // mkstemp makes the file for its owner alone.
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw failure("a file beside it cannot be made") }
        do throws(PasswordFileError) {
            var status = stat()
            // Under root the file may be another user's, whose broker reads it.
            if existed, stat(path, &status) == 0, status.st_uid != geteuid() || status.st_gid != getegid(),
                fchown(descriptor, status.st_uid, status.st_gid) != 0
            { throw failure("its owner cannot be kept") }
            try write(lines.flatMap { $0 + [UInt8(ascii: "\n")] }, to: descriptor)
            guard fsync(descriptor) == 0 else { throw failure("cannot be written") }
            guard rename(template, path) == 0 else { throw failure("cannot be replaced") }
        } catch {
            close(descriptor)
            unlink(template)
            throw error
        }
        close(descriptor)
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = open(folder, O_RDONLY | O_CLOEXEC)
        if directory >= 0 {
            fsync(directory)
            close(directory)
        }
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32) throws(PasswordFileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot be written") }
            rest = rest.dropFirst(count)
        }
    }

    private func failure(_ what: String) -> PasswordFileError {
        PasswordFileError(path: path, line: nil, reason: "\(what): \(SmallFile.system(errno))")
    }
}
