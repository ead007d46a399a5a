import Configuration
import Core
import FieldBus
import Testing

@Suite("Which values are published")
struct PointReportingTests {
    private func point(_ identifier: String = "x", _ change: (inout MartletConfiguration.Product.Point) -> Void) -> MartletConfiguration.Product.Point {
        var point = MartletConfiguration.Product.Point()
        point.identifier = identifier
        point.type = .lreal
        change(&point)
        return point
    }

    private func reporting(_ change: (inout MartletConfiguration.Product.Point) -> Void) throws -> PointReporting {
        let points = [point("before") { _ in }, point("x", change)]
        let reporting: PointReporting? = PointReporting(points)
        return try #require(reporting)
    }

    private func sample(_ value: Double?, _ quality: Quality = .good, point: String = "x", at time: Int64 = 0) -> Sample {
        Sample(point: point, value: value.map { .lreal($0) }, quality: quality, time: Timestamp(milliseconds: time))
    }

    private func seconds(_ count: Int64) -> MonotonicTime { .zero + .seconds(count) }

    /// The values that are published of those that are read one after the other.
    private func published(_ values: [Double], _ change: (inout MartletConfiguration.Product.Point) -> Void) throws -> [Double] {
        var reporting = try reporting(change)
        return values.filter { !reporting.filter([sample($0)], now: .zero).isEmpty }
    }

    @Test("points that are always published need no looking at")
    func always() {
        #expect(PointReporting([point { _ in }]) == nil)
    }

    @Test("a value that has not changed is left out, its neighbours are not")
    func onChange() throws {
        var reporting = try reporting { $0.report = .onChange }
        let samples = [sample(1, point: "before"), sample(1), sample(1, point: "unknown")]
        #expect(reporting.filter(samples, now: .zero) == samples)
        #expect(reporting.filter(samples, now: .zero).map(\.point) == ["before", "unknown"])
        #expect(reporting.filter([sample(2)], now: .zero).count == 1)
    }

    @Test("a change of quality is a change")
    func quality() throws {
        var reporting = try reporting { $0.report = .onChange }
        #expect(reporting.filter([sample(1)], now: .zero).count == 1)
        #expect(reporting.filter([sample(1, .uncertain(.outOfRange))], now: .zero).count == 1)
        #expect(reporting.filter([sample(nil, .bad(.timeout))], now: .zero).count == 1)
        #expect(reporting.filter([sample(nil, .bad(.timeout))], now: .zero).isEmpty)
        #expect(reporting.filter([sample(nil, .bad(.notConnected))], now: .zero).count == 1)
        #expect(reporting.filter([sample(1)], now: .zero).count == 1)
    }

    @Test("a deadband is measured from what was published last, so that a slow drift is seen")
    func deadband() throws {
        #expect(
            try published([10, 10.4, 10.2, 10.5, 10.9, 11, 10.5]) {
                $0.report = .onChange
                $0.deadband = 0.5
            } == [10, 10.5, 11, 10.5])
    }

    @Test("a deadband in percent is of the value that was published last")
    func percent() throws {
        #expect(
            try published([100, 101, 99, 102, 104, 104.04, -200, -203, -204, 0, 0.001]) {
                $0.report = .onChange
                $0.deadbandPercent = 2
            } == [100, 102, 104.04, -200, -204, 0, 0.001])
    }

    @Test("a value is published again after the greatest silence")
    func silence() throws {
        var reporting = try reporting {
            $0.report = .onChange
            $0.maxSilence = .seconds(10)
        }
        let times = (0...25).filter { !reporting.filter([sample(1)], now: seconds($0)).isEmpty }
        #expect(times == [0, 10, 20])
    }

    @Test("without a new value the last one is published once more, uncertain and with its own time")
    func stale() throws {
        var reporting = try reporting { $0.staleAfter = .seconds(5) }
        #expect(reporting.hasStaleness)
        #expect(reporting.stale(now: seconds(100)) == [], "what was never read is not stale")
        _ = reporting.filter([sample(3, at: 7)], now: seconds(100))
        #expect(reporting.stale(now: seconds(104)) == [])
        #expect(reporting.stale(now: seconds(105)) == [sample(3, .uncertain(.stale), at: 7)])
        #expect(reporting.stale(now: seconds(106)) == [])
        #expect(reporting.filter([sample(3, at: 8)], now: seconds(107)).count == 1)
        #expect(reporting.stale(now: seconds(112)) == [sample(3, .uncertain(.stale), at: 8)])
    }

    @Test("a value that is not published because it has not changed keeps the point fresh")
    func unchangedIsFresh() throws {
        var reporting = try reporting {
            $0.report = .onChange
            $0.staleAfter = .seconds(5)
        }
        for second in 0..<20 { _ = reporting.filter([sample(1, at: Int64(second))], now: seconds(Int64(second))) }
        #expect(reporting.stale(now: seconds(20)) == [])
        #expect(reporting.stale(now: seconds(24)) == [sample(1, .uncertain(.stale), at: 19)])
    }

    @Test("what is bad does not become stale")
    func badIsBad() throws {
        var reporting = try reporting { $0.staleAfter = .seconds(5) }
        _ = reporting.filter([sample(nil, .bad(.timeout))], now: .zero)
        #expect(reporting.stale(now: seconds(10)) == [])
    }
}
