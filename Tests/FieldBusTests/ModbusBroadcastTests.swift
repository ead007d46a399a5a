import Core
import FieldBus
import Testing

@Suite(.serialized, .timeLimit(.minutes(1)))
struct ModbusBroadcastTests {
    @Test("a device with unit identifier 0 of a serial line is written to, never read, and the others take the value")
    func broadcast() async throws {
        let simulator = try ModbusSimulator(
            .tcp(address: "127.0.0.1", port: 0, framing: .rtu),
            units: [1: ModbusFunctionTests.unit(), 2: ModbusFunctionTests.unit()])
        defer { simulator.stop() }
        var point = uintPoint("setpoint", 5)
        point.writable = true
        var bus = ModbusBus(name: "test", transport: .rtuOverTCP(host: "127.0.0.1", port: simulator.port))
        bus.devices = (0...2).map {
            ModbusDevice(identifier: deviceName("d\($0)"), unitIdentifier: $0, points: [point])
        }
        try await DriverRun.with(bus) { run in
            #expect(await run.reading()?["setpoint"]?.value == .uint(5))
            let results = await run.driver.write(
                device: deviceName("d0"), values: [PointValue(point: "setpoint", value: .int(77))])
            #expect(results.map(\.outcome) == [.sent])
            for device in ["d1", "d2"] {
                #expect(await run.reading { $0.device == deviceName(device) && $0["setpoint"]?.value == .uint(77) } != nil)
            }
            let status = run.driver.status()
            #expect(status.devices.map(\.quality) == [.good, .good, .good])
            #expect(status.devices.map { $0.answerTimes.isEmpty } == [true, false, false])
            #expect(status.opens == 1)
        }
    }

    @Test("unit 0 is accepted on a serial line and on Modbus TCP, and 248 on neither")
    func validation() throws {
        for transport in [ModbusTransport.tcp(host: "h", port: 1), .rtuOverTCP(host: "h", port: 1), .rtu(SerialLine(serialPort: "/dev/x"))] {
            var bus = ModbusBus(name: "test", transport: transport)
            bus.devices = [ModbusDevice(identifier: deviceName("d"), unitIdentifier: 0)]
            try bus.validate()
            bus.devices[0].unitIdentifier = 248
            #expect(throws: FieldBusError.self) { try bus.validate() }
        }
    }
}
