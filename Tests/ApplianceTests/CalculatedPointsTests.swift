import Broker
import Configuration
import Core
import FieldBus
import Testing

@testable import Appliance

@Suite("Calculated points")
struct CalculatedPointsTests {
    private let wall = Timestamp(milliseconds: 9_999)

    private func plan(_ points: String) throws -> AppliancePlan {
        let text = "[[product]]\nkey = \"p\"\n" + points
        return try AppliancePlan(MartletConfiguration.decode(text: text, file: "m", drivers: Drivers.catalogue))
    }

    private func point(_ identifier: String, _ type: String, _ rest: String = "") -> String {
        "[[product.point]]\nidentifier = \"\(identifier)\"\ntype = \"\(type)\"\n\(rest)\n"
    }

    private var inputs: String { point("a", "LREAL") + point("b", "LREAL") + point("n", "UINT") + point("flag", "BOOL") }

    private func sample(_ point: String, _ value: Value?, _ quality: Quality = .good, at time: Int64 = 1) -> Sample {
        Sample(point: point, value: value, quality: quality, time: Timestamp(milliseconds: time))
    }

    /// What is calculated of samples.
    private func calculated(_ samples: [Sample], type: String = "LREAL", _ expression: String, _ rest: String = "") throws -> Sample? {
        let plan = try plan(inputs + point("x", type, "expression = '''\(expression)'''\n\(rest)"))
        var points = CalculatedPoints(try #require(plan.formulas["p"]))
        var samples = samples
        points.append(to: &samples, wall: wall)
        return samples.last { $0.point == "x" }
    }

    @Test("a sum, a product, a ratio, a condition, a bit", arguments: [
        ("a + b", "LREAL", Value.lreal(15)), ("a * b", "LREAL", .lreal(50)), ("a / b", "LREAL", .lreal(2)),
        ("iif(a = 10, 1, 0)", "UINT", .uint(1)), ("a > b AND flag", "BOOL", .bool(true)), ("a / 4", "INT", .int(3)),
        ("bit(n, 2)", "BOOL", .bool(true)), ("bit(n, 0)", "BOOL", .bool(false)), ("bits(n, 1, 2)", "UINT", .uint(2)),
        ("concat('n=', n)", "STRING", .string("n=12")), ("greatest(a, b)", "REAL", .real(10)),
    ])
    func values(expression: String, type: String, expected: Value) throws {
        let samples = [sample("a", .lreal(10)), sample("b", .lreal(5), at: 3), sample("n", .uint(12)), sample("flag", .bool(true))]
        let result = try calculated(samples, type: type, expression)
        #expect(result?.value == expected && result?.quality == .good)
    }

    @Test("the time is the newest of the values, the quality their worst")
    func timeAndQuality() throws {
        let samples = [sample("a", .lreal(1), at: 5), sample("b", .lreal(2), .uncertain(.stale), at: 4)]
        #expect(try calculated(samples, "a + b") == sample("x", .lreal(3), .uncertain(.stale), at: 5))
    }

    @Test("a value that is bad or was never read makes the result bad, with its reason")
    func bad() throws {
        #expect(try calculated([sample("a", nil, .bad(.timeout))], "a + 1") == sample("x", nil, .bad(.timeout)))
        #expect(try calculated([sample("a", .lreal(1))], "a + b")?.quality == .bad(.notYetRead))
        #expect(try calculated([sample("a", .lreal(1)), sample("b", .lreal(0))], "a / b")?.quality == .bad(.notCalculated))
        #expect(try calculated([sample("a", nil, .bad(.timeout))], "coalesce(a, 7)") == sample("x", .lreal(7), .uncertain(.timeout)))
    }

    @Test("nothing is calculated when none of the values came")
    func untouched() throws {
        #expect(try calculated([sample("n", .uint(1))], "a + b") == nil)
    }

    @Test("limits and enumerations hold for the result")
    func conversion() throws {
        #expect(try calculated([sample("a", .lreal(3))], "a * 100", "maximum = 250")?.quality == .bad(.outOfRange))
        #expect(
            try calculated([sample("n", .uint(1))], type: "UINT", "n + 0", "enumeration = { 1 = \"on\" }")?.value == .string("on"))
    }

    private let identifier = DeviceIdentifier(productKey: "p", deviceKey: "d")

    /// Publishes the points of the plan's product.
    private func publisher(_ plan: AppliancePlan, _ broker: Broker) throws -> PointPublisher {
        let product = try #require(plan.configuration.product(key: "p"))
        return PointPublisher(
            broker: broker,
            devices: [
                PointPublisher.Device(
                    identifier: identifier, points: PointPlaces(product.points.map(\.identifier)), formulas: plan.formulas["p"] ?? [],
                    reporting: PointReporting(product.points))
            ])
    }

    @Test("a result that the point's type cannot hold is out of range")
    func range() throws {
        #expect(try calculated([sample("a", .lreal(300))], type: "INT", "a * 1000")?.quality == .bad(.outOfRange))
    }

    @Test("what is calculated of a value that has become stale is uncertain too")
    func stale() throws {
        let plan = try plan(point("a", "LREAL", "stale-after = \"5s\"") + point("x", "LREAL", "expression = \"a * 2\""))
        let broker = Broker(limits: BrokerLimits(), seed: 1)
        let publisher = try publisher(plan, broker)
        publisher.publish(DeviceReading(device: identifier, samples: [sample("a", .lreal(4))]), now: .zero, wall: wall)
        #expect(publisher.latest(of: identifier)?["x"]?.quality == .good)
        publisher.tick(now: .zero + .seconds(5), wall: wall)
        #expect(publisher.latest(of: identifier)?["x"] == sample("x", .lreal(8), .uncertain(.stale)))
    }

    @Test("one may name another before it")
    func chain() throws {
        let plan = try plan(
            inputs + point("x", "LREAL", "expression = \"a * 2\"") + point("y", "LREAL", "expression = \"x + 1\""))
        var points = CalculatedPoints(try #require(plan.formulas["p"]))
        var samples = [sample("a", .lreal(4))]
        points.append(to: &samples, wall: wall)
        #expect(samples.map(\.value) == [.lreal(4), .lreal(8), .lreal(9)])
    }

    @Test("what is wrong with an expression is told at its place", arguments: [
        ("a +", "m:6:18: the expression ends too early"), ("1 + 1", "m:6:14: expression names no point of the product"),
        ("aa + 1", "m:6:14: expression names \"aa\", and the product has no such point"),
        ("x + 1", "m:6:14: expression names \"x\", which is this point itself"),
        ("nothing + 1", "m:6:14: expression names \"nothing\", and the product has no such point"),
    ])
    func mistakes(expression: String, expected: String) {
        let error = #expect(throws: ConfigurationErrors.self) {
            try plan(point("x", "LREAL", "expression = \"\(expression)\"") + inputs)
        }
        #expect(error?.errors.first?.description.hasPrefix(expected) == true, "\(error.map(\.description) ?? "")")
    }

    @Test("a name that stands behind the expression is told as such, and no other is guessed")
    func order() throws {
        let error = #expect(throws: ConfigurationErrors.self) {
            try plan(
                inputs + point("cal", "LREAL", "expression = \"a\"") + point("cal2", "LREAL", "expression = \"cal3 + a\"")
                    + point("cal3", "LREAL", "expression = \"a * 2\""))
        }
        #expect(error?.errors.map(\.message) == ["expression names \"cal3\", which stands after this one; move it before"])
        let nowhere = #expect(throws: ConfigurationErrors.self) { try plan(inputs + point("x", "LREAL", "expression = \"nothing + a\"")) }
        #expect(nowhere?.errors.map(\.message) == ["expression names \"nothing\", and the product has no such point"])
    }

    @Test("a name that needs backticks is told with them", arguments: [
        ("flow-raw * 2", "m:6:14: expression names \"flow\", and the product has no such point; a name with other characters than letters, digits and _ stands in backticks: `flow-raw`"),
        ("flow-in * 2", "stands in backticks: `flow-in`"),
        ("temp.1 + 1", "stands in backticks: `temp.1`"), ("2nd + 1", "stands in backticks: `2nd`"),
    ])
    func backticks(expression: String, expected: String) throws {
        let names = ["flow-raw", "flow-in", "temp.1", "2nd"]
        let points = names.map { point($0, "LREAL") }.joined()
        let error = #expect(throws: ConfigurationErrors.self) {
            try plan(point("x", "LREAL", "expression = \"\(expression)\"") + points)
        }
        #expect(error?.errors.count == 1 && error?.errors.first?.description.contains(expected) == true, "\(error.map(\.description) ?? "")")
        for name in names { _ = try plan(point("x", "LREAL", "expression = \"`\(name)` * 2\"") + points) }
    }

    @Test("limits and texts of what a device posts by itself are told when no expression makes use of them")
    func idle() throws {
        let a = point("a", "INT", "maximum = 5")
        #expect(
            try plan(a).warnings.map(\.description).filter { $0.contains("maximum") } == [
                "m:6:11: warning: maximum has no effect: what a device posts by itself goes on as it is, and no expression of the product names \"a\""
            ])
        #expect(try plan(a + point("x", "LREAL", "expression = \"a * 2\"")).warnings.filter { $0.message.contains("maximum") } == [])
    }

    @Test("a calculated point is published with those that were read, and left out while it does not change")
    func published() throws {
        let plan = try plan(inputs + point("x", "LREAL", "expression = \"a + b\"\nreport = \"on-change\""))
        let broker = Broker(limits: BrokerLimits(), seed: 1)
        let publisher = try publisher(plan, broker)
        let subscriber = Subscriber.attached(to: broker, filter: "#")
        for _ in 0..<2 {
            publisher.publish(
                DeviceReading(device: identifier, samples: [sample("a", .lreal(1)), sample("b", .lreal(2))]), now: .zero, wall: wall)
        }
        broker.flush()
        let payloads = subscriber.take().map(\.payload)
        #expect(payloads.map { $0.contains("\"x\":{\"value\":3.0,\"quality\":9}") } == [true, false])
        #expect(publisher.latest(of: identifier)?["x"]?.value == .lreal(3) && publisher.samples == 5)
    }
}
