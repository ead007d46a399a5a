import Broker
import Core
import Testing

@testable import Appliance
@testable import Bridge
@testable import FieldBus

@Suite("The live summary")
struct LiveSummaryTests {
    private let now = Timestamp(milliseconds: 1_700_000_000_000)
    private let monotonic = MonotonicTime(nanoseconds: 5_000_000_000_000)

    /// Of a cache of 2 GiB with a quarter in use, into which 10 messages of 100 bytes come a second.
    private var figures: CacheFigures {
        var load = CachePlan.Load()
        load.recordsPerSecond = 10
        load.cachedBytesPerRecord = 100
        let size = CacheSize(bytes: 2 << 30, reason: "as configured")
        return CacheFigures(size: size, usedBytes: 1 << 29, messages: 42, plan: CachePlan(load: load, cacheBytes: size.bytes))
    }

    private func snapshot(_ points: [StatusSnapshot.Point] = []) -> StatusSnapshot {
        StatusSnapshot(
            time: now, monotonic: monotonic, uptime: .seconds(125), name: "box-1", listeners: ["127.0.0.1:1883"], clients: 3,
            broker: BrokerStatistics(), samples: 0, points: points, buses: [], bridges: [],
            cache: figures, rules: [])
    }

    private func point(
        _ identifier: String, _ value: Value?, _ quality: Quality = .good, unit: String? = nil, age: Int64 = 2000
    ) -> StatusSnapshot.Point {
        StatusSnapshot.Point(
            device: DeviceIdentifier(productKey: "meter", deviceKey: "m1"), identifier: identifier, unit: unit,
            sample: Sample(
                point: identifier, value: value, quality: quality, time: Timestamp(milliseconds: now.milliseconds - age)))
    }

    private func lines(_ snapshot: StatusSnapshot, log: [String] = [], rows: Int = 24, columns: Int = 120) -> [String] {
        var summary = LiveSummary()
        return summary.lines(snapshot, log: log, rows: rows, columns: columns)
    }

    /// A line with its columns set apart by one space.
    private func words(_ line: String) -> String { line.split(separator: " ").joined(separator: " ") }

    @Test("the head says who, how long, where, and rates since the last drawing")
    func head() {
        var summary = LiveSummary()
        var snapshot = snapshot()
        let first = summary.lines(snapshot, log: [], rows: 24, columns: 120)
        #expect(first[0] == "Martlet box-1   up 2 min   listening on 127.0.0.1:1883")
        #expect(first[1] == "clients 3   messages/s in – out –   points/s –   dropped 0")
        snapshot.uptime += .seconds(2)
        snapshot.broker.received = 100
        snapshot.broker.delivered = 301
        snapshot.broker.drops[.queueFull] = 4
        snapshot.samples = 10
        let second = summary.lines(snapshot, log: [], rows: 24, columns: 120)
        #expect(second[1] == "clients 3   messages/s in 50 out 150.5   points/s 5   dropped 4")
    }

    @Test("a point has its value with unit, quality and age", arguments: [
        (Value.lreal(21.456), Quality.good, "°C", 2000, "meter/m1 p 21.46 °C good 2 s"),
        (.real(20), .good, nil, 59_999, "meter/m1 p 20 good 59 s"),
        (.int(-7), .good, nil, 60_000, "meter/m1 p -7 good 1 min"),
        (.uint(.max), .good, nil, 7_200_000, "meter/m1 p 1844674407370955… good 2 h"),
        (.bool(true), .uncertain(.outOfRange), nil, 259_200_000, "meter/m1 p true uncertain: out-of-… 3 d"),
        (.string("on"), .good, nil, -5000, "meter/m1 p \"on\" good 0 s"),
        (.lreal(.infinity), .good, nil, 0, "meter/m1 p inf good 0 s"),
        (.lreal(1e300), .good, nil, 0, "meter/m1 p 1e+300 good 0 s"),
        (nil, .bad(.timeout), "°C", 0, "meter/m1 p – bad: timeout 0 s"),
    ] as [(Value?, Quality, String?, Int64, String)])
    func row(value: Value?, quality: Quality, unit: String?, age: Int64, expected: String) {
        let found = lines(snapshot([point("p", value, quality, unit: unit, age: age)]))
        #expect(words(found[3]) == "DEVICE POINT VALUE QUALITY AGE")
        #expect(words(found[4]) == expected)
    }

    @Test("a point that has not been read says so")
    func notYetRead() {
        let point = StatusSnapshot.Point(
            device: DeviceIdentifier(productKey: "meter", deviceKey: "m1"), identifier: "p", unit: "V", sample: nil)
        #expect(words(lines(snapshot([point]))[4]) == "meter/m1 p – not-yet-read –")
    }

    @Test("columns stand under each other, whatever is in them")
    func columns() {
        let found = lines(snapshot([point("p", .int(1)), point(String(repeating: "long", count: 20), .string(String(repeating: "x", count: 90)))]))
        let places = found[3...5].map { line in line.split(separator: " ").last.map { line.count - $0.count } }
        #expect(places[0] == 72)
        #expect(found[4].dropFirst(52).hasPrefix("good"))
        #expect(found[5].dropFirst(52).hasPrefix("good"))
    }

    @Test("buses, rules and bridges have a line each")
    func footer() {
        var snapshot = snapshot()
        snapshot.buses = [
            BusStatus(
                name: "line-1", protocolName: "modbus-tcp", isOpen: true, opens: 1, requests: 20, errors: 2, exceptions: 1,
                samples: 9, overruns: 0, busy: .seconds(1), elapsed: .seconds(8), devices: [])
        ]
        snapshot.rules = [("hot", 5, 1)]
        func bridge(_ state: Reconnection.State, oldest: Int64?, error: String?) -> BridgeReport {
            let status = BridgeStatus(
                name: "cloud", state: state, lastError: error, messages: 42, bytes: 0,
                oldestPublishedAt: oldest.map { Timestamp(milliseconds: now.milliseconds - $0) }, sentPerSecond: 0,
                receivedPerSecond: 0, lane: BridgeLaneStatistics(), counts: BridgeCounts())
            var report = BridgeReport(status: status, inPerSecond: 10, outPerSecond: 52)
            guard oldest != nil else { return report }
            report.status.routes = [
                .init(priority: 5, messages: 40, bytes: 70 << 10, oldestPublishedAt: Timestamp(milliseconds: now.milliseconds - 120_000), isBackfilling: false)
            ]
            report.fills = [
                RouteFill(route: RouteName(bridge: "cloud", priority: 5), usedBytes: 70 << 10, limitBytes: 100 << 10, bytesPerSecond: 1024)
            ]
            return report
        }
        snapshot.bridges = [
            bridge(.waiting(until: monotonic + .seconds(7)), oldest: 180_000, error: "refused"),
            bridge(.connected(since: MonotonicTime(nanoseconds: monotonic.nanoseconds - 90_000_000_000)), oldest: nil, error: nil),
        ]
        let found = lines(snapshot, log: ["one", "two", "three", "four"])
        #expect(
            found.suffix(10) == [
                "", "bus line-1 modbus-tcp open  requests 20  errors 2  exceptions 1  busy 12.5 %",
                "rule hot   matched 5   failed 1",
                "bridge cloud   away, next try in 7 s   cache depth 42   oldest 3 min   refused",
                "route cloud/5   70 KiB of 100 KiB (70 %)   cache depth 40   oldest 2 min   holds 100 s   full in 30 s",
                "bridge cloud   connected for 1 min   cache depth 42   empty in 1 s",
                "cache 512 MiB of 2 GiB (25 %)   10 messages/s   holds 24.9 days   full in 18.6 days", "two", "three", "four",
            ])
    }

    @Test("without a bridge the cache is empty")
    func noBridge() {
        #expect(lines(snapshot()).last == "bridge none   cache depth 0")
    }

    @Test("what there is no room for is counted, and the newest log line is still there", arguments: [12, 20, 24, 50])
    func tooManyPoints(rows: Int) {
        let found = lines(snapshot((0..<100).map { point("p\($0)", .int(1)) }), log: ["a", "b", "c"], rows: rows)
        #expect(found.count == rows - 1)
        #expect(found.last == "c")
        let shown = found.filter { $0.hasPrefix("meter/m1") }.count
        #expect(found.contains("… and \(100 - shown) more points"))
    }

    @Test("a small terminal gets what fits", arguments: 1..<12)
    func small(rows: Int) {
        let found = lines(snapshot((0..<9).map { point("p\($0)", .int(1)) }), log: ["a"], rows: rows, columns: 10)
        #expect(found.count <= rows - 1)
        #expect(!found.contains { $0.count > 10 })
    }

    @Test("no text of a device or a peer is a command to the terminal")
    func controls() {
        var snapshot = snapshot([point("p", .string("a\u{1B}[2J\u{9B}1m\nb"))])
        snapshot.name = "box\u{7}"
        let found = lines(snapshot, log: ["x\ry"])
        #expect(!found.contains { $0.unicodeScalars.contains { $0.isControl } })
        #expect(found[4].contains("\"a?[2J?1m?b\""))
    }
}
