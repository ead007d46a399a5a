/// What a board is: its storage, its serial ports and its GPIO lines. A TOML file, one of the built-in ones or the user's own.
public struct BoardProfile: Sendable, Equatable {
    /// For people.
    public var name = ""
    public var storage = Storage()
    public var serialPorts: [SerialPort] = []
    public var gpioLines: [GPIOLine] = []
    public package(set) var source = TableSource()

    public init() {}

    /// `[storage]`: where the data directory lies.
    public struct Storage: Sendable, Equatable {
        /// What it is, for people.
        public var medium: String?
        /// Of the file system's whole size, more than 0, at most 1: what the cache and all else on it may take together.
        public var cacheShare = 0.6
        /// Bytes of the medium; nil for the size of the file system.
        public var capacity: Int?
        /// Bytes that may be written in the medium's life; nil if it is given as ``cycles``, or not at all.
        public var endurance: Int?
        /// How often each cell may be written.
        public var cycles: Int?
        /// Bytes written to the cells for each byte that the box writes, at least 1.
        public var writeAmplification = 1.0
        /// The block device's name in /dev.
        public var dataDevice: String?
        public package(set) var source = TableSource()

        public init() {}

        /// Bytes that may be written to the cells in the medium's life; nil if nothing is declared.
        ///
        /// - Parameter size: bytes of the file system, in place of a capacity that is not declared.
        public func endurance(ofFileSystem size: Int64) -> Double? {
            if let endurance { return Double(endurance) }
            return cycles.map { Double($0) * (capacity.map(Double.init) ?? Double(size)) }
        }
    }
}

extension BoardProfile: ConfigurationTable {
    package static let schema = Schema<Self>("The profile of a board.") {
        Key("name", \.name, .label, .required, help: "The board, for people.")
        Subtable("storage", \.storage)
        Subtable("serial-port", \.serialPorts, limit: 64)
        Subtable("gpio-line", \.gpioLines, limit: 1024)
    } check: { board, findings in
        var names: Set<String> = []
        for port in board.serialPorts where !names.insert(port.name).inserted {
            findings.report(port.source["name"], "there is a serial-port \(port.name.quotedForMessage) already")
        }
        names = []
        for line in board.gpioLines where !names.insert(line.name).inserted {
            findings.report(line.source["name"], "there is a gpio-line \(line.name.quotedForMessage) already")
        }
    }
}

extension BoardProfile.Storage: ConfigurationTable {
    package static let schema = Schema<Self>("The medium that the data directory lies on.") {
        Key("medium", \.medium, .label, example: "eMMC", help: "What it is, for people.")
        Key(
            "cache-share", \.cacheShare, .number(0.01...1),
            help: "The part of the file system that may be in use: by all else on it, and what is left of that by the cache."
        )
        Key(
            "capacity", \.capacity, .size(.mebibytes(1)...(.gibibytes(1 << 20))), example: 8_000_000_000,
            help: "Size of the medium. That of the file system when not set."
        )
        Key(
            "endurance", \.endurance, .size(.gibibytes(1)...(.gibibytes(1 << 30))), example: 30_000_000_000_000,
            help: "Bytes that may be written in its life, as the data sheet has it (TBW)."
        )
        Key(
            "cycles", \.cycles, .integer(1...10_000_000), example: 3000,
            help: "How often each cell may be written, in place of endurance: the endurance is then capacity × cycles."
        )
        Key(
            "write-amplification", \.writeAmplification, .number(1...100),
            help: "Bytes written to the cells for each byte that the box writes."
        )
        Key(
            "data-device", \.dataDevice, .name, example: "mmcblk0",
            help: "The block device's name in /dev; an eMMC is asked for its wear."
        )
    } check: { storage, findings in
        if storage.endurance != nil, storage.cycles != nil {
            findings.report(storage.source["cycles"], "endurance and cycles say the same thing: leave out one of them")
        }
    }
}
