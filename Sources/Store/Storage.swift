public import Core

/// What of the appliance outlives a power cut: the sessions file and the cache file of one data directory.
///
/// The actor has a thread of its own, so the disk blocks nobody else. All calls that may take long are batches.
public actor Storage {
    private let executor: ThreadExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// nil after ``close()``.
    private(set) var directory: StorageDirectory?
    /// As of the start, or the last ``setLimits(_:)``.
    public private(set) var limits: CacheLimits
    private let vfs: String?
    /// This boot of the machine.
    private let boot: String
    /// nil from a failed commit to the next call, which opens the file anew and so knows what is really on disk.
    private var sessions: SessionStore?
    private var cache: BreakpointCache?
    /// A commit failed, and some of it may be on disk all the same.
    private var mayRepeat = false
    /// The last commit failed because the disk is full.
    private var wasFull = false
    /// What cache commits did whose sessions commit then failed: it goes into the next report.
    private var unreported = CacheReport()

    /// Files that were found damaged while opening, and were set aside.
    public nonisolated let alarms: [StorageAlarm]

    /// The latest time that the cache had seen, within an hour, when it was opened; nil for a new one. For ``Core/ClockWatch``.
    public nonisolated let latestTime: Timestamp?

    static let sessionsFile = "sessions.db"
    static let cacheFile = "cache.db"
    /// A sessions file up to this size is checked as a whole whenever it is opened.
    static let alwaysChecked: Int64 = 64 << 20

    /// Opens both files of a data directory, or makes them. Blocks the calling thread meanwhile.
    ///
    /// A damaged file does not stop this: it is renamed, and an empty one takes its place (``alarms``).
    ///
    /// - Parameters:
    ///   - directory: its path; made with permissions 0700 if it is not there, but not its parents.
    ///   - now: gives names to damaged files.
    /// - Throws: ``StoreError/busy(message:)`` when another process uses the directory, and what else keeps the files from being opened.
    public init(directory path: String, limits: CacheLimits = CacheLimits(), now: Timestamp) throws(StoreError) {
        try self.init(directory: path, limits: limits, now: now, vfs: nil)
    }

    init(
        directory path: String, limits: CacheLimits, now: Timestamp, vfs: String?, boot: String = StorageDirectory.boot
    ) throws(StoreError) {
        let directory = try StorageDirectory(path: path)
        var alarms: [StorageAlarm] = []
        sessions = try Storage.openFile(Storage.sessionsFile, directory, now, &alarms) { path, check throws(StoreError) in
            try SessionStore(path: path, vfs: vfs, checkIntegrity: check)
        }
        let cache = try Storage.openCacheFile(directory, limits, boot, vfs, now, &alarms)
        latestTime = cache.clock.latest == .min ? nil : Timestamp(milliseconds: cache.clock.latest)
        self.cache = cache
        directory.makeReserve()
        try directory.sync()
        self.directory = directory
        self.limits = limits
        self.vfs = vfs
        self.boot = boot
        self.alarms = alarms
        executor = ThreadExecutor(name: "store")
    }

    /// Sessions, queues and retained messages, for the broker's start.
    ///
    /// - Parameter now: both clocks, for the expiry of messages.
    public func load(at now: Moment) throws(StoreError) -> SessionSnapshot {
        let sessions = try openSessions()
        return try use(Storage.sessionsFile) { () throws(StoreError) in try sessions.load(at: now) }
    }

    /// Stores a batch; when this returns, all of it is on disk and survives a power cut.
    ///
    /// The cache is written first, then the sessions. When it throws, none of the batch counts as stored, though some of
    /// it may be: give the same batch again, alone or with later operations behind it, and what is there already is
    /// recognised.
    public func commit(_ batch: CommitBatch, now: Moment) throws(StoreError) -> CommitReport {
        var cache = try openCache()
        var sessions = try openSessions()
        try openDirectory().checkPresence(of: [Storage.sessionsFile, Storage.cacheFile])
        let start = SystemClock.monotonic()
        do throws(StoreError) {
            if mayRepeat, !batch.acknowledgements.isEmpty || !batch.removals.isEmpty {
                // By themselves: they free what a full disk needs for the rest.
                try acknowledgeFirst(batch, now: now)
                cache = try openCache()
            }
            if wasFull {
                try deleteFirst(batch.operations)
                sessions = try openSessions()
            }
            let report = try use(Storage.cacheFile) { () throws(StoreError) in
                try cache.commit(
                    batch.appends, acknowledgements: batch.acknowledgements, removals: batch.removals, now: now)
            }
            unreported.add(report)
            let middle = SystemClock.monotonic()
            try use(Storage.sessionsFile) { () throws(StoreError) in
                try sessions.commit(batch.operations, mayRepeat: mayRepeat)
            }
            mayRepeat = false
            wasFull = false
            defer { unreported = CacheReport() }
            return CommitReport(
                cache: unreported, lanes: cache.laneStatuses, cacheDuration: middle - start,
                sessionsDuration: SystemClock.monotonic() - middle)
        } catch {
            mayRepeat = true
            wasFull = error.isFull
            throw error
        }
    }

    /// Applies what deletes from the sessions file alone, if need be in the space that is kept in reserve: it frees what a
    /// full disk needs for the rest. What is deleted is over, whatever becomes of the rest of the batch.
    private func deleteFirst(_ operations: [SessionOperation]) throws(StoreError) {
        let deletes = SessionOperation.coalesced(operations, keepingDeletes: true).filter(\.isDelete)
        guard !deletes.isEmpty else { return }
        do throws(StoreError) {
            try delete(deletes)
        } catch {
            guard error.isFull else { throw error }
            directory?.releaseReserve()
            try delete(deletes)
        }
        // The log goes with the connection, and gives its space back too.
        sessions?.close()
        sessions = nil
        directory?.makeReserve()
    }

    private func delete(_ operations: [SessionOperation]) throws(StoreError) {
        let sessions = try openSessions()
        try use(Storage.sessionsFile) { () throws(StoreError) in try sessions.commit(operations, mayRepeat: true) }
    }

    /// Applies acknowledgements and removals alone, if need be in the space that is kept in reserve for them.
    private func acknowledgeFirst(_ batch: CommitBatch, now: Moment) throws(StoreError) {
        do throws(StoreError) {
            try acknowledge(batch, now: now)
        } catch {
            guard error.isFull else { throw error }
            directory?.releaseReserve()
            try acknowledge(batch, now: now)
        }
        directory?.makeReserve()
    }

    private func acknowledge(_ batch: CommitBatch, now: Moment) throws(StoreError) {
        let cache = try openCache()
        let report = try use(Storage.cacheFile) { () throws(StoreError) in
            try cache.commit([], acknowledgements: batch.acknowledgements, removals: batch.removals, now: now)
        }
        unreported.add(report)
    }

    /// Changes how much the cache may hold, and nothing else of its limits.
    public func setMaximumBytes(_ bytes: Int64) {
        limits.maximumBytes = bytes
        cache?.limits.maximumBytes = bytes
    }

    /// Changes the limits and the routes' policies. The commits that follow drop what is too much for them, little by
    /// little.
    public func setLimits(_ limits: CacheLimits) {
        self.limits = limits
        cache?.limits = limits
    }

    /// Reads messages of a bridge's lane in order, from `sequence` or the first one that is not acknowledged, whichever
    /// is later; an unknown lane is empty.
    ///
    /// - Parameters:
    ///   - maximumBytes: of topics, properties and payloads; one message is read even if it is greater.
    ///   - now: both clocks, for the expiry of messages.
    public func read(
        lane: String, from sequence: Int64, maximumCount: Int, maximumBytes: Int, now: Moment
    ) throws(StoreError) -> CacheReading {
        let cache = try openCache()
        return try use(Storage.cacheFile) { () throws(StoreError) in
            try cache.read(
                lane: lane, from: sequence, maximumCount: maximumCount, maximumBytes: maximumBytes, now: now)
        }
    }

    /// Stores what the times of messages were wrong by that were stored before the time was known. From then on they are
    /// read corrected (``CachedMessage/timeCorrection``); what was read before should be read again. A commit with a known
    /// time does the same.
    public func timeBecameKnown(at now: Moment) throws(StoreError) {
        let cache = try openCache()
        try use(Storage.cacheFile) { () throws(StoreError) in try cache.timeBecameKnown(at: now) }
    }

    /// The state of one lane; nil when it has never had a message.
    public func laneStatus(_ lane: String) throws(StoreError) -> LaneStatus? {
        let cache = try openCache()
        return cache.laneIndex[lane].map { cache.laneStatuses[$0] }
    }

    /// The state of both files.
    public func status() throws(StoreError) -> StorageStatus {
        let cache = try openCache()
        let sessions = try openSessions()
        return StorageStatus(
            cache: try cache.status(), sessionsFileBytes: try sessions.database.fileBytes(),
            sessionsFreeBytes: try sessions.database.freeBytes())
    }

    /// Checks the files that a call found damaged (``StoreError/damaged(file:message:)``), sets those aside that are, and
    /// goes on with new ones, which have what could be read of the cache.
    public func replaceDamagedFiles(now: Timestamp) throws(StoreError) -> [StorageAlarm] {
        let directory = try openDirectory()
        var alarms: [StorageAlarm] = []
        if directory.isSuspect(Storage.sessionsFile) {
            sessions?.close()
            sessions = nil
            _ = try openSessions(now, &alarms)
        }
        if directory.isSuspect(Storage.cacheFile) {
            cache?.close()
            cache = nil
            _ = try openCache(now, &alarms)
        }
        return alarms
    }

    /// Closes both files and gives the directory free. Calls afterwards throw.
    public func close() {
        sessions?.close()
        cache?.close()
        sessions = nil
        cache = nil
        directory = nil
    }
}

// MARK: - Opening

extension Storage {
    /// Runs something on a file. When it fails, the connection is given up: opening the file anew is the one way to know
    /// what is on disk.
    private func use<R>(_ file: String, _ body: () throws(StoreError) -> R) throws(StoreError) -> R {
        do throws(StoreError) {
            return try body()
        } catch {
            if error.isDamage { directory?.markSuspect(file) }
            if file == Storage.sessionsFile {
                sessions?.close()
                sessions = nil
            } else {
                cache?.close()
                cache = nil
            }
            throw error
        }
    }

    /// Runs something on the cache.
    func withCache<R>(_ body: (BreakpointCache) throws(StoreError) -> R) throws(StoreError) -> R {
        let cache = try openCache()
        return try use(Storage.cacheFile) { () throws(StoreError) in try body(cache) }
    }

    private func openDirectory() throws(StoreError) -> StorageDirectory {
        guard let directory else { throw .failed(code: .misuse, message: "the storage is closed", sql: "") }
        return directory
    }

    private func openSessions() throws(StoreError) -> SessionStore {
        if let sessions { return sessions }
        let directory = try openDirectory()
        try directory.prepareFile(Storage.sessionsFile)
        let opened = try SessionStore(path: directory.file(Storage.sessionsFile), vfs: vfs)
        sessions = opened
        return opened
    }

    private func openCache() throws(StoreError) -> BreakpointCache {
        if let cache { return cache }
        let directory = try openDirectory()
        try directory.prepareFile(Storage.cacheFile)
        let opened = try BreakpointCache(
            path: directory.file(Storage.cacheFile), limits: limits, boot: boot, vfs: vfs)
        cache = opened
        return opened
    }

    private func openSessions(_ now: Timestamp, _ alarms: inout [StorageAlarm]) throws(StoreError) -> SessionStore {
        let vfs = vfs
        let directory = try openDirectory()
        let opened = try Storage.openFile(
            Storage.sessionsFile, directory, now, &alarms
        ) { path, check throws(StoreError) in try SessionStore(path: path, vfs: vfs, checkIntegrity: check) }
        sessions = opened
        return opened
    }

    private func openCache(_ now: Timestamp, _ alarms: inout [StorageAlarm]) throws(StoreError) -> BreakpointCache {
        let opened = try Storage.openCacheFile(try openDirectory(), limits, boot, vfs, now, &alarms)
        cache = opened
        return opened
    }

    /// Opens the cache; of one that is damaged, what can be read comes into the new one.
    private static func openCacheFile(
        _ directory: StorageDirectory, _ limits: CacheLimits, _ boot: String, _ vfs: String?, _ now: Timestamp,
        _ alarms: inout [StorageAlarm]
    ) throws(StoreError) -> BreakpointCache {
        let known = alarms.count
        let opened = try openFile(cacheFile, directory, now, &alarms) { path, check throws(StoreError) in
            try BreakpointCache(path: path, limits: limits, boot: boot, vfs: vfs, checkIntegrity: check)
        }
        // An empty file has nothing, and would be written to.
        guard alarms.count > known, let aside = alarms.last?.setAsideAs, StorageDirectory.hasContent(aside),
            var salvage = try? CacheSalvage(of: aside, into: opened, vfs: vfs, clock: SystemClock.monotonic)
        else { return opened }
        // An error is the new file's: what it took before is there when it is opened again.
        do throws(StoreError) { try salvage.run() } catch {}
        opened.close()
        alarms[alarms.count - 1].salvagedMessages = salvage.messages > 0 ? salvage.messages : nil
        return try BreakpointCache(path: directory.file(cacheFile), limits: limits, boot: boot, vfs: vfs)
    }

    /// Opens a file; one that is damaged is renamed first.
    private static func openFile<File>(
        _ name: String, _ directory: StorageDirectory, _ now: Timestamp, _ alarms: inout [StorageAlarm],
        _ open: (_ path: String, _ checkIntegrity: Bool) throws(StoreError) -> File
    ) throws(StoreError) -> File {
        let path = directory.file(name)
        if directory.hasLost(name) {
            let aside = try directory.setAside(name, at: now.milliseconds)
            alarms.append(StorageAlarm(file: path, message: "it is empty", setAsideAs: aside))
        }
        try directory.prepareFile(name)
        // The cache may be many gigabytes: it is checked only after a call has found something wrong in it.
        let check = directory.isSuspect(name) || name == sessionsFile && directory.size(name) <= alwaysChecked
        do throws(StoreError) {
            let file = try open(path, check)
            directory.clearSuspect(name)
            return file
        } catch {
            guard case .damaged(_, let message) = error else { throw error }
            let aside = try directory.setAside(name, at: now.milliseconds)
            alarms.append(StorageAlarm(file: path, message: message, setAsideAs: aside))
            try directory.prepareFile(name)
            let file = try open(path, false)
            directory.clearSuspect(name)
            return file
        }
    }
}
