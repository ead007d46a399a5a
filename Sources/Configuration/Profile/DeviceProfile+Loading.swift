internal import DeviceProfiles

extension DeviceProfile {
    /// The built-in profiles' names, in the order of the alphabet.
    public static var builtInNames: [String] { BuiltInProfile.profiles.map(\.name) }

    /// The text of a built-in profile; nil if there is none of that name.
    public static func builtInText(_ name: String) -> String? {
        BuiltInProfile.profiles.first { $0.name == name }.map { String(decoding: $0.text, as: UTF8.self) }
    }

    /// Decodes and checks the text of a profile.
    ///
    /// - Parameters:
    ///   - file: the name for messages.
    ///   - drivers: what `protocol` may be.
    /// - Throws: every mistake in the text, or its first syntax error.
    public static func decode(
        text: String, file: String, drivers: DriverCatalogue
    ) throws(ConfigurationErrors) -> DeviceProfile {
        try decode(bytes: Array(text.utf8), file: file, drivers: drivers)
    }

    /// Reads a profile: a built-in one by its name, else the file at the path.
    ///
    /// - Throws: every mistake in the file; one error without a line when it cannot be read or is too large.
    public static func load(_ nameOrPath: String, drivers: DriverCatalogue) throws(ConfigurationErrors) -> DeviceProfile {
        if let text = builtInText(nameOrPath) { return try decode(text: text, file: "\(nameOrPath).toml", drivers: drivers) }
        return try decode(bytes: try ConfigurationFile.read(path: nameOrPath), file: nameOrPath, drivers: drivers)
    }

    /// The text of a profile that a file names: of a built-in one, or of a file whose path is relative to the folder of that file.
    static func bytes(_ nameOrPath: String, beside file: String) throws(ConfigurationErrors) -> [UInt8] {
        if let text = builtInText(nameOrPath) { return Array(text.utf8) }
        return try ConfigurationFile.read(path: ConfigurationFile.resolve(path: nameOrPath, beside: file))
    }

    static func decode(
        bytes: [UInt8], file: String, drivers: DriverCatalogue
    ) throws(ConfigurationErrors) -> DeviceProfile {
        try decode(bytes: bytes, file: file, finish: { profile, findings in
            guard let driver = drivers.driver(profile.protocol, profile.source, &findings) else { return }
            profile.decodeDriverKeys(driver, drivers, &findings)
        })
    }
}
