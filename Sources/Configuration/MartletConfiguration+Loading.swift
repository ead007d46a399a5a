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

    /// The data directory that a configuration file names, or the default one, whatever mistakes there are elsewhere in the file.
    ///
    /// - Returns: a path that is absolute or relative to the working directory.
    /// - Throws: the file cannot be read or is no TOML, or the value is no path.
    public static func dataDirectory(path: String) throws(ConfigurationErrors) -> String {
        let configuration: MartletConfiguration = try decode(bytes: try ConfigurationFile.read(path: path), file: path, prepare: { entries, _ in
            entries.removeAll { $0.key != "appliance" }
            for index in entries.indices {
                guard case .table(let keys) = entries[index].value.content else { continue }
                entries[index].value.content = .table(keys.filter { $0.key == "data-directory" })
            }
        })
        return configuration.dataDirectory
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
