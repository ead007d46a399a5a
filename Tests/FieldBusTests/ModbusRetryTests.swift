import Core
import FieldBus
import Glibc
import Synchronization
import Testing

/// What goes over the line between the tries of a device that does not answer.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ModbusRetryTests {
    let a = deviceName("a")
    let b = deviceName("b")

    /// `a` is due all the time, `b` does not answer.
    func bus(_ server: FakeServer, timeout: Duration, retries: Int) -> ModbusBus {
        var writable = uintPoint("p", 7)
        writable.writable = true
        var bus = tcpBus(server.port, timeout: timeout, [
            ModbusDevice(identifier: a, unitIdentifier: 1, points: [writable]),
            ModbusDevice(identifier: b, unitIdentifier: 2, points: [uintPoint("p", 7)]),
        ])
        bus.retries = retries
        return bus
    }

    @Test("the other device is polled between any two tries, and the silent one is bad after the last")
    func pollsBetweenTries() async throws {
        let server = FakeServer { $0.unit == 2 ? [.silence] : [.send($0.values { UInt16($0) })] }
        defer { server.stop() }
        try await DriverRun.with(bus(server, timeout: .milliseconds(500), retries: 4)) { run in
            let bad = try #require(await run.reading { $0.device == b })
            #expect(bad["p"]?.quality == .bad(.timeout))
            let units = server.requests.map(\.unit)
            let tries = units.indices.filter { units[$0] == 2 }
            try #require(tries.count >= 5)
            for (later, earlier) in zip(tries.prefix(5).dropFirst(), tries) {
                #expect(units[earlier + 1..<later] == [1])
            }
            #expect(run.driver.status().devices[0].errors == 0)
        }
    }

    @Test("a write goes before the next try of a silent device")
    func writeBetweenTries() async throws {
        let device = FakeDevice([UInt16](repeating: 0, count: 40))
        let server = FakeServer { $0.unit == 2 ? [.silence] : [.send(device.answer($0))] }
        defer { server.stop() }
        try await DriverRun.with(bus(server, timeout: .milliseconds(300), retries: 5)) { run in
            while !server.requests.contains(where: { $0.unit == 2 }) { await Task.yield() }
            let outcome = await run.driver.write(device: a, values: [PointValue(point: "p", value: .uint(9))])
            #expect(outcome.map(\.outcome) == [.written])
            let requests = server.requests
            let write = try #require(requests.firstIndex { $0.function == 6 })
            #expect(requests[..<write].filter { $0.unit == 2 }.count < 6)
            let bad = try #require(await run.reading { $0.device == b })
            #expect(bad["p"]?.quality == .bad(.timeout))
        }
    }

    /// A serial line with devices 1 and 2, whose register n holds n + their unit identifier.
    func serialBus(_ serial: FakeSerialDevice) -> ModbusBus {
        var line = SerialLine(serialPort: serial.path)
        line.baudRate = 115_200
        line.parity = .none
        var bus = ModbusBus(name: "line", transport: .rtu(line))
        bus.responseTimeout = .milliseconds(150)
        bus.maxBackOff = .milliseconds(200)
        bus.maxGap = 0
        bus.devices = (1...2).map { unit in
            ModbusDevice(
                identifier: deviceName("d\(unit)"), unitIdentifier: unit,
                points: [100, 200, 300].map { uintPoint("p\($0)", $0) })
        }
        return bus
    }

    static func registers(_ request: [UInt8]) -> [UInt8] {
        let answer = FakeSerialDevice.registers(request)
        // One register, below 512: the sum does not carry.
        return answer.dropLast() + [answer[answer.count - 1] + answer[0]]
    }

    func isWrong(_ reading: DeviceReading) -> Bool {
        let unit = UInt64(reading.device.deviceKey.dropFirst()) ?? 0
        return reading.samples.contains { sample in
            sample.quality.isGood && sample.value != .uint((UInt64(sample.point.dropFirst()) ?? 0) + unit)
        }
    }

    @Test("an answer that comes while another device is asked is not taken for that device's")
    func lateAnswerToAnother() async throws {
        // Device 2 answers when the driver has given it up and asks device 1.
        let serial = FakeSerialDevice { request, _ in
            if request[0] == 2 { usleep(200_000) }
            return ModbusRetryTests.registers(request)
        }
        defer { serial.stop() }
        try await DriverRun.with(serialBus(serial)) { run in
            var good = 0
            while good < 30, let reading = await run.reading() {
                #expect(!isWrong(reading))
                if reading.device == deviceName("d1"), reading.isGood { good += 1 }
            }
        }
    }

    @Test("while a device may still send a late answer, only that device waits")
    func onlyTheLateDeviceWaits() async throws {
        let lost = Mutex(true)
        let serial = FakeSerialDevice { request, _ in
            if request[0] == 2, lost.withLock({ wasLost in
                defer { wasLost = false }
                return wasLost
            }) { return nil }
            return ModbusRetryTests.registers(request)
        }
        defer { serial.stop() }
        var bus = serialBus(serial)
        // So that the retry comes while the first answer is still owed.
        bus.devices[0].points = [uintPoint("p100", 100)]
        bus.responseTimeout = .milliseconds(400)
        try await DriverRun.with(bus) { run in
            let reading = try #require(await run.reading { $0.device == deviceName("d2") })
            #expect(reading.samples.count == 3 && reading.isGood && !isWrong(reading))
            let units = serial.requests.map { $0[0] }
            let asked = units.indices.filter { units[$0] == 2 }
            try #require(asked.count >= 3)
            // Lost, answered, and the next one only when no second answer to the first can come.
            #expect(asked[2] - asked[1] > 5)
        }
    }
}
