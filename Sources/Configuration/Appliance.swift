extension MartletConfiguration {
    /// `[appliance]`
    public struct Appliance: Sendable, Equatable {
        public enum LogLevel: String, Sendable, CaseIterable {
            case trace, debug, info, notice, warning, error, critical
        }

        public var name = "martlet"
        /// As written; see ``MartletConfiguration/resolve(path:)``.
        public var dataDirectory = "/var/lib/martlet"
        /// The name of a built-in profile or the path of a file, as written; see ``MartletConfiguration/boardProfile(_:)``.
        public var board = "generic"
        public var logLevel = LogLevel.notice
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Appliance: ConfigurationTable {
    package static let schema = Schema<Self>("The box as a whole.") {
        Key("name", \.name, .name, help: "The box's name in logs and in the live summary.")
        Key(
            "data-directory", \.dataDirectory, .path,
            help: "Folder of the databases: sessions, retained messages, cache. Relative to this file's folder."
        )
        Key(
            "board", \.board, .nameOrPath,
            help: "What the box is: a built-in profile, or the path of a profile's TOML file. martlet config boards lists them."
        )
        Key("log-level", \.logLevel, .choice(LogLevel.self), help: "The least important messages that are logged.")
    }
}
