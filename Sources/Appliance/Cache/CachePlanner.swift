import Configuration
import Core
import Store

/// Plans the cache of a configuration: how long it lasts on this disk, and what it costs the medium.
public struct CachePlanner: Sendable {
    /// What the file does not say.
    public struct Assumptions: Sendable {
        /// Length of the outage.
        public var outage = Duration.seconds(24 * 3600)
        /// Bits a second that the uplink takes; nil if that is not known.
        public var uplinkBitsPerSecond: Double?
        /// Bytes of the disk, empty but for the cache, in place of this machine's.
        public var diskBytes: Int64?
        /// Messages a second of clients that are forwarded beside the points, and bytes of their payloads.
        public var clientMessages = (perSecond: 0.0, payloadBytes: 0)
        /// The share of polls at which points that are published on change have changed, more than 0, at most 1.
        public var changing = 1.0

        public init() {}
    }

    private let plan: AppliancePlan

    public init(_ plan: AppliancePlan) { self.plan = plan }

    /// Measures and calculates. Takes some seconds.
    ///
    /// - Throws: ``ApplianceError`` if nothing can be stored in a folder beside the data directory, nor in memory.
    public func report(_ assumptions: Assumptions) async throws(ApplianceError) -> CachePlanReport {
        let configuration = plan.configuration
        let traffic = PlannedTraffic(plan, changing: assumptions.changing, clients: assumptions.clientMessages)
        var measurement = try await measure(traffic, in: { () throws(ScratchError) in try .inMemory() }, .thorough)
        let onDisk = try await measure(traffic, in: diskScratch, .onDisk)
        measurement.diskRatio = onDisk.diskRatio
        measurement.load.writtenBytesPerRecord *= onDisk.diskRatio ?? 1
        let disk = assumptions.diskBytes.map { DiskSpace(total: $0, used: 0, available: $0) } ?? DiskSpace.of(directory: configuration.dataDirectory)
        let storage = plan.board.storage
        let size = CacheSize.of(
            configuration.cache.size, on: disk, share: storage.cacheShare, need: need(of: measurement))
        let calculated = calculation(measurement.load, size: size, disk: disk, uplink: assumptions.uplinkBitsPerSecond)
        let routes = PlannedRoutes(
            limits: configuration.cacheLimits(maximumBytes: size.bytes), loads: measurement.routes, bridges: plan.bridges)
        return CachePlanReport(
            plan: calculated, routes: routes, size: size, disk: disk, board: plan.board, outage: assumptions.outage, traffic: traffic,
            measurement: measurement, commitInterval: configuration.cache.commitInterval)
    }

    /// A place beside the data directory, whose disk it is about; or in memory, if that cannot be written.
    private func diskScratch() throws(ScratchError) -> ScratchDirectory {
        var path = plan.configuration.dataDirectory
        while !path.isEmpty, path != "/" {
            if let scratch = try? ScratchDirectory(in: path) { return scratch }
            path = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        }
        return try .inMemory()
    }

    /// How large the cache may be on this disk, and the plan of that without a load.
    func cacheAtStart() async -> (size: CacheSize, base: CachePlan) {
        cache(for: await plannedNeed(), isStart: true)
    }

    /// What the planned traffic needs, where the cache's size depends on that; else nothing.
    func plannedNeed() async -> CacheSize.Need {
        guard case .duration = plan.configuration.cache.size else { return CacheSize.Need() }
        let measurement = try? await measure(PlannedTraffic(plan), in: { () throws(ScratchError) in try .inMemory() }, .quick)
        return measurement.map(need) ?? CacheSize.Need()
    }

    private func need(of measurement: CacheMeasurement) -> CacheSize.Need {
        CacheSize.Need(
            rates: measurement.routes.mapValues(\.cachedBytesPerSecond), limits: plan.configuration.cacheLimits(maximumBytes: 1 << 40))
    }

    /// The same while the box runs, with a known need.
    func cache(for need: CacheSize.Need, isStart: Bool = false) -> (size: CacheSize, base: CachePlan) {
        let configuration = plan.configuration
        let disk = DiskSpace.of(directory: configuration.dataDirectory)
        let storage = plan.board.storage
        var size = CacheSize.of(configuration.cache.size, on: disk, share: storage.cacheShare, need: need)
        if isStart, !configuration.cache.size.isFixed { size = size.atStart(on: disk, share: storage.cacheShare) }
        return (size, calculation(CachePlan.Load(), size: size, disk: disk, uplink: nil))
    }

    private func calculation(_ load: CachePlan.Load, size: CacheSize, disk: DiskSpace?, uplink: Double?) -> CachePlan {
        let storage = plan.board.storage
        return CachePlan(
            load: load, cacheBytes: size.bytes, maximumAge: plan.configuration.cache.maxAge, uplinkBitsPerSecond: uplink,
            endurance: storage.endurance(ofFileSystem: disk?.total ?? 0), writeAmplification: storage.writeAmplification)
    }

    private func measure(
        _ traffic: PlannedTraffic, in place: () throws(ScratchError) -> ScratchDirectory, _ effort: CacheMeasurement.Effort
    ) async throws(ApplianceError) -> CacheMeasurement {
        let scratch: ScratchDirectory
        do throws(ScratchError) { scratch = try place() } catch { throw .storage("the cache cannot be tried out: \(error)") }
        defer { scratch.remove() }
        do throws(StoreError) {
            return try await CacheMeasurement.run(
                traffic, limits: plan.configuration.cacheLimits(maximumBytes: 1 << 40),
                commitInterval: plan.configuration.cache.commitInterval, directory: scratch.path + "/try", effort: effort)
        } catch {
            throw .storage("the cache cannot be tried out in \(scratch.path): \(error)")
        }
    }
}
