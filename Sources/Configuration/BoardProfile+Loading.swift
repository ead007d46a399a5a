internal import BoardProfiles

extension BoardProfile {
    /// The built-in profiles' names, in the order of the alphabet.
    public static var builtInNames: [String] { BuiltInBoard.profiles.map(\.name) }

    /// The text of a built-in profile; nil if there is none of that name.
    public static func builtInText(_ name: String) -> String? {
        BuiltInBoard.profiles.first { $0.name == name }.map { String(decoding: $0.text, as: UTF8.self) }
    }

    /// Decodes and checks the text of a profile.
    ///
    /// - Parameter file: the name for messages.
    /// - Throws: every mistake in the text, or its first syntax error.
    public static func decode(text: String, file: String) throws(ConfigurationErrors) -> BoardProfile {
        try decode(bytes: Array(text.utf8), file: file)
    }
}

extension MartletConfiguration {
    /// The profile that `board` in `[appliance]` names.
    ///
    /// - Parameter errors: takes what is wrong with the name or with the profile's file, whose lines it then has.
    /// - Returns: the profile, or one at its defaults after a mistake.
    public func boardProfile(_ errors: inout [ConfigurationError]) -> BoardProfile {
        guard appliance.source.isSound("board") else { return BoardProfile() }
        let board = appliance.board
        do throws(ConfigurationErrors) {
            if let text = BoardProfile.builtInText(board) { return try BoardProfile.decode(text: text, file: "\(board).toml") }
            if board.contains("/") || board.hasSuffix(".toml") {
                let path = resolve(path: board)
                return try BoardProfile.decode(bytes: try ConfigurationFile.read(path: path), file: path)
            }
            let names = BoardProfile.builtInNames
            let hint = nearest(to: board, among: names).map { "did you mean \"\($0)\"?" } ?? "there are \(names.joined(separator: ", "))"
            errors.append(
                ConfigurationError(
                    appliance.source["board"],
                    "there is no board \(board.quotedForMessage); \(hint) The path of a file has a \"/\" or ends with \".toml\""))
        } catch {
            errors += error.errors
        }
        return BoardProfile()
    }
}
