extension MartletConfiguration {
    /// The largest file that is read: 4 MiB.
    public static let maxFileSize = ConfigurationFile.maxSize

    /// Decodes and checks the text of a configuration file.
    ///
    /// - Parameters:
    ///   - file: the name for messages; relative paths in the text are relative to its folder.
    ///   - drivers: what `protocol` of a bus may be.
    /// - Throws: every mistake in the text, or its first syntax error.
    public static func decode(
        text: String, file: String, drivers: DriverCatalogue
    ) throws(ConfigurationErrors) -> MartletConfiguration {
        try decode(bytes: Array(text.utf8), file: file, drivers: drivers)
    }

    /// What the parts that will use a configuration find wrong with it, added to the mistakes found so far. With mistakes
    /// the configuration is what could be decoded: a key that is not ``TableSource/isSound(_:)`` has its default.
    public typealias FurtherCheck = (MartletConfiguration, inout [ConfigurationError]) -> Void

    /// Reads, decodes and checks a configuration file.
    ///
    /// - Throws: every mistake in the file; one error without a line when it cannot be read or is larger than
    ///   ``maxFileSize``.
    public static func load(
        path: String, drivers: DriverCatalogue, check: FurtherCheck = { _, _ in }
    ) throws(ConfigurationErrors) -> MartletConfiguration {
        try decode(bytes: try ConfigurationFile.read(path: path), file: path, drivers: drivers, check: check)
    }

    static func decode(
        bytes: [UInt8], file: String, drivers: DriverCatalogue, check: FurtherCheck = { _, _ in }
    ) throws(ConfigurationErrors) -> MartletConfiguration {
        try decode(bytes: bytes, file: file, prepare: { ProfiledPoints.complete(&$0, file: file, &$1) }, finish: { configuration, findings in
            configuration.addProfiles(drivers, &findings)
            configuration.decodeDriverKeys(drivers, &findings)
            configuration.checkAcrossTables(&findings)
            configuration.checkUse(drivers, &findings)
            configuration.warnings.append(findings.warnings)
        }, check: check)
    }
}
