import Core
import FieldBus
import Testing

@Suite(.serialized, .timeLimit(.minutes(1)))
struct ModbusSimulatorTests {
    let device = deviceName("boiler")

    func bus(_ simulator: ModbusSimulator) -> ModbusBus {
        tcpBus(simulator.port, [
            ModbusDevice(identifier: device, unitIdentifier: 1, points: SimulatedMeter.points(interval: .milliseconds(20)))
        ])
    }

    @Test("every point of the simulated device is read with a good value in one reading")
    func readsAll() async throws {
        let simulator = try ModbusSimulator()
        try await DriverRun.with(bus(simulator)) { run in
            let reading = try #require(await run.reading())
            #expect(Set(reading.samples.map(\.point)) == Set(SimulatedMeter.points(interval: .seconds(1)).map(\.identifier)))
            #expect(reading.isGood)
            #expect(reading["serial-number"]?.value == .string(SimulatedMeter.serialNumber))
            #expect(reading["setpoint"]?.value == .lreal(60))
            #expect(reading["pump"]?.value == .bool(true))
            #expect(reading["running"]?.value == .bool(true))
            guard case .real(let temperature) = reading["temperature"]?.value else {
                Issue.record("no temperature")
                return
            }
            #expect((47...73).contains(temperature))
        }
    }

    @Test("what is written is read back and stays")
    func writes() async throws {
        let simulator = try ModbusSimulator()
        try await DriverRun.with(bus(simulator)) { run in
            let results = await run.driver.write(
                device: device,
                values: [
                    PointValue(point: "setpoint", value: .lreal(48.5)), PointValue(point: "economy", value: .bool(true)),
                    PointValue(point: "pump", value: .bool(false)),
                ])
            #expect(results.map(\.outcome) == [.written, .written, .written])
            let reading = await run.reading { $0["setpoint"]?.value == .lreal(48.5) }
            #expect(reading?["economy"]?.value == .bool(true))
            #expect(reading?["pump"]?.value == .bool(false))
        }
    }

    @Test("the simulated values are the same function of time in every run")
    func deterministic() {
        #expect(SimulatedMeter.moment(.seconds(77)) == SimulatedMeter.moment(.seconds(77)))
        #expect(SimulatedMeter.moment(.seconds(30)).temperature != SimulatedMeter.moment(.seconds(31)).temperature)
        for second in 0..<600 {
            let moment = SimulatedMeter.moment(.seconds(second))
            #expect((47...73).contains(moment.temperature))
            #expect((moment.statusWord & 4 != 0) == (moment.temperature > 70))
        }
    }

    @Test("several drivers poll one simulator")
    func severalClients() async throws {
        let simulator = try ModbusSimulator()
        let bus = bus(simulator)
        try await DriverRun.with(bus) { first in
            try await DriverRun.with(bus) { second in
                #expect(await first.reading()?.isGood == true)
                #expect(await second.reading()?.isGood == true)
            }
        }
    }

    @Test("a stopped simulator is gone, and its points are bad at once")
    func stop() async throws {
        let simulator = try ModbusSimulator()
        try await DriverRun.with(bus(simulator)) { run in
            #expect(await run.reading()?.isGood == true)
            simulator.stop()
            let reading = try #require(await run.reading { !$0.isGood })
            #expect(reading.samples.count == 14)
            #expect(reading.samples.allSatisfy { $0.quality == .bad(.notConnected) && $0.value == nil })
        }
    }
}
