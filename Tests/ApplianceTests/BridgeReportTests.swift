import Core
import Testing

@testable import Appliance
@testable import Bridge

@Suite("The report of a bridge")
struct BridgeReportTests {
    private func report(_ state: Reconnection.State, messages: Int64 = 100, in incoming: Double = 1, out: Double = 5) -> BridgeReport {
        var status = BridgeStatus(
            name: "cloud", state: state, lastError: "refused", messages: messages, bytes: 4000,
            oldestPublishedAt: Timestamp(milliseconds: 1_000_000), sentPerSecond: 0, receivedPerSecond: 0, lane: BridgeLaneStatistics(),
            counts: BridgeCounts())
        status.lastErrorAt = MonotonicTime(nanoseconds: 500_000_000)
        status.routes = [BridgeStatus.Route(priority: 5, messages: messages, bytes: 4000, isBackfilling: true)]
        return BridgeReport(
            status: status, inPerSecond: incoming, outPerSecond: out,
            fills: [RouteFill(route: RouteName(bridge: "cloud", priority: 5), usedBytes: 4000, limitBytes: 5000)])
    }

    private let connected = Reconnection.State.connected(since: MonotonicTime(nanoseconds: 1_000_000_000))

    @Test("what waits drains with what goes out beyond what comes in, while it is connected")
    func drain() {
        #expect(report(connected).drainSeconds == 25)
        #expect(report(connected, out: 1).drainSeconds == nil)
        #expect(report(connected, messages: 0, out: 0).drainSeconds == 0)
        #expect(report(.idle).drainSeconds == nil)
    }

    @Test("its topic says the state with its times in wall-clock time")
    func json() {
        let text = String(
            decoding: report(connected).json(now: MonotonicTime(nanoseconds: 3_500_000_000), wall: Timestamp(milliseconds: 1_060_000)),
            as: UTF8.self)
        #expect(
            text == """
                {"state":"connected","connectedSince":1057500,"error":"refused","errorAt":1057000,"messages":100,"bytes":4000,"oldest":1000000,\
                "oldestAgeSeconds":60,"inPerSecond":1.0,"outPerSecond":5.0,"drainSeconds":25,\
                "routes":[{"priority":5,"messages":100,"bytes":4000,"backfill":true,"limitBytes":5000,"percent":80}]}
                """)
    }

    @Test("times beyond any integer, of a rate that has faded, are left out as for ever")
    func fadedRate() {
        var report = report(connected, in: 1, out: 1 + 1e-15)
        report.fills[0].bytesPerSecond = 1e-17
        let text = String(decoding: report.json(now: .zero, wall: Timestamp(milliseconds: 1_060_000)), as: UTF8.self)
        #expect(!text.contains("secondsUntilFull"))
        var rate = MeanRate(window: .seconds(300))
        rate.update(0, at: .zero)
        rate.update(1_000, at: .zero + .seconds(1))
        #expect(rate.perSecond > 100)
        rate.update(1_000, at: .zero + .seconds(36_000))
        #expect(rate.perSecond == 0)
    }
}
