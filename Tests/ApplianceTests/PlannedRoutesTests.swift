import Bridge
import Configuration
import Core
import Store
import Testing

@testable import Appliance

@Suite("What each route of a planned cache holds")
struct PlannedRoutesTests {
    private func limits(age: Duration? = nil, _ routes: [String: RoutePolicy]) -> CacheLimits {
        CacheLimits(maximumBytes: 1_000_000, maximumAge: age, routes: routes)
    }

    private func held(_ limits: CacheLimits, _ rates: [String: Double]) -> [String: Int] {
        CacheFilling.secondsHeld(limits, rates: rates).mapValues { Int($0.rounded()) }
    }

    @Test("a route's own size or age ends it before the whole is full")
    func own() {
        let limits = limits(
            age: .seconds(900), ["b/5": RoutePolicy(maximumBytes: 100_000), "b/6": RoutePolicy(priority: 6, maximumAge: .seconds(50))])
        #expect(held(limits, ["b/5": 1000]) == ["b/5": 100])
        #expect(held(limits, ["b/6": 1000]) == ["b/6": 50])
        #expect(held(limits, ["b/7": 10]) == ["b/7": 900], "the cache's age")
    }

    @Test("a route that never gives is full with its share, which less important ones fill with it", arguments: [RoutePolicy.WhenFull.refuse, .dropNewest])
    func share(_ whenFull: RoutePolicy.WhenFull) {
        let limits = limits([
            "b/5": RoutePolicy(whenFull: whenFull), "b/6": RoutePolicy(priority: 6, whenFull: whenFull),
            "b/8": RoutePolicy(priority: 8), "b/9": RoutePolicy(priority: 9, whenFull: whenFull),
        ])
        #expect(held(limits, ["b/5": 1000]) == ["b/5": 250])
        #expect(held(limits, ["b/5": 1000, "b/6": 1000]) == ["b/5": 250, "b/6": 250])
        #expect(held(limits, ["b/9": 1000]) == ["b/9": 1000])
    }

    @Test("when the whole is full the least important makes room, as long as it has any")
    func whole() {
        let limits = limits(["b/5": RoutePolicy(), "b/9": RoutePolicy(priority: 9)])
        #expect(held(limits, ["b/5": 1000, "b/9": 1000]) == ["b/5": 500, "b/9": 1000])
        #expect(held(limits, ["b/5": 1000, "c/5": 3000]) == ["b/5": 250, "c/5": 250])
        #expect(held(limits, [:]).isEmpty && held(limits, ["b/5": 0]).isEmpty)
    }

    @Test("a size that is a time is enough for a route that may fill only its share")
    func need() {
        let limits = limits(["b/5": RoutePolicy(whenFull: .refuse), "b/9": RoutePolicy(priority: 9)])
        #expect(CacheSize.Need(rates: ["b/5": 10], limits: limits).sharing == 2)
        #expect(CacheSize.Need(rates: ["b/5": 10, "b/9": 30], limits: limits).sharing == 1)
        #expect(CacheSize.Need(rates: ["b/9": 30], limits: limits) == CacheSize.Need(bytesPerSecond: 30))
        let size = CacheSize.of(.duration(.seconds(1_000_000)), on: nil, share: 1, need: CacheSize.Need(rates: ["b/5": 10], limits: limits))
        #expect(size.bytes == 20_000_000 && size.reason.contains("times 2"), "\(size)")
    }

    /// 100 records a second of 25 bytes in the cache and 50 upstream: 40,000 bits a second.
    private func routes(size: Int64 = 216_000_000, _ backfill: BridgeConfiguration.Backfill = .init()) throws -> PlannedRoutes {
        var load = CachePlan.Load()
        load.recordsPerSecond = 100
        load.cachedBytesPerRecord = 25
        load.sentBytesPerRecord = 50
        var bridge = BridgeConfiguration(name: "b", host: "h", clientIdentifier: "i")
        bridge.forwards = [.init(filter: try #require(TopicFilter("a"))), .init(filter: try #require(TopicFilter("b")), priority: 9)]
        bridge.backfill = backfill
        return PlannedRoutes(limits: CacheLimits(maximumBytes: size, maximumAge: nil), loads: ["b/5": load], bridges: [bridge])
    }

    @Test("routes come with what they may hold, also those for which nothing is planned")
    func order() throws {
        let routes = try routes()
        #expect(routes.routes.map(\.name) == ["b/9", "b/5"] && routes.routes[0].secondsHeld == .infinity)
        #expect(routes.least?.name == "b/5" && routes.least?.secondsHeld == 86_400)
        #expect(routes.secondsHeld(cachedBytesPerSecond: 5000) == 43_200)
    }

    @Test("an outage drains with what the uplink takes beyond what comes, and no more than is held")
    func drain() throws {
        #expect(try routes().drain(afterOutage: 3600, uplink: 50_000).time == .seconds(14_400))
        #expect(try routes(size: 2500 * 60).drain(afterOutage: 3600, uplink: 80_000).time == .seconds(60))
        #expect(try routes().drain(afterOutage: 3600, uplink: 40_000).time == .never(needed: 40_000))
        #expect(try routes().drain(afterOutage: 3600, uplink: nil).time == .unknown)
        let nothing = PlannedRoutes(limits: CacheLimits(), loads: [:], bridges: [])
        #expect(nothing.drain(afterOutage: 3600, uplink: 1).time == .seconds(0))
    }

    @Test("the limits of the back-fill hold where the uplink takes more")
    func backfill() throws {
        var backfill = BridgeConfiguration.Backfill()
        backfill.messagesPerSecond = 10
        #expect(try routes(backfill).drain(afterOutage: 3600, uplink: 50_000) == .init(time: .seconds(36_000), slowest: "b"))
        #expect(try routes(backfill).drain(afterOutage: 3600, uplink: nil) == .init(time: .seconds(36_000), slowest: "b"))
        backfill.messagesPerSecond = nil
        backfill.bytesPerSecond = 1_000_000
        #expect(try routes(backfill).drain(afterOutage: 3600, uplink: 50_000) == .init(time: .seconds(14_400)))
    }
}
