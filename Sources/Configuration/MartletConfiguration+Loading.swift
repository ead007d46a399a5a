internal import Glibc

extension MartletConfiguration {
    /// The largest file that is read: 4 MiB.
    public static let maxFileSize = 4 << 20

    /// Decodes and checks the text of a configuration file.
    ///
    /// - Parameter file: the name for messages; relative paths in the text are relative to its folder.
    /// - Throws: every mistake in the text, or its first syntax error.
    public static func decode(text: String, file: String) throws(ConfigurationErrors) -> MartletConfiguration {
        try decode(bytes: Array(text.utf8), file: file)
    }

    /// What the parts that will use a configuration find wrong with it, added to the mistakes found so far. With mistakes
    /// the configuration is what could be decoded: a key that is not ``TableSource/isSound(_:)`` has its default.
    public typealias FurtherCheck = (MartletConfiguration, inout [ConfigurationError]) -> Void

    /// Reads, decodes and checks a configuration file.
    ///
    /// - Throws: every mistake in the file; one error without a line when it cannot be read or is larger than
    ///   ``maxFileSize``.
    public static func load(
        path: String, check: FurtherCheck = { _, _ in }
    ) throws(ConfigurationErrors) -> MartletConfiguration {
        try decode(bytes: try read(path: path), file: path, check: check)
    }

    /// As ``decode(text:file:)`` for bytes that may not be UTF-8.
    static func decode(
        bytes: [UInt8], file: String, check: FurtherCheck = { _, _ in }
    ) throws(ConfigurationErrors) -> MartletConfiguration {
        guard bytes.count <= maxFileSize else {
            throw .whole(file, "the file is larger than \(maxFileSize >> 20) MiB")
        }
        var findings = Findings(file: file)
        let parsed = bytes.withUnsafeBufferPointer { bytes in
            Result { () throws(TOMLSyntaxError) in try TOMLValue.parse(bytes) }
        }
        switch parsed {
        case .failure(let error):
            throw ConfigurationErrors([ConfigurationError(findings.position(error.mark), error.message)])
        case .success(let document):
            guard case .table(let entries) = document.content else { return MartletConfiguration() }
            let configuration = schema.decode(entries, at: document.mark, header: "", &findings)
            var errors = findings.errors
            check(configuration, &errors)
            guard errors.isEmpty else { throw ConfigurationErrors(errors) }
            return configuration
        }
    }

    private static func read(path: String) throws(ConfigurationErrors) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .whole(path, "the file cannot be opened: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= maxFileSize {
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

extension ConfigurationErrors {
    /// An error of the file as a whole.
    fileprivate static func whole(_ file: String, _ message: String) -> ConfigurationErrors {
        ConfigurationErrors([ConfigurationError(SourcePosition(file: file, line: 0, column: 0), message)])
    }
}
