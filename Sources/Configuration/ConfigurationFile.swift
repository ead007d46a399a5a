internal import Glibc

/// A TOML file of whatever kind, before anything is known of what it says.
enum ConfigurationFile {
    static let maxSize = 4 << 20

    /// A path in a file: one that does not begin with `/` is relative to the folder of the file.
    static func resolve(path: String, beside file: String) -> String {
        guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return file[...slash] + path
    }

    static func read(path: String) throws(ConfigurationErrors) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .whole(path, "the file cannot be opened: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= maxSize {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw .whole(path, "the file cannot be read: \(String(cString: strerror(errno)))")
            }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }
}

extension ConfigurationTable {
    /// Decodes and checks a whole file, which may be any bytes.
    ///
    /// - Parameters:
    ///   - prepare: what is to be done with the file's values before they are decoded.
    ///   - finish: what is to be done when all tables are there.
    static func decode(
        bytes: [UInt8], file: String, prepare: (inout [TOMLEntry], inout Findings) -> Void = { _, _ in },
        finish: (inout Self, inout Findings) -> Void = { _, _ in },
        check: (Self, inout [ConfigurationError]) -> Void = { _, _ in }
    ) throws(ConfigurationErrors) -> Self {
        guard bytes.count <= ConfigurationFile.maxSize else {
            throw .whole(file, "the file is larger than \(ConfigurationFile.maxSize >> 20) MiB")
        }
        var findings = Findings(file: file)
        let parsed = bytes.withUnsafeBufferPointer { bytes in
            Result { () throws(TOMLSyntaxError) in try TOMLValue.parse(bytes) }
        }
        switch parsed {
        case .failure(let error):
            throw ConfigurationErrors([ConfigurationError(findings.position(error.mark), error.message)])
        case .success(let document):
            guard case .table(var entries) = document.content else { return Self() }
            prepare(&entries, &findings)
            var table = schema.decode(entries, at: document.mark, header: "", &findings)
            finish(&table, &findings)
            var errors = findings.errors
            check(table, &errors)
            guard errors.isEmpty else { throw ConfigurationErrors(errors) }
            return table
        }
    }
}

extension ConfigurationErrors {
    /// An error of the file as a whole.
    fileprivate static func whole(_ file: String, _ message: String) -> ConfigurationErrors {
        ConfigurationErrors([ConfigurationError(SourcePosition(file: file, line: 0, column: 0), message)])
    }
}
