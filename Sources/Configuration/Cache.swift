extension MartletConfiguration {
    /// What happens when the cache, or what a route may use of it, is full.
    public enum WhenFull: String, Sendable, CaseIterable {
        /// The oldest messages make room.
        case dropOldest = "drop-oldest"
        /// New messages are dropped.
        case dropNewest = "drop-newest"
        /// New messages are not accepted: their publishers are told, where MQTT can.
        case refuse
        /// Every second of the oldest messages makes room, then every second of what is left, and so on.
        case thin
    }

    /// `[cache]`: what waits on disk for the upstream brokers.
    public struct Cache: Sendable, Equatable {
        /// How much of the disk the cache may use.
        public enum Size: Sendable, Equatable {
            /// The board's share of the disk.
            case auto
            case bytes(Int)
            /// What the configured points and clients write in that time, never more than ``auto``.
            case duration(Duration)

            /// Whether it is the same on every disk.
            public var isFixed: Bool { if case .bytes = self { true } else { false } }
        }

        public enum Compression: String, Sendable, CaseIterable {
            case none, zstd
        }

        public var size = Size.auto
        public var maxAge = Duration.days(30)
        public var whenFull = WhenFull.dropOldest
        public var compression = Compression.zstd
        public var commitInterval = Duration.milliseconds(200)
        public package(set) var source = TableSource()

        public init() {}
    }
}

extension MartletConfiguration.Cache: ConfigurationTable {
    package static let schema = Schema<Self>("What waits on disk until an upstream broker has acknowledged it.") {
        Key(
            "size", \.size, .cacheSize(.mebibytes(1)...(.gibibytes(16_384)), .minutes(1)...(.days(3650))),
            help: "Space on disk of all bridges together: the board's share of it, a size, or the time that it shall last for."
        )
        RefusedKey("max-size", "max-size is called size now: write size = \"1GiB\", a time such as \"30d\", or \"auto\"")
        Key(
            "max-age", \.maxAge, .duration(.minutes(1)...(.days(3650))), help: "Older messages are dropped."
        )
        Key(
            "when-full", \.whenFull, .choice(MartletConfiguration.WhenFull.self),
            help: "Which messages are lost when the space is used up; a [[bridge.forward]] can say otherwise."
        )
        Key(
            "compression", \.compression, .choice(Compression.self),
            help: "How blocks of messages are compressed on disk; one that does not shrink by a tenth is stored as it is."
        )
        Key(
            "commit-interval", \.commitInterval, .duration(.milliseconds(1)...(.seconds(60))),
            help: "The longest time that a polled sample waits for its commit; an acknowledgement never waits."
        )
    }
}
