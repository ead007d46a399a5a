import Configuration
import Core
import Testing
import TestSupport

@testable import FieldBus

// What the appliance expects of every driver, tried on each with its own simulator. A driver that is registered is in here:
// what its points and devices look like, its own examples say.

@Suite("Every driver keeps the contract", .serialized)
struct ConformanceTests {
    static let drivers = Drivers.catalogue.protocolNames

    /// Those whose nature does not rule out what is tried.
    private static func drivers(without traits: Set<ConformanceBus.Trait>) -> [String] {
        drivers.filter { ConformanceBus.traits(of: $0).isDisjoint(with: traits) }
    }

    /// A line with two devices and, as far as the driver has them, points of each type, one that can be written among them.
    private static func description(_ driver: any Driver.Type) throws -> BusDescription {
        try #require(try ConformanceBus.description(driver.protocolName), "\(driver.protocolName) has no bus in ConformanceBus")
    }

    private func withDriver(
        _ name: String, _ body: (any BusSimulator, BusDescription, Run) async throws -> Void
    ) async throws {
        let driver = try #require(Drivers.driver(name))
        let description = try Self.description(driver)
        let simulator = try driver.simulate(description)
        defer { simulator.stop() }
        let run = Run(driver: try simulator.plan().makeDriver())
        let task = Task { await run.driver.run(deliver: { run.take($0) }, events: { run.take($0) }) }
        do {
            try await body(simulator, description, run)
        } catch {
            task.cancel()
            await task.value
            throw error
        }
        task.cancel()
        await task.value
    }

    @Test("its plan has the devices and the points of the description", arguments: drivers)
    func plan(name: String) throws {
        let driver = try #require(Drivers.driver(name))
        let description = try Self.description(driver)
        let simulator = try driver.simulate(description)
        defer { simulator.stop() }
        let plan = simulator.plan()
        #expect(plan.name == description.bus.name)
        #expect(plan.deviceIdentifiers == description.devices.map(\.device.identifier))
        for device in description.devices {
            let polled = plan.polls.filter { $0.device == device.device.identifier }.flatMap { $0.points.map(\.identifier) }
            let reportsByItself = ConformanceBus.traits(of: name).contains(.reportsByItself)
            #expect(Set(polled) == (reportsByItself ? [] : Set(device.points.map(\.point.identifier))))
        }
    }

    @Test("values arrive as they are in the device, good and with the time of their reading", arguments: drivers)
    func values(name: String) async throws {
        try await withDriver(name) { simulator, description, run in
            for device in description.devices {
                let identifier = device.device.identifier
                for (number, (point, _)) in device.points.enumerated() {
                    let value = ConformanceBus.value(of: point, number)
                    simulator.set(value, point: point.identifier, of: identifier)
                    let before = SystemClock.wall()
                    let sample = try #require(
                        await run.sample(of: identifier, point.identifier) { $0.value == value && $0.time >= before },
                        "\(point.identifier) of \(identifier) never was \(value)")
                    #expect(sample.quality == .good)
                    #expect(sample.time <= SystemClock.wall())
                }
            }
        }
    }

    /// Gives all points values.
    private func fill(_ simulator: any BusSimulator, _ description: BusDescription) {
        for device in description.devices {
            for (number, (point, _)) in device.points.enumerated() {
                simulator.set(ConformanceBus.value(of: point, number), point: point.identifier, of: device.device.identifier)
            }
        }
    }

    @Test(
        "a device that falls silent is bad, soon, and the other one never is; it comes back by itself",
        arguments: drivers(without: [.isAlwaysThere]))
    func silence(name: String) async throws {
        try await withDriver(name) { simulator, description, run in
            let (first, second) = (description.devices[0], description.devices[1])
            let (silent, other) = (first.device.identifier, second.device.identifier)
            let point = try #require(first.points.first?.point.identifier)
            fill(simulator, description)
            _ = try #require(await run.sample(of: silent, point) { $0.quality.isGood })
            for (point, _) in second.points {
                _ = try #require(await run.sample(of: other, point.identifier) { $0.quality.isGood })
            }
            let doubtful = run.doubtfulSamples(of: other)
            simulator.setSilent(true, device: silent)
            let bad = try #require(await run.sample(of: silent, point) { !$0.quality.isGood }, "it was never reported bad")
            #expect(bad.value == nil && bad.quality.reason != nil)
            let stillGood = try #require(second.points.first?.point.identifier)
            let since = SystemClock.wall()
            #expect(await run.sample(of: other, stillGood) { $0.quality.isGood && $0.time >= since } != nil)
            let status = run.driver.status()
            #expect(status.devices.map(\.device) == [silent, other])
            #expect(status.devices[0].quality.reason != nil && status.devices[1].quality == .good)
            simulator.setSilent(false, device: silent)
            #expect(await run.sample(of: silent, point) { $0.quality.isGood } != nil, "it did not come back")
            #expect(run.doubtfulSamples(of: other) == doubtful, "the other one was not always good")
        }
    }

    @Test("a value that is written is in the device, and what cannot be written is refused with its reason", arguments: drivers)
    func writing(name: String) async throws {
        try await withDriver(name) { simulator, description, run in
            let device = description.devices[0]
            let identifier = device.device.identifier
            fill(simulator, description)
            _ = await run.sample(of: identifier, device.points[0].point.identifier) { $0.quality.isGood }
            #expect(device.points.contains { $0.point.writable } != ConformanceBus.traits(of: name).contains(.isOnlyRead))
            for (number, (point, _)) in device.points.enumerated() where point.writable {
                let value = ConformanceBus.value(of: point, number + 40)
                let results = await run.driver.write(device: identifier, values: [PointValue(point: point.identifier, value: value)])
                #expect(results == [WriteResult(point: point.identifier, outcome: .written)])
                #expect(await run.eventually { simulator.value(point: point.identifier, of: identifier) == value })
            }
            for (point, _) in device.points where !point.writable {
                let value = PointValue(point: point.identifier, value: ConformanceBus.value(of: point, 1))
                #expect(await run.driver.write(device: identifier, values: [value]).map(\.outcome) == [.readOnly])
            }
            let unknown = PointValue(point: "no-such-point", value: .int(1))
            #expect(await run.driver.write(device: identifier, values: [unknown]).map(\.outcome) == [.unknownPoint])
            let nobody = DeviceIdentifier(productKey: "no", deviceKey: "such")
            #expect(await run.driver.write(device: nobody, values: [unknown]).map(\.outcome) == [.unknownDevice])
        }
    }

    @Test("a write to a silent device fails with a reason", arguments: drivers(without: [.isAlwaysThere, .isOnlyRead]))
    func writingInVain(name: String) async throws {
        try await withDriver(name) { simulator, description, run in
            let device = description.devices[0]
            let point = try #require(device.points.first { $0.point.writable }?.point)
            _ = await run.sample(of: device.device.identifier, device.points[0].point.identifier) { $0.quality.isGood }
            simulator.setSilent(true, device: device.device.identifier)
            let value = PointValue(point: point.identifier, value: ConformanceBus.value(of: point, 3))
            let outcomes = await run.driver.write(device: device.device.identifier, values: [value]).map(\.outcome)
            #expect(outcomes.count == 1 && !(outcomes.first?.isWritten ?? true))
        }
    }

    /// The default file with its examples in force.
    private static func exampleFile() -> String {
        let lines = ConfigurationPrinter.defaultFile(drivers: Drivers.catalogue).split(separator: "\n").map { line in
            let line = line.drop { $0 == " " }
            return line.hasPrefix("#") && !line.hasPrefix("# ") ? line.dropFirst() : line
        }
        return lines.joined(separator: "\n")
    }

    @Test("its examples, as they are printed, decode to the same tables, and its buses can be planned", arguments: drivers)
    func examples(name: String) throws {
        let driver = try #require(Drivers.driver(name))
        let examples = driver.examples
        #expect(examples.buses.allSatisfy { $0.protocol == name } && !examples.buses.isEmpty)
        let decoded = try MartletConfiguration.decode(text: Self.exampleFile(), file: "examples", drivers: Drivers.catalogue)
        #expect(decoded.buses.filter { $0.protocol == name } == examples.buses)
        for product in examples.products { #expect(decoded.product(key: product.key) == product) }
        for device in examples.devices { #expect(decoded.devices.contains(device)) }
        for bus in decoded.buses where bus.protocol == name {
            let devices = decoded.devices.filter { $0.bus == bus.name }.compactMap { device in
                decoded.product(key: device.product).map { BusDescription.Device(device: device, product: $0) }
            }
            let description = BusDescription(bus: bus, devices: devices)
            var errors: [ConfigurationError] = []
            // Lines of a chip are those that this machine has.
            let plan: any BusPlan
            if ConformanceBus.traits(of: name).contains(.isAlwaysThere) {
                let simulator = try driver.simulate(description)
                defer { simulator.stop() }
                plan = simulator.plan()
            } else {
                plan = driver.plan(description, &errors)
            }
            #expect(errors == [])
            #expect(plan.name == bus.name && plan.deviceIdentifiers == devices.map(\.device.identifier))
        }
    }

    @Test("the reference page has its keys of a bus, of a device and of a point, with range and default", arguments: drivers)
    func reference(name: String) throws {
        let driver = try #require(Drivers.driver(name))
        let page = ConfigurationPrinter.reference(drivers: Drivers.catalogue)
        let chapters = page.split(separator: "\n# ").filter { $0.hasPrefix("Protocol `\(name)`\n") }
        let chapter = try #require(chapters.first)
        for (table, title) in driver.references {
            #expect(chapter.contains("## `\(table.header)` \(title)"))
            for key in table.keys {
                #expect(chapter.contains("| `\(key.name)` | \(key.type) | "), "\(key.name) of \(table.header)")
            }
        }
        #expect(!page.contains(" a `external`") && page.contains("| `protocol` | protocol | required | \"modbus-tcp\", "))
    }
}
