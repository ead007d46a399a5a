extension MartletConfiguration {
    /// The largest file that is read: 4 MiB.
    public static let maxFileSize = ConfigurationFile.maxSize

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
        try decode(bytes: try ConfigurationFile.read(path: path), file: path, check: check)
    }
}
