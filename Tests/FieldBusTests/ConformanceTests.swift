import Configuration
import Core
import Testing
import TestSupport

@testable import FieldBus

// What the appliance expects of every driver, tried on each with its own simulator. A driver that is registered is in here:
// what its points and devices look like, its own examples say.

@Suite("Every driver keeps the contract", .serialized)
struct ConformanceTests {
    /// All but those whose points are this machine's own, so that no device of theirs falls silent for itself.
    static let drivers = Drivers.catalogue.protocolNames.filter { $0 != "gpio" && $0 != "system" }

    /// A line with two devices and, as far as the driver has them, points of each type, one that can be written among them.
    private static func description(_ driver: any Driver.Type) throws -> BusDescription {
        try #require(ConformanceBus.description(driver.protocolName), "\(driver.protocolName) has no bus in ConformanceBus")
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
        var errors: [ConfigurationError] = []
        let plan = driver.plan(description, &errors)
        #expect(errors == [])
        #expect(plan.name == description.bus.name)
        #expect(plan.deviceIdentifiers == description.devices.map(\.device.identifier))
        for device in description.devices {
            let polled = plan.polls.filter { $0.device == device.device.identifier }.flatMap { $0.points.map(\.identifier) }
            #expect(polled.isEmpty || Set(polled) == Set(device.points.map(\.point.identifier)))
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

    @Test("a device that falls silent is bad, soon, and the other one is not; it comes back by itself", arguments: drivers)
    func silence(name: String) async throws {
        try await withDriver(name) { simulator, description, run in
            let (first, second) = (description.devices[0], description.devices[1])
            let (silent, other) = (first.device.identifier, second.device.identifier)
            let point = try #require(first.points.first?.point.identifier)
            _ = try #require(await run.sample(of: silent, point) { $0.quality.isGood })
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
        }
    }

    @Test("a value that is written is in the device, and what cannot be written is refused with its reason", arguments: drivers)
    func writing(name: String) async throws {
        try await withDriver(name) { simulator, description, run in
            let device = description.devices[0]
            let identifier = device.device.identifier
            _ = await run.sample(of: identifier, device.points[0].point.identifier) { $0.quality.isGood }
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

    @Test("a write to a silent device fails with a reason", arguments: drivers)
    func writingInVain(name: String) async throws {
        try await withDriver(name) { simulator, description, run in
            let device = description.devices[0]
            guard let point = device.points.first(where: { $0.point.writable })?.point else { return }
            _ = await run.sample(of: device.device.identifier, device.points[0].point.identifier) { $0.quality.isGood }
            simulator.setSilent(true, device: device.device.identifier)
            let value = PointValue(point: point.identifier, value: ConformanceBus.value(of: point, 3))
            let outcomes = await run.driver.write(device: device.device.identifier, values: [value]).map(\.outcome)
            #expect(outcomes.count == 1 && !(outcomes.first?.isWritten ?? true))
        }
    }

    @Test("its examples are a valid file that gives the same tables again", arguments: Drivers.catalogue.protocolNames)
    func examples(name: String) throws {
        let examples = try #require(Drivers.driver(name)).examples
        #expect(examples.buses.allSatisfy { $0.protocol == name } && !examples.buses.isEmpty)
        let text = ConfigurationPrinter.defaultFile(drivers: Drivers.catalogue)
        #expect(text.contains("#protocol = \"\(name)\""))
        #expect(ConfigurationPrinter.reference(drivers: Drivers.catalogue).contains("# Protocol `\(name)`"))
    }
}
