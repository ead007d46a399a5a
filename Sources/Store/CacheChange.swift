internal import Core

/// The lanes as a commit is going to leave them.
struct CacheChange {
    var lanes: [CacheLane]
    /// Lanes as the file has them, by the same indexes; nil for those that the commit makes.
    let before: [CacheLane]
    var report = CacheReport()
    var bytesAdded: Int64 = 0
    /// Bytes given up so far: a commit does not take for ever, whatever the limits have become.
    var bytesGiven: Int64 = 0
    /// Bytes of blocks that were read to be thinned.
    var bytesThinned: Int64 = 0
    /// Indexes of lanes that lose blocks at their head.
    var shortened: Set<Int> = []
    /// The epoch of the commit's clock; nil when the time is known.
    var presentEpoch: Int64?
    var clock = CacheClock()
    /// Indexes of lanes that are forgotten.
    var removed: Set<Int> = []
    /// The greatest priority that has been given room in this commit: nothing of a greater one makes room for it.
    var neededFor: Int?

    init(lanes: [CacheLane]) {
        self.lanes = lanes
        before = lanes
    }

    var totalBytes: Int64 { lanes.reduce(0) { $0 + $1.bytes } }

    func bytes(ofRoute route: String) -> Int64 { lanes.reduce(0) { $1.route == route ? $0 + $1.bytes : $0 } }

    func index(ofLane name: String) -> Int? {
        lanes.indices.first { lanes[$0].name == name && !removed.contains($0) }
    }

    /// The lane of a route whose first block goes first: the one that was made first.
    func oldestLane(ofRoute route: String) -> Int? { lanesByAge(ofRoute: route).first }

    /// The lanes of a route that have blocks, the one that was made first before the others.
    func lanesByAge(ofRoute route: String) -> [Int] {
        lanes.indices.filter { lanes[$0].route == route && lanes[$0].head != nil }.sorted {
            let (a, b) = (lanes[$0].generation, lanes[$1].generation)
            return a != b ? a < b : isOlder($0, than: $1)
        }
    }

    private func oldestTime(_ lane: Int) -> Int64 {
        lanes[lane].head.map { $0.oldest &+ clock.correction(of: $0.epoch) } ?? .max
    }

    /// Whether a lane's first block is older than another's; of the same age it is the one of the greater lane.
    func isOlder(_ lane: Int, than other: Int) -> Bool {
        let (oldest, otherOldest) = (oldestTime(lane), oldestTime(other))
        return oldest != otherOldest ? oldest < otherOldest : lanes[lane].bytes > lanes[other].bytes
    }
}
