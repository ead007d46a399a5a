extension MartletConfiguration {
    /// `[authentication]`: how clients prove who they are. Paths are as written; see ``MartletConfiguration/resolve(path:)``.
    public struct Authentication: Sendable, Equatable {
        public enum DefaultAccess: String, Sendable, CaseIterable {
            /// Allowed on this machine as long as there are no rules, else denied.
            case automatic
            case allow, deny
        }

        public var passwordFile: String?
        public var defaultAccess = DefaultAccess.automatic
        public package(set) var source = TableSource()

        public init() {}

        /// Whether there is anybody who could prove who he is without a certificate or a shared key.
        public var isConfigured: Bool { passwordFile != nil }
    }
}

extension MartletConfiguration.Authentication: ConfigurationTable {
    package static let schema = Schema<Self>("How clients prove who they are.") {
        Key(
            "password-file", \.passwordFile, .path, example: "users",
            help: "User names and hashed passwords or SCRAM verifiers, as martlet passwd and mosquitto_passwd write them. "
                + "Relative to this file's folder."
        )
        Key(
            "default-access", \.defaultAccess, .choice(DefaultAccess.self),
            help: "What holds where no access rule fits: automatic allows clients on this machine everything as long as there "
                + "are no rules at all, and denies the rest."
        )
    }
}
