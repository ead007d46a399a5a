import Configuration
import Core
import FieldBus
import Testing

@testable import Appliance

@Suite("The figures of a cache")
struct CachePlanTests {
    /// 100 records a second, 25 bytes each in the cache and 50 upstream, 75 written.
    private func plan(cache: Int64 = 216_000_000, age: Duration? = nil, endurance: Double? = nil) -> CachePlan {
        var load = CachePlan.Load()
        load.recordsPerSecond = 100
        load.cachedBytesPerRecord = 25
        load.writtenBytesPerRecord = 75
        load.sentBytesPerRecord = 50
        return CachePlan(
            load: load, cacheBytes: cache, maximumAge: age, endurance: endurance, writeAmplification: 2)
    }

    /// A device of the product `meter` on a bus, and the beginning of a bridge.
    private static let meterAndBridge = """
        [[bus]]
        name = "b"
        protocol = "modbus-tcp"
        host = "h"
        [[device]]
        product = "meter"
        key = "m"
        bus = "b"
        [[bridge]]
        name = "c"
        host = "h"
        client-identifier = "i"
        """

    @Test("bytes a day and the time held follow from the rate, and max-age bounds the time")
    func held() {
        #expect(plan().bytesPerDay == 216_000_000)
        #expect(plan().secondsHeld == 86_400)
        #expect(plan(age: .seconds(3600)).secondsHeld == 3600)
    }

    @Test("the medium's life is what its endurance lasts for at what is written, amplified")
    func endurance() {
        #expect(plan().writtenPerDay == 648_000_000)
        #expect(plan(endurance: 2 * 648_000_000 * 365 * 7).yearsOfEndurance == 7)
        #expect(plan().yearsOfEndurance == nil)
    }

    @Test("a cache into which nothing comes holds for ever")
    func nothing() {
        var plan = plan()
        plan.load = CachePlan.Load()
        #expect(plan.secondsHeld == .infinity && plan.bytesPerDay == 0)
    }

    @Test("quantities are written with three digits and the unit that suits them")
    func quantities() {
        #expect(Quantity.bytes(Int64(1536)) == "1.5 KiB" && Quantity.bytes(Int64(0)) == "0 B" && Quantity.bytes(123.4 * 1024 * 1024) == "123 MiB")
        #expect(Quantity.decimalBytes(30e12) == "30 TB")
        #expect(Quantity.seconds(0.2) == "200 ms" && Quantity.seconds(90) == "90 s" && Quantity.seconds(86_400) == "24 h")
        #expect(Quantity.seconds(30 * 86_400) == "30 days" && Quantity.seconds(1.5e8) == "4.76 years" && Quantity.seconds(.infinity) == "for ever")
    }

    @Test("posts of the configured points are measured with the real store", arguments: [("none", 150.0...260), ("zstd", 90.0...149)])
    func measured(compression: String, bytes: ClosedRange<Double>) async throws {
        let text = """
            [cache]
            compression = "\(compression)"
            [[product]]
            key = "meter"
            group = [{ name = "g", interval = "10s" }]
            point = [
              { identifier = "temp", type = "REAL", area = "holding-register", address = 0 },
              { identifier = "far", type = "INT", scale = 0.1, area = "holding-register", address = 500 },
            ]
            \(Self.meterAndBridge)
            forward = [{ filter = "/sys/#", prefix = "up" }]
            [[bridge]]
            name = "d"
            host = "h"
            client-identifier = "i"
            forward = [{ filter = "/sys/#" }, { filter = "/sys/meter/#" }, { filter = "elsewhere" }]
            """
        let plan = try AppliancePlan(MartletConfiguration.decode(text: text, file: "m", drivers: Drivers.catalogue))
        let traffic = PlannedTraffic(plan)
        // Two reads, because the points are far apart, each to two bridges, once for the two routes of the same name.
        #expect(traffic.streams.count == 2 && traffic.recordsPerSecond == 0.4)
        #expect(traffic.recordsPerSecond(ofRoute: "c/5") == 0.2)
        let folder = try TemporaryDirectory()
        let measurement = try await CacheMeasurement.run(
            traffic, limits: plan.configuration.cacheLimits(maximumBytes: 1 << 30), commitInterval: .milliseconds(200),
            directory: folder.path + "/data", effort: .init(commits: 20, writtenBytes: 1 << 30))
        // {"id":"1000000","version":"1.1","method":"thing.measurepoint.post","params":{"measurepoints":{"temp":{"value":213.59223,
        // "quality":9}},"time":1767225600000}} and a topic of 34 or 31 bytes, once in a block.
        #expect(bytes.contains(measurement.load.cachedBytesPerRecord), "\(measurement.load)")
        #expect((150.0...220).contains(measurement.load.sentBytesPerRecord), "\(measurement.load)")
        #expect(Set(measurement.routes.keys) == ["c/5", "d/5"] && measurement.routes["d/5"]?.recordsPerSecond == 0.2)
        #expect(measurement.load.writtenBytesPerRecord > measurement.load.cachedBytesPerRecord)
    }

    @Test("polls that read nothing but points on change are thinned, and other records lose those points only")
    func changing() throws {
        let text = """
            [[product]]
            key = "meter"
            group = [{ name = "g", interval = "10s" }]
            point = [
              { identifier = "door", type = "INT", report = "on-change", area = "holding-register", address = 0 },
              { identifier = "power", type = "INT", area = "holding-register", address = 500 },
              { identifier = "state", type = "INT", report = "on-change", area = "holding-register", address = 501 },
            ]
            \(Self.meterAndBridge)
            forward = [{ filter = "#" }]
            """
        let plan = try AppliancePlan(MartletConfiguration.decode(text: text, file: "m", drivers: Drivers.catalogue))
        var traffic = PlannedTraffic(plan, changing: 0.25, clients: (5, 10)).streams
        #expect(abs(PlannedTraffic(plan, changing: 0.25, clients: (5, 10)).recordsPerSecond - (0.25 * 0.1 + 0.1 + 5)) < 0.001)
        var random = SplitMix64(seed: 1)
        func points(_ hasChanged: Bool) -> [[String]?] {
            traffic.indices.filter { traffic[$0].device != nil }.map { index in
                let content = traffic[index].nextContent(at: Timestamp(milliseconds: 0), hasChanged: hasChanged, random: &random)
                guard case .samples(let samples)? = content else { return nil }
                return samples.map { "\($0.point)" }
            }
        }
        #expect(points(true) == [["door"], ["power", "state"]] && points(false) == [nil, ["power"]])
    }
}
