import Bridge
import Core
import Glibc
import Payload
import Store

/// What the records of the planned traffic take, measured with the real store on a file of its own: made-up posts are
/// committed as they would come, and acknowledged soon after, as while the upstream is there.
struct CacheMeasurement {
    /// How much is tried.
    struct Effort {
        var commits: Int
        /// Bytes written that are enough before that: several write-ahead logs.
        var writtenBytes: Int64
        /// A disk on which each commit takes long is not tried for longer.
        var time = Duration.seconds(20)

        /// In memory, where it takes a second or two.
        static let thorough = Effort(commits: 8000, writtenBytes: 24 << 20)
        /// On the disk, where each commit waits for it.
        static let onDisk = Effort(commits: 400, writtenBytes: 24 << 20)
        /// For the start of a box, where only the size in the cache matters.
        static let quick = Effort(commits: 100, writtenBytes: 1 << 20)
    }

    var recordsPerCommit = 0.0
    /// Bytes that the disk got, in whole blocks, for each that was written; nil if it was tried in memory.
    var diskRatio: Double?
    var load = CachePlan.Load()
    /// By route, where it has any records; what is written to the disk for them is known over all only.
    var routes: [String: CachePlan.Load] = [:]

    /// - Parameters:
    ///   - directory: one that is not there yet; the files stay in it.
    ///   - commitInterval: what comes within it is one commit.
    static func run(
        _ traffic: PlannedTraffic, limits: CacheLimits, commitInterval: Duration, directory: String, effort: Effort
    ) async throws(StoreError) -> CacheMeasurement {
        var limits = limits
        limits.maximumBytes = 1 << 40
        let storage = try Storage(directory: directory, limits: limits, now: SystemClock.wall())
        do throws(StoreError) {
            let measurement = try await fill(storage, traffic, commitInterval: commitInterval, effort: effort)
            await storage.close()
            return measurement
        } catch {
            await storage.close()
            throw error
        }
    }

    private static func fill(
        _ storage: Storage, _ traffic: PlannedTraffic, commitInterval: Duration, effort: Effort
    ) async throws(StoreError) -> CacheMeasurement {
        var simulation = TrafficSimulation(traffic, commitInterval: commitInterval)
        var commits = 0
        var routes: [String: (records: Int, sent: Int, cached: Int64)] = [:]
        var acknowledgements: [LaneAcknowledgement] = []
        /// Messages of a lane in those.
        var mostAcknowledged: Int64 = 0
        let lane = BridgeLane.Limits()
        let start = WrittenBytes.now
        let end = SystemClock.monotonic() + effort.time
        while commits < effort.commits, WrittenBytes.now.given - start.given < effort.writtenBytes, SystemClock.monotonic() < end {
            let last = simulation.wall
            let appends = simulation.nextCommit()
            guard !appends.isEmpty else { break }
            let moment = Moment(wall: simulation.wall, monotonic: SystemClock.monotonic())
            // An acknowledgement that nothing else is written beside has a commit of its own in the end.
            let wait = mostAcknowledged < lane.acknowledgementCount ? lane.acknowledgementInterval : .zero
            let pause = (commitInterval + wait).wholeMilliseconds
            if simulation.wall.milliseconds - last.milliseconds > pause, !acknowledgements.isEmpty {
                _ = try await storage.commit(CommitBatch(acknowledgements: acknowledgements), now: moment)
                acknowledgements = []
            }
            let report = try await storage.commit(CommitBatch(appends: appends, acknowledgements: acknowledgements), now: moment)
            // All that was there before is gone with this commit, so the blocks hold what it has brought.
            for lane in report.lanes {
                routes[RoutePolicy.route(ofLane: lane.lane), default: (0, 0, 0)].cached += lane.bytes
            }
            acknowledgements = appends.map { LaneAcknowledgement(lane: $0.lane, through: $0.firstSequence + Int64($0.messages.count) - 1) }
            mostAcknowledged = appends.reduce(0) { max($0, Int64($1.messages.count)) }
            commits += 1
            for append in appends {
                let route = RoutePolicy.route(ofLane: append.lane)
                routes[route, default: (0, 0, 0)].records += append.messages.count
                routes[route, default: (0, 0, 0)].sent += append.messages.reduce(0) { $0 + $1.publishBytes }
            }
        }
        var measurement = CacheMeasurement()
        let records = Double(routes.values.reduce(0) { $0 + $1.records })
        guard records > 0 else { return measurement }
        measurement.recordsPerCommit = records / Double(commits)
        measurement.load.recordsPerSecond = traffic.recordsPerSecond
        measurement.load.cachedBytesPerRecord = routes.values.reduce(0) { $0 + Double($1.cached) } / records
        let written = WrittenBytes.now
        let given = Double(written.given - start.given)
        measurement.load.writtenBytesPerRecord = given / records
        if written.toDisk > start.toDisk, given > 0 { measurement.diskRatio = Double(written.toDisk - start.toDisk) / given }
        measurement.load.sentBytesPerRecord = routes.values.reduce(0) { $0 + Double($1.sent) } / records
        for (name, route) in routes where route.records > 0 {
            var load = CachePlan.Load()
            load.recordsPerSecond = traffic.recordsPerSecond(ofRoute: name)
            load.cachedBytesPerRecord = Double(route.cached) / Double(route.records)
            load.sentBytesPerRecord = Double(route.sent) / Double(route.records)
            measurement.routes[name] = load
        }
        return measurement
    }
}

/// The planned traffic on a clock of its own, commit by commit.
private struct TrafficSimulation: ~Copyable {
    private var streams: [PlannedTraffic.Stream]
    /// When each stream is due, in ms.
    private var due: [Int64]
    private let window: Int64
    /// Thousandths of the polls at which points on change have changed.
    private let changing: UInt64
    private(set) var wall = Timestamp(milliseconds: 1_767_225_600_000)  // 2026-01-01
    private var random = SplitMix64(seed: 1)
    private var post = MeasurepointPost()
    private var identifier: UInt64 = 1_000_000
    private var sequences: [String: Int64] = [:]

    init(_ traffic: PlannedTraffic, commitInterval: Duration) {
        streams = traffic.streams
        window = max(1, commitInterval.wholeMilliseconds)
        changing = UInt64(max(1, min(1000, traffic.changing * 1000)))
        let now = wall.milliseconds
        due = traffic.streams.map { now + $0.offset.wholeMilliseconds % max(1, $0.interval.wholeMilliseconds) }
    }

    /// The next window in which anything comes; the records wait for their commit until its end.
    mutating func nextCommit() -> [LaneAppend] {
        while !due.isEmpty {
            let appends = nextWindow()
            if !appends.isEmpty { return appends }
        }
        return []
    }

    private mutating func nextWindow() -> [LaneAppend] {
        guard let first = due.min() else { return [] }
        let end = first + window
        wall = Timestamp(milliseconds: end)
        var lanes: [String: [Message]] = [:]
        for index in streams.indices {
            while due[index] < end {
                publish(index, at: Timestamp(milliseconds: due[index]), into: &lanes)
                due[index] += max(1, streams[index].interval.wholeMilliseconds)
            }
        }
        return lanes.sorted { $0.key < $1.key }.map { lane, messages in
            let next = sequences[lane, default: 1]
            sequences[lane] = next + Int64(messages.count)
            return LaneAppend(lane: lane, firstSequence: next, messages: messages)
        }
    }

    private mutating func publish(_ index: Int, at time: Timestamp, into lanes: inout [String: [Message]]) {
        let routes = streams[index].routes
        func append(_ payload: UnsafeRawBufferPointer) {
            for route in routes {
                route.topic.withUnsafeBytes { topic in
                    lanes[route.lane, default: []].append(
                        Message.create(topic: topic, payload: payload, qos: .atLeastOnce, retain: false, publishedAt: time))
                }
            }
        }
        let hasChanged = random.next() % 1000 < changing
        switch streams[index].nextContent(at: time, hasChanged: hasChanged, random: &random) {
        case nil: break
        case .samples(let samples): post.write(samples, identifier: &identifier) { payload, _ in append(payload) }
        case .payload(let payload): payload.withUnsafeBytes { append($0) }
        }
    }
}

extension Message {
    /// Bytes of the PUBLISH packet of MQTT 5.0 with QoS 1 (§3.3): type, remaining length of up to 4, topic with its length, packet
    /// identifier, properties with their length, payload.
    fileprivate var publishBytes: Int {
        let rest = 2 + topicLength + 2 + 1 + propertiesLength + payloadLength
        return 1 + (rest < 128 ? 1 : rest < 16_384 ? 2 : rest < 2_097_152 ? 3 : 4) + rest
    }
}
