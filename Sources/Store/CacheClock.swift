internal import Core

// Whose clock the times of a block are.
//
// While the time is not known (Core's ClockWatch), the wall clock still runs as evenly as the monotonic one: what it says is
// wrong by the same amount as long as it is not set. Such a stretch is an epoch, known by the boot and by the distance between
// the two clocks. When the time becomes known, the distance changes, and by how much is what the times of the epoch are wrong
// by. It is kept once for the epoch, not written into its blocks; reading adds it. A block without an epoch was stored while
// the time was known. What was never corrected before the box lost power stays as it is and is marked.
//
// No step of the clock makes a block old. The age of a block of this boot's epoch is taken on the monotonic clock. Of blocks
// that were stored while the time was known, a step forward is left out as long as any of them is there (`allowance`). And a
// clock that is more than a year ahead of the latest time seen has a day in which it may be put right before it is believed.

/// A stretch of time whose wall clock was not right.
struct CacheEpoch {
    let number: Int64
    let boot: String
    /// Wall clock less monotonic clock, in ms.
    let offset: Int64
    /// What its times are wrong by, in ms; nil as long as nobody knows.
    var correction: Int64?

    /// How far two distances of the clocks may be apart that are the same: the wall clock is being adjusted.
    static let tolerance: Int64 = 2000
    static let maximumCount = 1024
}

/// What the cache knows of the clock.
struct CacheClock {
    var epochs: [Int64: CacheEpoch] = [:]
    /// The latest time (ms) that was seen while the time was known, nearly.
    var latest: Int64 = .min
    /// By how much (ms) the known time has stepped forward while blocks from before are there, and when (ms).
    var allowance: Int64 = 0
    var steppedAt: Int64 = .min
    /// Wall clock less monotonic clock (ms) at the last commit with a known time.
    var offset: Int64?
    /// Since when the wall clock has been a year ahead of ``latest``.
    var aheadSince: MonotonicTime?
    /// What is on disk of ``latest``.
    var latestStored: Int64 = .min

    static let aheadLimit: Int64 = 365 * 86_400_000
    static let aheadPatience: Duration = .seconds(86_400)
    /// ``latest`` is written this often (ms).
    static let writeInterval: Int64 = 3_600_000

    static func offset(of now: Moment) -> Int64 { now.wall.milliseconds &- monotonic(now) }
    static func monotonic(_ now: Moment) -> Int64 { now.monotonic.nanoseconds / 1_000_000 }

    /// Takes in the time of a commit. Returns whether ``allowance`` has changed, which has to be stored.
    ///
    /// - Parameter oldest: the earliest time (ms) of a waiting block that was stored while the time was known; nil for none.
    mutating func note(_ now: Moment, oldest: Int64?) -> Bool {
        guard now.isTimeKnown else { return false }
        let (old, wall) = ((allowance, steppedAt), now.wall.milliseconds)
        let present = CacheClock.offset(of: now)
        if let offset, present &- offset > CacheEpoch.tolerance {
            let (sum, overflow) = allowance.addingReportingOverflow(present &- offset)
            allowance = overflow ? .max : sum
            steppedAt = wall
        } else if allowance > 0, oldest ?? .max >= steppedAt {
            (allowance, steppedAt) = (0, .min)
        }
        offset = present
        if latest != .min, wall &- latest > CacheClock.aheadLimit {
            if aheadSince == nil { aheadSince = now.monotonic }
        } else {
            aheadSince = nil
        }
        if isBelieved(now) {
            latest = max(latest, wall)
            aheadSince = nil
        }
        return (allowance, steppedAt) != old
    }

    private func isBelieved(_ now: Moment) -> Bool {
        aheadSince.map { now.monotonic - $0 >= CacheClock.aheadPatience } ?? true
    }

    /// The age of a block in ms; nil when nobody can tell.
    func age(of head: CacheBlockHead, boot: String, at now: Moment) -> Int64? {
        guard let number = head.epoch else {
            guard now.isTimeKnown, isBelieved(now), head.newest >= CacheLimits.earliestPlausibleTime else { return nil }
            let age = now.wall.milliseconds &- head.newest
            return age > allowance ? age - allowance : 0
        }
        guard let epoch = epochs[number] else { return nil }
        if epoch.boot == boot { return CacheClock.monotonic(now) &- (head.newest &- epoch.offset) }
        guard let correction = epoch.correction, now.isTimeKnown, isBelieved(now) else { return nil }
        let age = now.wall.milliseconds &- (head.newest &+ correction)
        return age > allowance ? age - allowance : 0
    }

    func correction(of epoch: Int64?) -> Int64 { epoch.flatMap { epochs[$0]?.correction } ?? 0 }

    /// Whether the times of a block are wrong by nobody knows how much.
    func isUncertain(_ epoch: Int64?) -> Bool { epoch.map { epochs[$0]?.correction == nil } ?? false }

    /// The present epoch of a boot; nil when none fits the clocks.
    func epoch(ofBoot boot: String, at now: Moment) -> CacheEpoch? {
        let offset = CacheClock.offset(of: now)
        return epochs.values.first {
            $0.boot == boot && $0.correction == nil && ($0.offset &- offset).magnitude <= UInt64(CacheEpoch.tolerance)
        }
    }

    /// The epoch of this boot whose clock has given a time that the present clock cannot have given in the last hour; nil
    /// when there is none.
    func earlierEpoch(ofBoot boot: String, for time: Timestamp, at now: Moment) -> CacheEpoch? {
        let present = CacheClock.monotonic(now)
        func isRecent(_ offset: Int64) -> Bool {
            let behind = present &- (time.milliseconds &- offset)
            return (-CacheEpoch.tolerance...3_600_000).contains(behind)
        }
        guard !isRecent(CacheClock.offset(of: now)) else { return nil }
        return epochs.values.filter { $0.boot == boot && isRecent($0.offset) }.max { $0.number < $1.number }
    }
}

extension BreakpointCache {
    static let clockMigration = Migration(
        name: "clock",
        sql: """
            CREATE TABLE epoch (
                number INTEGER PRIMARY KEY,
                boot TEXT NOT NULL,
                distance INTEGER NOT NULL, -- wall clock less monotonic clock, ms
                correction INTEGER         -- ms; NULL: not known
            );
            CREATE TABLE clock (
                number INTEGER PRIMARY KEY CHECK (number = 1),
                latest INTEGER NOT NULL,
                allowance INTEGER NOT NULL,
                stepped_at INTEGER NOT NULL
            );
            """)

    func loadClock() throws(StoreError) {
        let select = try database.statement("SELECT number, boot, distance, correction FROM epoch")
        while try select.step() {
            let number = select.integer(0)
            clock.epochs[number] = CacheEpoch(
                number: number, boot: select.text(1), offset: select.integer(2), correction: select.optionalInteger(3))
        }
        let state = try database.statement("SELECT latest, allowance, stepped_at FROM clock")
        guard try state.step() else { return }
        defer { state.reset() }
        clock.latest = state.integer(0)
        clock.latestStored = clock.latest
        clock.allowance = max(0, state.integer(1))
        clock.steppedAt = state.integer(2)
    }

    /// Takes in a commit's time. Returns whether something has changed that has to be stored.
    func noteTime(_ now: Moment) -> Bool {
        clock.note(now, oldest: lanes.compactMap { $0.head.flatMap { $0.epoch == nil ? $0.oldest : nil } }.min())
    }

    /// Stores what is known of the clock, within a commit's transaction.
    ///
    /// - Parameters:
    ///   - hasChanged: what ``noteTime(_:)`` has returned.
    ///   - isAdding: whether the commit adds messages; one that makes room writes no more than it must.
    /// - Returns: the number of the epoch that the commit's clock belongs to; nil when the time is known, or nothing is added.
    func updateClock(_ now: Moment, hasChanged: Bool, isAdding: Bool) throws(StoreError) -> Int64? {
        let isDue = clock.latestStored == .min ? clock.latest != .min : clock.latest - clock.latestStored >= CacheClock.writeInterval
        if hasChanged || isAdding && isDue {
            let put = try database.statement("INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?)")
            try put.bind(1, clock.latest)
            try put.bind(2, clock.allowance)
            try put.bind(3, clock.steppedAt)
            try put.run()
            clock.latestStored = clock.latest
        }
        guard now.isTimeKnown else { return isAdding ? try presentEpoch(now) : nil }
        try correctEpochs(now)
        return nil
    }

    private func presentEpoch(_ now: Moment) throws(StoreError) -> Int64 {
        if let epoch = clock.epoch(ofBoot: boot, at: now) { return epoch.number }
        let number = (clock.epochs.keys.max() ?? 0) + 1
        let epoch = CacheEpoch(number: number, boot: boot, offset: CacheClock.offset(of: now), correction: nil)
        let insert = try database.statement("INSERT INTO epoch VALUES (?, ?, ?, NULL)")
        try insert.bind(1, number)
        try insert.bind(2, boot)
        try insert.bind(3, epoch.offset)
        try insert.run()
        clock.epochs[number] = epoch
        if clock.epochs.count > CacheEpoch.maximumCount, let first = clock.epochs.keys.min() {
            let delete = try database.statement("DELETE FROM epoch WHERE number = ?")
            try delete.bind(1, first)
            try delete.run()
            clock.epochs[first] = nil
        }
        return number
    }

    /// The time is known: so is what this boot's epochs were wrong by.
    private func correctEpochs(_ now: Moment) throws(StoreError) {
        for epoch in clock.epochs.values where epoch.boot == boot && epoch.correction == nil {
            let correction = CacheClock.offset(of: now) &- epoch.offset
            let update = try database.statement("UPDATE epoch SET correction = ? WHERE number = ?")
            try update.bind(1, correction)
            try update.bind(2, epoch.number)
            try update.run()
            clock.epochs[epoch.number]?.correction = correction
            readers.removeAll()
        }
    }

    /// Stores what the epochs of this boot were wrong by, now that the time is known.
    func timeBecameKnown(at now: Moment) throws(StoreError) {
        guard now.isTimeKnown, clock.epochs.values.contains(where: { $0.boot == boot && $0.correction == nil }) else { return }
        let hasChanged = noteTime(now)
        try database.transaction { () throws(StoreError) in _ = try updateClock(now, hasChanged: hasChanged, isAdding: true) }
    }
}
