extension MartletConfiguration {
    /// `[cache]`: what waits on disk for the upstream brokers.
    public struct Cache: Sendable, Equatable {
        public enum WhenFull: String, Sendable, CaseIterable {
            case dropOldest = "drop-oldest"
            case refuseNewest = "refuse-newest"
        }

        /// In bytes.
        public var maxSize = Int.gibibytes(1)
        public var maxAge = Duration.days(30)
        public var whenFull = WhenFull.dropOldest
        public var commitInterval = Duration.milliseconds(200)
        public internal(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Cache: ConfigurationTable {
    static let schema = Schema<Self>("What waits on disk until an upstream broker has acknowledged it.") {
        Key(
            "max-size", \.maxSize, .size(.mebibytes(1)...(.gibibytes(16_384))),
            help: "Space on disk of all bridges together."
        )
        Key(
            "max-age", \.maxAge, .duration(.minutes(1)...(.days(3650))), help: "Older messages are dropped."
        )
        Key("when-full", \.whenFull, .choice(WhenFull.self), help: "Which messages are lost when the space is used up.")
        Key(
            "commit-interval", \.commitInterval, .duration(.milliseconds(1)...(.seconds(60))),
            help: "The longest time that a polled sample waits for its commit; an acknowledgement never waits."
        )
    }
}
