import Core
import FieldBus
import Glibc
import Testing

@Suite(.serialized, .timeLimit(.minutes(1)))
struct ModbusSerialTests {
    func bus(_ serial: FakeSerialDevice, baudRate: Int = 115_200, units: ClosedRange<Int> = 1...1) -> ModbusBus {
        var line = SerialLine(serialPort: serial.path)
        line.baudRate = baudRate
        line.parity = .none
        var bus = ModbusBus(name: "line", transport: .rtu(line))
        bus.responseTimeout = .milliseconds(150)
        bus.maxBackOff = .milliseconds(200)
        bus.maxGap = 0
        bus.devices = units.map { unit in
            ModbusDevice(
                identifier: deviceName("d\(unit)"), unitIdentifier: unit,
                points: [100, 200, 300].map { uintPoint("p\($0)", $0, .milliseconds(20)) })
        }
        return bus
    }

    func isTrue(_ sample: Sample) -> Bool { sample.value == .uint(UInt64(sample.point.dropFirst()) ?? .max) }

    @Test("registers are read over a serial line")
    func reads() async throws {
        let serial = FakeSerialDevice { request, _ in FakeSerialDevice.registers(request) }
        defer { serial.stop() }
        try await DriverRun.with(bus(serial)) { run in
            for _ in 0..<5 {
                let reading = try #require(await run.reading())
                #expect(reading.samples.count == 3 && reading.samples.allSatisfy(isTrue))
            }
        }
    }

    @Test("the line is silent for 3.5 characters between an answer and the next request")
    func silence() async throws {
        let serial = FakeSerialDevice { request, _ in FakeSerialDevice.registers(request) }
        defer { serial.stop() }
        // 1200 baud, 10 bits: 29 ms.
        try await DriverRun.with(bus(serial, baudRate: 1200)) { run in
            for _ in 0..<3 { _ = await run.reading() }
        }
        #expect(serial.gaps.count >= 6)
        for gap in serial.gaps { #expect(gap >= .milliseconds(28)) }
    }

    @Test("a device that is always late never has an old answer taken for a new one")
    func lateAnswers() async throws {
        // Answers each request after 340 ms, one after the other, while the driver waits for 300 ms. The wait is what is
        // tested: only time makes an answer late.
        let serial = FakeSerialDevice { request, _ in
            usleep(340_000)
            return FakeSerialDevice.registers(request)
        }
        defer { serial.stop() }
        var bus = bus(serial)
        bus.responseTimeout = .milliseconds(300)
        try await DriverRun.with(bus) { run in
            // A busy machine may make an answer later still: then there is no value, and never a wrong one.
            let reading = try #require(
                await run.reading { reading in
                    #expect(reading.samples.allSatisfy { $0.value == nil || isTrue($0) })
                    return reading.isGood
                })
            #expect(reading.samples.count == 3)
        }
    }

    @Test("an answer with a wrong check sum or from another unit is not believed")
    func badFrames() async throws {
        let serial = FakeSerialDevice { request, number in
            var answer = FakeSerialDevice.registers(request)
            // From another unit, or with a function that was not asked for.
            if number % 3 == 0 { answer[0] ^= 0x10 }
            if number % 3 == 1 { answer[1] = 4 }
            return answer
        }
        defer { serial.stop() }
        try await DriverRun.with(bus(serial)) { run in
            for _ in 0..<3 {
                let reading = try #require(await run.reading { $0.isGood })
                #expect(reading.samples.allSatisfy(isTrue))
            }
            #expect(run.driver.status().errors >= 6)
        }
    }

    @Test("a silent device on a serial line is bad and the other is read on")
    func silentDevice() async throws {
        let serial = FakeSerialDevice { request, _ in request[0] == 2 ? nil : FakeSerialDevice.registers(request) }
        defer { serial.stop() }
        try await DriverRun.with(bus(serial, units: 1...2)) { run in
            let bad = try #require(await run.reading { $0.device == deviceName("d2") })
            #expect(bad.samples.map(\.quality) == Array(repeating: .bad(.timeout), count: 3))
            for _ in 0..<5 { #expect(await run.reading()?.samples.allSatisfy(isTrue) == true) }
        }
    }

    @Test("a serial port that is not there makes the points bad, not connected")
    func noPort() async throws {
        var line = SerialLine(serialPort: "/dev/does-not-exist")
        line.baudRate = 9600
        var bus = ModbusBus(name: "line", transport: .rtu(line))
        bus.devices = [ModbusDevice(identifier: deviceName("a"), unitIdentifier: 1, points: [uintPoint("p", 0)])]
        try await DriverRun.with(bus) { run in
            #expect(await run.reading()?["p"]?.quality == .bad(.notConnected))
            let event = await run.event { if case .openFailed = $0 { true } else { false } }
            guard case .openFailed(let detail) = event else {
                Issue.record("no event")
                return
            }
            #expect(detail.contains("/dev/does-not-exist"))
        }
    }

    @Test("a wrong description is refused with its place and what would be right")
    func validation() {
        func problem(_ change: (inout ModbusBus) -> Void) -> String? {
            var bus = ModbusBus(name: "line", transport: .tcp(host: "h", port: 502))
            bus.devices = [ModbusDevice(identifier: deviceName("a"), unitIdentifier: 1, points: [uintPoint("p", 0)])]
            change(&bus)
            do throws(FieldBusError) {
                try bus.validate()
                return nil
            } catch {
                return error.description
            }
        }
        #expect(problem { _ in } == nil)
        #expect(problem { $0.devices[0].unitIdentifier = 248 }?.contains("248") == true)
        #expect(problem { $0.transport = .tcp(host: "", port: 502) } != nil)
        #expect(problem { $0.devices.append($0.devices[0]) }?.contains("twice") == true)
        #expect(problem { $0.devices[0].points.append($0.devices[0].points[0]) }?.contains("point p") == true)
        #expect(problem { $0.devices[0].points[0].address = 65_536 } != nil)
        #expect(problem { $0.devices[0].points[0].type = .lint; $0.devices[0].points[0].address = 65_533 } != nil)
        #expect(problem { $0.devices[0].points[0].bit = 3 } != nil)
        #expect(problem { $0.devices[0].points[0].conversion.scale = 0 } != nil)
        #expect(problem { $0.devices[0].points[0].area = .coil } != nil)
        #expect(problem { $0.devices[0].points[0].area = .inputRegister; $0.devices[0].points[0].writable = true } != nil)
        #expect(problem { $0.devices[0].points[0].type = .string } != nil)
        #expect(problem {
            var line = SerialLine(serialPort: "/dev/ttyS1")
            line.baudRate = 11520
            $0.transport = .rtu(line)
        }?.contains("11520") == true)
        #expect(problem {
            $0.transport = .rtu(SerialLine(serialPort: "/dev/ttyS1"))
            $0.devices[0].unitIdentifier = 248
        } != nil)
    }
}
