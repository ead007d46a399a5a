import Console
import Core
import Logging
import Testing

@testable import Appliance
@testable import Bridge
@testable import Store

@Suite("Watching the cache")
struct CacheMonitorTests {
    private func time(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test("a level is told once, and again only after it has been well below")
    func levels() {
        var watch = FillWatch()
        #expect(watch.update(0.79) == nil)
        #expect(watch.update(0.8) == .above(percent: 80))
        #expect(watch.update(0.78) == nil && watch.update(0.81) == nil, "around the level")
        #expect(watch.update(0.97) == .above(percent: 95))
        #expect(watch.update(0.91) == nil)
        #expect(watch.update(0.89) == .below(percent: 95))
        #expect(watch.update(0.96) == .above(percent: 95))
        #expect(watch.update(0.1) == .below(percent: 80), "both levels are over")
        #expect(watch.update(0.99) == .above(percent: 95), "both are reached at once")
    }

    @Test("a rate is the mean since the start, in which what is long ago weighs less and less")
    func rate() {
        var rate = MeanRate(window: .seconds(10))
        #expect(rate.perSecond == 0)
        rate.update(0, at: time(0))
        rate.update(100, at: time(1))
        #expect(abs(rate.perSecond - 100) < 1e-9)
        for second in 2...200 { rate.update(100, at: time(Int64(second))) }
        #expect(rate.perSecond < 1e-3)
        rate.update(5, at: time(201))
        #expect(rate.perSecond < 1e-3, "a count that has fallen was started anew")
    }

    private func loss(
        _ messages: Int64, _ reason: CacheLoss.Reason = .size, lane: String = "cloud/5#1", _ times: ClosedRange<Int64> = 1000...2000
    ) -> CacheLoss {
        CacheLoss(
            lane: lane, messages: messages, reason: reason, sequences: 1...messages, oldest: Timestamp(milliseconds: times.lowerBound),
            newest: Timestamp(milliseconds: times.upperBound))
    }

    @Test("losses of a route are reported at once, then added up for a while, with the time that they span")
    func losses() {
        var ledger = LossLedger()
        ledger.add(loss(3))
        #expect(ledger.takeDue(time(1)).map(\.messages) == [3])
        ledger.add(loss(4, .size, lane: "cloud/5#2", 5000...6000))
        ledger.add(loss(5, .size, 500...700))
        ledger.add(loss(1, .age))
        #expect(ledger.takeDue(time(2)).map(\.reason) == [.cache(.age)], "another reason is another report")
        let later = ledger.takeDue(time(11))
        #expect(later.count == 1 && later[0].messages == 9 && later[0].bridge == "cloud" && later[0].priority == 5)
        #expect(later[0].from.milliseconds == 500 && later[0].to.milliseconds == 6000)
        #expect(ledger.takeDue(time(60)).isEmpty)
        #expect(ledger.totals.map(\.messages) == [12, 1])
    }

    @Test("lanes are selected by bridge and priority, and come in the order in which they are sent")
    func selection() {
        func lane(_ name: String) -> LaneStatus {
            LaneStatus(lane: name, firstSequence: nil, lastSequence: 0, acknowledgedSequence: 0, messages: 0, bytes: 0, blocks: 0, oldestPublishedAt: nil)
        }
        let all = ["b/5#2", "b/5#10", "a/1#1", "a/9#1", "old"].map(lane)
        #expect(CacheSelection().lanes(all).map(\.lane) == ["a/9#1", "a/1#1", "b/5#2", "b/5#10", "old"])
        #expect(CacheSelection(bridge: "a").lanes(all).map(\.lane) == ["a/9#1", "a/1#1"])
        #expect(CacheSelection(bridge: "b", priority: 5).lanes(all).count == 2)
        #expect(CacheSelection(priority: 9).lanes(all).map(\.lane) == ["a/9#1"])
    }

    @Test("a selection that names no route that there is says which there are", arguments: [
        ("a", 5, nil), ("a", nil, nil), (nil, nil, nil), (nil, 1, nil), ("b", nil, "there is no bridge \"b\"; the routes are a/5, a/1"),
        ("a", 2, "there is no route a/2; the routes are a/5, a/1"), (nil, 2, "there is no route of priority 2; the routes are a/5, a/1"),
    ] as [(String?, Int?, String?)])
    func missingRoute(bridge: String?, priority: Int?, problem: String?) {
        let routes: Set = [RouteName(bridge: "a", priority: 1), RouteName(bridge: "a", priority: 5)]
        #expect(CacheSelection(bridge: bridge, priority: priority).problem(among: routes) == problem)
    }

    private func lane(_ name: String, bytes: Int64) -> LaneStatus {
        LaneStatus(
            lane: name, firstSequence: 1, lastSequence: 10, acknowledgedSequence: 0, messages: 10, bytes: bytes, blocks: 1,
            oldestPublishedAt: nil)
    }

    @Test("a route is as full as its own size is, or the share that less important ones fill too")
    func routeFills() {
        let limits = CacheLimits(
            maximumBytes: 1000,
            routes: [
                "a/1": RoutePolicy(priority: 1, maximumBytes: 100), "a/2": RoutePolicy(priority: 2, whenFull: .refuse),
                "a/3": RoutePolicy(priority: 3, whenFull: .dropNewest), "a/5": RoutePolicy(),
            ])
        let lanes = [lane("a/1#1", bytes: 30), lane("a/1#2", bytes: 40), lane("a/2#1", bytes: 100), lane("a/3#1", bytes: 50), lane("a/5#1", bytes: 500)]
        #expect(
            RouteFill.all(limits, lanes: lanes) == [
                RouteFill(route: RouteName(bridge: "a", priority: 3), usedBytes: 150, limitBytes: 750, isShare: true),
                RouteFill(route: RouteName(bridge: "a", priority: 2), usedBytes: 100, limitBytes: 500, isShare: true),
                RouteFill(route: RouteName(bridge: "a", priority: 1), usedBytes: 70, limitBytes: 100),
            ])
    }

    @Test("a route is full when its own rate has filled what it may hold, and a share when all that fill it have")
    func untilFull() {
        let limits = CacheLimits(
            maximumBytes: 1000,
            routes: [
                "a/1": RoutePolicy(priority: 1, maximumBytes: 100), "a/2": RoutePolicy(priority: 2, whenFull: .refuse),
                "a/3": RoutePolicy(priority: 3, whenFull: .dropNewest), "a/5": RoutePolicy(),
            ])
        func name(_ priority: Int) -> RouteName { RouteName(bridge: "a", priority: priority) }
        let fills = RouteFill.all(
            limits, lanes: [lane("a/1#1", bytes: 70), lane("a/2#1", bytes: 100)], rates: [name(1): 3, name(2): 2, name(3): 8, name(5): 100])
        #expect(fills.map(\.secondsUntilFull) == [65, 200, 10])
        #expect(fills.map(\.secondsHeld) == [75, 250, 100.0 / 3])
        #expect(fills.map(\.text) == ["750 B shared (13 %)", "500 B shared (20 %)", "100 B (70 %)"])
        #expect(RouteFill.all(limits, lanes: []).allSatisfy { $0.secondsUntilFull == .infinity })
    }

    @Test("what comes into a route is measured over all its lanes")
    func routeRates() {
        func lane(_ name: String, last: Int64, messages: Int64) -> LaneStatus {
            LaneStatus(
                lane: name, firstSequence: 1, lastSequence: last, acknowledgedSequence: 0, messages: messages, bytes: 20 * messages, blocks: 1,
                oldestPublishedAt: nil)
        }
        var rates = RouteRates()
        rates.update([lane("a/5#1", last: 100, messages: 100)], at: time(0))
        rates.update([lane("a/5#1", last: 100, messages: 100), lane("a/5#2", last: 150, messages: 50)], at: time(10))
        #expect(rates.bytesPerSecond.mapValues { $0.rounded() } == [RouteName(bridge: "a", priority: 5): 100])
        rates.update([], at: time(11))
        #expect(rates.bytesPerSecond.isEmpty)
    }

    @Test("a route that is nearly full is told of, though the cache has room")
    func routeWarning() {
        var told: [String] = []
        let limits = CacheLimits(maximumBytes: 10_000, routes: ["a/5": RoutePolicy(maximumBytes: 1000), "a/9": RoutePolicy(priority: 9)])
        let monitor = CacheMonitor(
            size: CacheSize(bytes: 10_000, reason: ""), limits: limits, base: CachePlan(load: CachePlan.Load(), cacheBytes: 10_000), lanes: [],
            logger: Logger(label: "t", factory: { _ in SwiftLogNoOpLogHandler() }), now: time(0)
        ) { event in
            switch event {
            case .routeFilling(let percent, let fill): told.append("\(fill.route) above \(percent)")
            case .routeEmptying(let percent, let fill): told.append("\(fill.route) below \(percent)")
            default: told.append(event.topic)
            }
        }
        for (second, bytes) in [(1, 700), (2, 820), (3, 960), (4, 900), (5, 100)] as [(Int64, Int64)] {
            monitor.changed(appended: 1, losses: [], lanes: [lane("a/5#1", bytes: bytes)])
            monitor.tick(now: time(second), bridges: [])
        }
        #expect(told == ["a/5 above 80", "a/5 above 95", "a/5 below 80"])
        monitor.replace(limits: CacheLimits(maximumBytes: 10_000, routes: ["a/5": RoutePolicy(maximumBytes: 110)]))
        monitor.tick(now: time(6), bridges: [])
        #expect(told.last == "a/5 above 80", "a reload has made it smaller")
    }

    @Test("the query of a page leads to the next one", arguments: ["cloud/5#1", "a&b=c d/9#2", "ü%/0#3"])
    func query(lane: String) throws {
        let query = ExportQuery(
            selection: CacheSelection(bridge: "a b", priority: 3, olderThan: .seconds(60)), format: .csv,
            cursor: CacheInspector.Cursor(lane: lane, sequence: 17))
        var parameters: [String: String] = [:]
        for pair in query.text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            parameters[String(parts[0])] = PercentEncoding.decoded(parts[1])
        }
        let read = try ExportQuery(parameters)
        #expect(read.selection == query.selection && read.format == .csv && read.cursor == query.cursor)
    }
}
