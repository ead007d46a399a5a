import Core

// What a cache of some size comes to, from a rate and a few sizes. One place for the command that plans and for the figures
// of a box that runs.
//
//     bytes a day      B = 86,400 × r × b              r records a second, b bytes of a record in the cache's blocks
//     time held        D = S ÷ (r × b), at most the maximum age; of routes with limits of their own, CacheFilling
//     medium's life    Y = E ÷ (365 × W × a)           W bytes written a day, a write amplification, E endurance

/// The figures of a cache.
public struct CachePlan: Sendable, Equatable {
    /// What is planned for.
    public struct Load: Sendable, Equatable {
        /// Records that come into the cache each second, over all routes.
        public var recordsPerSecond = 0.0
        /// Of a record in the cache's blocks: what the size of the cache limits.
        public var cachedBytesPerRecord = 0.0
        /// That the box writes to the disk for a record, from its commit to the end of its acknowledgement.
        public var writtenBytesPerRecord = 0.0
        /// Of a record's PUBLISH packet upstream; TCP, TLS and the links below are not in it.
        public var sentBytesPerRecord = 0.0

        public init() {}

        /// Bytes that come into the blocks each second.
        public var cachedBytesPerSecond: Double { recordsPerSecond * cachedBytesPerRecord }
    }

    public var load: Load
    /// Bytes that the cache may hold.
    public var cacheBytes: Int64
    public var maximumAge: Duration?
    /// Bits a second that the uplink takes; nil if that is not known.
    public var uplinkBitsPerSecond: Double?
    /// Bytes that may be written to the medium's cells in its life; nil if nothing is declared.
    public var endurance: Double?
    public var writeAmplification: Double

    public init(
        load: Load, cacheBytes: Int64, maximumAge: Duration? = nil, uplinkBitsPerSecond: Double? = nil, endurance: Double? = nil,
        writeAmplification: Double = 1
    ) {
        self.load = load
        self.cacheBytes = cacheBytes
        self.maximumAge = maximumAge
        self.uplinkBitsPerSecond = uplinkBitsPerSecond
        self.endurance = endurance
        self.writeAmplification = writeAmplification
    }

    /// How long what has waited takes to go upstream, beside what goes on coming.
    public enum Drain: Sendable, Equatable {
        /// The uplink's rate is not known.
        case unknown
        case seconds(Double)
        /// The uplink takes no more than what comes; bits a second that it would need at least.
        case never(needed: Double)
    }

    /// Bytes that come into the cache's blocks each day.
    public var bytesPerDay: Double { load.cachedBytesPerSecond * 86_400 }

    /// Seconds that the cache holds while nothing leaves it; infinite if nothing comes.
    public var secondsHeld: Double {
        let bySize = load.cachedBytesPerSecond > 0 ? Double(cacheBytes) / load.cachedBytesPerSecond : .infinity
        guard let maximumAge else { return bySize }
        return min(bySize, Double(maximumAge.wholeMilliseconds) / 1000)
    }

    /// Bytes that the box writes to the disk each day.
    public var writtenPerDay: Double { load.recordsPerSecond * load.writtenBytesPerRecord * 86_400 }

    /// Years that the declared endurance lasts if the box writes as much every day; nil if none is declared.
    public var yearsOfEndurance: Double? {
        guard let endurance else { return nil }
        let perDay = writtenPerDay * writeAmplification
        return perDay > 0 ? endurance / perDay / 365 : .infinity
    }
}
