import Core
import Testing

@testable import Store

@Suite("Cache limits")
struct CacheOverflowTests {
    private let directory = TemporaryDirectory()
    /// Does not sync, which nothing here is about.
    private let disk = Faults()

    private func open(_ limits: CacheLimits) throws -> BreakpointCache {
        try BreakpointCache(path: directory.file("cache.db"), limits: limits, vfs: disk.name)
    }

    private func limits(_ maximum: Int64, _ whenFull: RoutePolicy.WhenFull) -> CacheLimits {
        CacheLimits(maximumBytes: maximum, defaultPolicy: RoutePolicy(whenFull: whenFull))
    }

    /// What a loss of messages made by `makeMessages` looks like.
    private func loss(_ lane: String, _ range: ClosedRange<Int>, times: ClosedRange<Int>? = nil, _ reason: CacheLoss.Reason) -> CacheLoss {
        let times = times ?? range
        return CacheLoss(
            lane: lane, messages: Int64(range.count), reason: reason, sequences: Int64(range.lowerBound)...Int64(range.upperBound),
            oldest: start.after(.milliseconds(times.lowerBound)).wall, newest: start.after(.milliseconds(times.upperBound)).wall)
    }

    @Test("a route is what stands before the last mark of the lane's name")
    func routeNames() {
        #expect(RoutePolicy.route(ofLane: "cloud/5#12") == "cloud/5")
        #expect(RoutePolicy.route(ofLane: "a#b/5#1") == "a#b/5")
        #expect(RoutePolicy.route(ofLane: "cloud") == "cloud")
        #expect(RoutePolicy.route(ofLane: "") == "")
    }

    @Test("the oldest blocks of all lanes make room, and the loss is reported")
    func dropOldest() throws {
        let cache = try open(CacheLimits(maximumBytes: 20_000))
        var lost: Int64 = 0
        for number in 0..<40 {
            let lane = number % 2 == 0 ? "even" : "odd"
            let first = number / 2 * 10 + 1
            let report = try cache.append(lane, first...first + 9, size: 90, now: start)
            lost += report.losses.reduce(0) { $0 + $1.messages }
            #expect(report.losses.allSatisfy { $0.reason == .size })
        }
        let status = try cache.status()
        #expect(status.bytes <= 20_000 && status.bytes > 17_000)
        #expect(status.lanes.reduce(0) { $0 + $1.messages } + lost == 400)
        let even = try cache.readAll("even", from: 1)
        #expect(even.sequences.last == 200)
        #expect(even.sequences == Array((even.sequences.first ?? 0)...200))
    }

    @Test("a message that was sent already does not count as lost when its block is dropped")
    func dropAcknowledged() throws {
        let cache = try open(CacheLimits(maximumBytes: 2000))
        _ = try cache.append("cloud", 1...10, size: 90)
        _ = try cache.acknowledge("cloud", through: 7)
        let report = try cache.append("cloud", 11...20, size: 90)
        #expect(report.losses == [loss("cloud", 8...10, times: 1...10, .size)])
    }

    @Test("a route that drops the newest takes what there is room for, and more when there is room again")
    func dropNewest() throws {
        let cache = try open(limits(2000, .dropNewest))
        #expect(try cache.append("cloud", 1...10, size: 90).appended == 10)
        let report = try cache.append("cloud", 11...20, size: 90)
        #expect(report.appended < 10 && report.appended > 5)
        let taken = 10 + Int(report.appended)
        #expect(report.losses == [loss("cloud", taken + 1...20, .newest)])
        #expect(try cache.status().bytes <= 2000)
        #expect(try cache.append("cloud", 21...30, size: 90).losses == [loss("cloud", 21...30, .newest)])
        _ = try cache.acknowledge("cloud", through: 20)
        #expect(try cache.append("cloud", 31...40, size: 90).appended == 10)
        #expect(try cache.readAll("cloud").sequences == Array(31...40))
    }

    @Test("a message that can never fit is not taken, and nothing else is dropped for it", arguments: [RoutePolicy.WhenFull.dropOldest, .dropNewest, .thin])
    func neverFits(whenFull: RoutePolicy.WhenFull) throws {
        let cache = try open(limits(1000, whenFull))
        _ = try cache.append("cloud", 1...3)
        let report = try cache.append("cloud", 4...4, size: 5000)
        #expect(report.losses == [loss("cloud", 4...4, .newest)])
        #expect(try cache.readAll("cloud").sequences == [1, 2, 3])
    }

    @Test("a route that refuses is full before the limit, and takes what is under way all the same")
    func refuse() throws {
        let cache = try open(limits(4000, .refuse))
        _ = try cache.append("cloud", 1...10, size: 90)
        #expect(try cache.status().lanes.first?.isFull == false)
        _ = try cache.append("cloud", 11...39, size: 90)
        #expect(try cache.status().lanes.first?.isFull == true)
        let report = try cache.append("cloud", 40...60, size: 90)
        #expect(report.appended == 21 && report.losses.isEmpty)
        #expect(try cache.readAll("cloud").sequences == Array(1...60))
        _ = try cache.acknowledge("cloud", through: 60)
        #expect(try cache.status().lanes.first?.isFull == false)
    }

    @Test("a smaller priority makes room for a greater one, never the other way round")
    func priorities() throws {
        let routes = ["alarms": RoutePolicy(priority: 9), "values": RoutePolicy(priority: 1)]
        let cache = try open(CacheLimits(maximumBytes: 10_000, routes: routes))
        _ = try cache.append("alarms#1", 1...40, size: 90)
        var lost = 0
        for first in stride(from: 1, to: 500, by: 10) {
            let report = try cache.append("values#1", first...first + 9, size: 90)
            #expect(report.losses.allSatisfy { $0.lane == "values#1" })
            lost += report.losses.count
        }
        #expect(lost > 10)
        for first in stride(from: 41, to: 101, by: 10) { _ = try cache.append("alarms#1", first...first + 9, size: 90) }
        #expect(try cache.readAll("alarms#1").sequences.last == 100)
        var own: Set<String> = []
        for first in stride(from: 1, to: 101, by: 10) {
            own.formUnion(try cache.append("alarms#2", first...first + 9, size: 90).losses.map(\.lane))
        }
        #expect(own.contains("alarms#1"), "of its own, when there is nothing smaller")
        #expect(try cache.readAll("values#1").sequences.isEmpty)
    }

    @Test("what drops the newest displaces what is below it, not its equals")
    func dropNewestAmongOthers() throws {
        let routes = [
            "low": RoutePolicy(priority: 1), "equal": RoutePolicy(priority: 5),
            "own": RoutePolicy(priority: 5, whenFull: .dropNewest),
        ]
        let cache = try open(CacheLimits(maximumBytes: 4000, routes: routes))
        _ = try cache.append("equal#1", 1...10, size: 90)
        _ = try cache.append("low#1", 1...10, size: 90)
        #expect(try cache.append("own#1", 1...20, size: 90).losses.map(\.lane) == ["low#1"])
        #expect(try cache.append("own#1", 21...40, size: 90).losses.allSatisfy { $0.lane == "own#1" && $0.reason == .newest })
        #expect(try cache.readAll("equal#1").messages.count == 10)
    }

    @Test("what a route that refuses holds too much does not cost a greater priority anything")
    func refuseAmongOthers() throws {
        let routes = ["orders": RoutePolicy(priority: 3, whenFull: .refuse), "alarms": RoutePolicy(priority: 9)]
        let cache = try open(CacheLimits(maximumBytes: 4000, routes: routes))
        _ = try cache.append("alarms#1", 1...20, size: 90)
        #expect(try cache.append("orders#1", 1...40, size: 90).losses.isEmpty)
        #expect(try cache.status().lanes.first { $0.lane == "orders#1" }?.isFull == true)
        #expect(try cache.readAll("alarms#1").messages.count == 20)
    }

    @Test("routes that never give leave room for more important ones, in equal parts", arguments: [RoutePolicy.WhenFull.refuse, .dropNewest])
    func shares(whenFull: RoutePolicy.WhenFull) throws {
        let names = [1, 5, 9]
        let policies = names.map { RoutePolicy(priority: $0, whenFull: whenFull) }
        let routes = Dictionary(uniqueKeysWithValues: zip(names.map { "\($0)" }, policies))
        let cache = try open(CacheLimits(maximumBytes: 30_000, routes: routes))
        // The least important first, until it is full.
        for (route, most) in [("1", 10_000), ("5", 20_000), ("9", 30_000)] as [(String, Int64)] {
            var next = 1
            while try cache.status().lanes.first(where: { $0.lane == route })?.isFull != true, next < 1000 {
                _ = try cache.append(route, next...next + 2, size: 90)
                next += 3
            }
            let bytes = try cache.status().bytes
            #expect(bytes <= most && bytes > most - most / 16 - 1000, "\(route)")
        }
    }

    @Test("a route that never gives may fill the cache if nothing is more important, or up to a limit of its own")
    func wholeCache() throws {
        let keeps = RoutePolicy(priority: 5, whenFull: .refuse)
        var limits = CacheLimits(maximumBytes: 30_000, routes: ["a": keeps, "b": keeps])
        #expect(limits.share(upTo: 5) == 30_000 && limits.share(upTo: 0) == 30_000)
        limits.routes["c"] = RoutePolicy(priority: 6)
        #expect(limits.share(upTo: 5) == 15_000 && limits.share(upTo: 6) == 30_000)
        limits.routes["a"]?.maximumBytes = 25_000
        let cache = try open(limits)
        _ = try cache.append("a", 1...180, size: 90)
        #expect(try cache.status().lanes[0].isFull == false)
    }

    @Test("a route's own limit is held over all its lanes, the older generation first")
    func routeLimit() throws {
        let routes = ["cloud": RoutePolicy(maximumBytes: 3000)]
        let cache = try open(CacheLimits(routes: routes))
        // The older generation has the newer times: its clock was wrong.
        _ = try cache.commit(
            [
                LaneAppend(lane: "cloud#9", firstSequence: 1, messages: makeMessages(1001...1010, size: 90)),
                LaneAppend(lane: "cloud#10", firstSequence: 1, messages: makeMessages(1...10, size: 90)),
                LaneAppend(lane: "other#1", firstSequence: 1, messages: makeMessages(1...100, size: 90)),
            ], acknowledgements: [], now: start)
        let report = try cache.append("cloud#10", 11...20, size: 90)
        #expect(report.losses.map(\.lane) == ["cloud#9"])
        #expect(try cache.readAll("other#1").messages.count == 100)
    }

    @Test("smaller limits are held by the commits that follow")
    func newLimits() throws {
        let cache = try open(CacheLimits(maximumBytes: 100_000))
        for first in stride(from: 1, to: 500, by: 10) { _ = try cache.append("cloud", first...first + 9, size: 90) }
        cache.limits = CacheLimits(maximumBytes: 10_000)
        let report = try cache.commit([], acknowledgements: [], now: start)
        #expect(report.losses.map(\.reason) == [.size])
        #expect(try cache.status().bytes <= 10_000)
    }

    @Test("a commit with nothing for the cache writes nothing, so that a box on a full disk can go on")
    func nothing() throws {
        var cache = try open(CacheLimits(maximumBytes: 100_000))
        _ = try cache.append("cloud", 1...10)
        for _ in 0..<2 {
            let before = cache.database.totalChanges
            _ = try cache.commit([], acknowledgements: [], now: start.after(.seconds(7200)))
            #expect(cache.database.totalChanges == before)
            cache.close()
            cache = try open(CacheLimits(maximumBytes: 100_000))
        }
    }

    @Test("blocks that are too old are dropped, by the route's own age where it has one")
    func age() throws {
        let cache = try open(
            CacheLimits(maximumAge: .seconds(60), routes: ["short": RoutePolicy(maximumAge: .seconds(10))]))
        _ = try cache.append("cloud", 1...10)
        _ = try cache.append("short#1", 1...10)
        #expect(try cache.commit([], acknowledgements: [], now: start.after(.seconds(11))).losses == [loss("short#1", 1...10, .age)])
        let fresh = [makeMessage("t", [1], publishedAt: start.after(.seconds(59)).wall)]
        _ = try cache.commit(
            [LaneAppend(lane: "cloud", firstSequence: 11, messages: fresh)], acknowledgements: [],
            now: start.after(.seconds(59)))
        let report = try cache.commit([], acknowledgements: [], now: start.after(.seconds(61)))
        #expect(report.losses == [loss("cloud", 1...10, .age)])
        #expect(try cache.readAll("cloud").sequences == [11])
    }

    @Test("messages from before the clock was set have no age")
    func clockNotSet() throws {
        let cache = try open(CacheLimits(maximumAge: .seconds(60)))
        let message = makeMessage("t", [1], publishedAt: Timestamp(milliseconds: 3000))
        _ = try cache.commit(
            [LaneAppend(lane: "cloud", firstSequence: 1, messages: [message])], acknowledgements: [], now: start)
        #expect(try cache.commit([], acknowledgements: [], now: start.after(.seconds(3600))).losses.isEmpty)
    }

    @Test("a removed lane is gone at once, its blocks go little by little, and its name may be used anew")
    func removal() throws {
        var cache = try open(CacheLimits())
        for first in stride(from: 1, to: 400, by: 20) { _ = try cache.append("cloud#1", first...first + 19, size: 50_000) }
        _ = try cache.append("other", 1...5)
        let again = LaneAppend(lane: "cloud#1", firstSequence: 1, messages: makeMessages(1...3))
        for _ in 0..<2 {
            _ = try cache.commit([again], acknowledgements: [], removals: ["cloud#1", "nowhere"], now: start)
            #expect(try cache.readAll("cloud#1").sequences == [1, 2, 3], "given twice it does the same")
        }
        #expect(try cache.status().bytes < 1000)
        cache.close()
        cache = try open(CacheLimits())
        #expect(cache.lanes.map(\.name).sorted() == ["cloud#1", "other"])
        var commits = 0
        while try #require(try cache.database.integer("SELECT count(*) FROM block")) > 2, commits < 10 {
            _ = try cache.commit([], acknowledgements: [], now: start)
            commits += 1
        }
        #expect(commits > 1 && commits < 10)
        #expect(try cache.database.integer("SELECT count(*) FROM lane") == 2)
    }
}
