public import Bridge
import Core
public import Store

/// Shows, exports and purges what waits in the cache: of a box that runs, or of its files alone.
public struct CacheInspector: Sendable {
    private let storage: Storage

    public init(_ storage: Storage) { self.storage = storage }

    /// Opens the files of a box that does not run. Nothing is dropped by it, whatever limits the configuration has.
    ///
    /// - Throws: ``Store/StoreError/busy(message:)`` if a box runs on them.
    public init(directory: String) throws(StoreError) {
        storage = try Storage(
            directory: directory, limits: CacheLimits(maximumBytes: 1 << 60, maximumAge: nil), now: SystemClock.wall())
    }

    public func close() async { await storage.close() }

    // MARK: Show

    /// What there is, route by route.
    ///
    /// - Parameter figures: of a box that runs.
    func overview(_ figures: CacheFigures?) async throws(StoreError) -> CacheOverview {
        CacheOverview(try await storage.status().cache, figures: figures, now: SystemClock.wall())
    }

    /// What there is, as a text for people or as a JSON object.
    public func show(asJSON: Bool) async throws(StoreError) -> [UInt8] {
        let overview = try await overview(nil)
        return asJSON ? overview.json : Array(overview.text.utf8)
    }

    // MARK: Export

    public enum Format: String, Sendable {
        /// A JSON object a line.
        case json
        /// Comma-separated values (RFC 4180), with a line of names.
        case csv
    }

    /// Where an export goes on.
    public struct Cursor: Sendable, Equatable {
        public var lane: String
        public var sequence: Int64

        public init(lane: String, sequence: Int64) {
            self.lane = lane
            self.sequence = sequence
        }
    }

    /// Messages of one page, at most: the memory that an export takes.
    private static let pageCount = 5000
    private static let pageBytes = 256 << 10

    /// The next messages of a selection. Nothing is changed by it; a box goes on meanwhile, so that messages may leave before
    /// they are read, and others come.
    ///
    /// - Parameter cursor: nil for the beginning.
    /// - Returns: the text, with CSV's names in the first; where to go on, nil at the end.
    public func export(
        _ selection: CacheSelection, format: Format, from cursor: Cursor?
    ) async throws(StoreError) -> (text: [UInt8], next: Cursor?) {
        let now = SystemClock.wall()
        let limit = selection.limit(now: now)
        let all = try await storage.status().cache.lanes
        let lanes = selection.lanes(all)
        var text: [UInt8] = cursor == nil && format == .csv ? CacheRecordText.csvNames : []
        guard !lanes.isEmpty else { return (text, nil) }
        var (index, sequence) = (0, Int64(1))
        if let cursor {
            if let same = lanes.firstIndex(where: { $0.lane == cursor.lane }) {
                (index, sequence) = (same, cursor.sequence)
            } else {
                // The lane has gone meanwhile.
                index = lanes.firstIndex { CacheSelection.isBefore(cursor.lane, $0.lane) } ?? lanes.count
            }
        }
        while index < lanes.count {
            let lane = lanes[index]
            let reading = try await storage.read(
                lane: lane.lane, from: sequence, maximumCount: CacheInspector.pageCount, maximumBytes: CacheInspector.pageBytes,
                now: Moment.now())
            let record = CacheRecordText(lane: lane.lane, isBackfill: CacheInspector.isBackfill(lane, among: all))
            for cached in reading.messages where limit.map({ cached.message.publishedAt < $0 }) ?? true {
                record.append(cached, format, to: &text)
            }
            if reading.messages.isEmpty {
                index += 1
                sequence = 1
            } else {
                return (text, Cursor(lane: lane.lane, sequence: reading.nextSequence))
            }
        }
        return (text, nil)
    }

    /// Whether a lane is no longer the one that takes new messages of its route.
    private static func isBackfill(_ lane: LaneStatus, among all: [LaneStatus]) -> Bool {
        guard let name = LaneName(lane.lane) else { return false }
        return all.contains { other in
            LaneName(other.lane).map { $0.route == name.route && $0.generation > name.generation } ?? false
        }
    }

    /// The blocks that were found damaged and are kept, a JSON object a line.
    public func exportDamaged() async throws(StoreError) -> [UInt8] {
        var text: [UInt8] = []
        for block in try await storage.damagedBlocks() { CacheRecordText.append(block, to: &text) }
        return text
    }

    // MARK: Names

    /// What is wrong with the routes that a selection names, in words; nil if there is one of them, or none is named.
    ///
    /// - Parameter configured: the routes that there are. One that is not among them counts as long as something of it is in the
    ///   cache.
    public func problem(of selection: CacheSelection, configured: [RouteName]) async throws(StoreError) -> String? {
        let stored = try await storage.status().cache.lanes.compactMap { LaneName($0.lane)?.route }
        return selection.problem(among: Set(configured + stored))
    }

    // MARK: Purge

    /// Gives up what is selected, at once and as a whole. See ``Store/Storage/purge(_:publishedBefore:now:)``.
    ///
    /// - Returns: what was lost, and all lanes afterwards.
    public func purge(_ selection: CacheSelection) async throws(StoreError) -> (losses: [CacheLoss], lanes: [LaneStatus]) {
        let lanes = selection.lanes(try await storage.status().cache.lanes)
        return try await storage.purge(
            lanes.map(\.lane), publishedBefore: selection.limit(now: SystemClock.wall()), now: Moment.now())
    }
}
