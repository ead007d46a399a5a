import Core
import Dispatch
import FieldBus
import Glibc
import Synchronization
import Testing

@Suite(.serialized, .timeLimit(.minutes(1)))
struct ModbusWriteTests {
    let name = deviceName("a")

    func bus(_ server: FakeServer, timeout: Duration = .seconds(2)) -> ModbusBus {
        func writable(_ identifier: String, _ type: PointType, _ area: ModbusArea, _ address: Int) -> ModbusPoint {
            var point = ModbusPoint(identifier: identifier, type: type, area: area, address: address)
            point.writable = true
            point.interval = .seconds(3600)
            return point
        }
        var flag = writable("flag", .bool, .holdingRegister, 4)
        flag.bit = 9
        var text = writable("text", .string, .holdingRegister, 10)
        text.length = 5
        var scaled = writable("scaled", .int, .holdingRegister, 20)
        scaled.conversion.scale = 0.1
        return tcpBus(server.port, timeout: timeout, [
            ModbusDevice(
                identifier: name, unitIdentifier: 1,
                points: [
                    writable("word", .uint, .holdingRegister, 0), writable("wide", .lreal, .holdingRegister, 5),
                    writable("coil", .bool, .coil, 2), flag, text, scaled, uintPoint("read-only", 1, .seconds(3600)),
                ])
        ])
    }

    func write(_ server: FakeServer, timeout: Duration = .seconds(2), _ values: [(String, Value)]) async throws -> [WriteOutcome] {
        let driver = try bus(server, timeout: timeout).makeDriver()
        return await driver.write(device: name, values: values.map { PointValue(point: $0.0, value: $0.1) }).map(\.outcome)
    }

    @Test("each kind of point is written with the function that fits and read back")
    func functions() async throws {
        let device = FakeDevice([UInt16](repeating: 0xFFFF, count: 40))
        let server = FakeServer { [.send(device.answer($0))] }
        defer { server.stop() }
        let outcomes = try await write(server, [
            ("word", .uint(513)), ("wide", .lreal(-2)), ("coil", .bool(false)), ("flag", .bool(false)), ("text", .string("MÄR")),
            ("scaled", .lreal(-1.25)),
        ])
        #expect(outcomes == Array(repeating: .written, count: 6))
        #expect(server.requests.map(\.function) == [6, 3, 16, 3, 5, 1, 22, 3, 16, 3, 6, 3])
        device.registers.withLock { registers in
            #expect(registers[0] == 513)
            #expect(registers[4] == 0xFDFF)
            #expect(Array(registers[5..<9]) == [0xC000, 0, 0, 0])
            #expect(Array(registers[10..<13]) == [0x4DC3, 0x8452, 0])
            #expect(registers[20] == 0xFFF3)
        }
    }

    @Test("what cannot be written is answered with the reason, without a request")
    func refusedHere() async throws {
        let server = FakeServer { _ in [.close] }
        defer { server.stop() }
        let outcomes = try await write(server, [
            ("read-only", .uint(1)), ("nothing", .uint(1)), ("word", .string("x")), ("word", .uint(65536)),
            ("text", .string("123456")), ("scaled", .lreal(4000)),
        ])
        #expect(outcomes == [
            .readOnly, .unknownPoint, .typeMismatch(expected: .uint), .outOfRange, .outOfRange, .outOfRange,
        ])
        #expect(server.requests.isEmpty)
        let driver = try bus(server).makeDriver()
        let unknown = await driver.write(device: deviceName("x"), values: [PointValue(point: "word", value: .uint(1))])
        #expect(unknown == [WriteResult(point: "word", outcome: .unknownDevice)])
    }

    @Test("a device that keeps its old value is told by both values")
    func readBackDiffers() async throws {
        let device = FakeDevice([UInt16](repeating: 7, count: 40), ignoresWrites: true)
        let server = FakeServer { [.send(device.answer($0))] }
        defer { server.stop() }
        let outcomes = try await write(server, [("word", .uint(8)), ("flag", .bool(true)), ("scaled", .lreal(2)), ("coil", .bool(false))])
        #expect(outcomes == [
            .readBackDiffers(written: .uint(8), read: .uint(7)), .readBackDiffers(written: .bool(true), read: .bool(false)),
            .readBackDiffers(written: .lreal(2), read: .lreal(0.7)),
            .readBackDiffers(written: .bool(false), read: .bool(true)),
        ])
        #expect(outcomes[0].message.contains("7") && outcomes[0].message.contains("8"))
    }

    @Test("a device without function 22 has its bit changed by reading and writing the register")
    func withoutMaskWrite() async throws {
        let device = FakeDevice([UInt16](repeating: 0x00A5, count: 40), unknownFunctions: [22])
        let server = FakeServer { [.send(device.answer($0))] }
        defer { server.stop() }
        #expect(try await write(server, [("flag", .bool(true)), ("flag", .bool(false))]) == [.written, .written])
        // The second time function 22 is not tried again.
        #expect(server.requests.map(\.function) == [22, 3, 6, 3, 3, 6, 3])
        #expect(device.registers.withLock { $0[4] } == 0x00A5)
    }

    @Test("a device without functions 5 and 6 is written with 15 and 16")
    func withoutSingleWrites() async throws {
        let device = FakeDevice([UInt16](repeating: 0, count: 40), unknownFunctions: [5, 6])
        let server = FakeServer { [.send(device.answer($0))] }
        defer { server.stop() }
        #expect(try await write(server, [("word", .uint(9)), ("coil", .bool(true))]) == [.written, .written])
        #expect(server.requests.map(\.function) == [6, 16, 3, 15, 1])
    }

    @Test("an exception is answered with its reason")
    func exception() async throws {
        let server = FakeServer { [.send($0.exception(3))] }
        defer { server.stop() }
        #expect(try await write(server, [("word", .uint(9))]) == [.failed(.illegalDataValue)])
    }

    @Test("a device that does not answer costs one write and one read-back, however many values there are")
    func silence() async throws {
        let server = FakeServer { _ in [.silence] }
        defer { server.stop() }
        let outcomes = try await write(server, timeout: .milliseconds(50), (0..<20).map { ("word", .uint($0)) })
        #expect(outcomes == Array(repeating: .failed(.timeout), count: 20))
        // The server may not yet have seen the last of them.
        let functions = server.requests.map(\.function)
        #expect(functions.count >= 2 && [6, 3, 3, 3].starts(with: functions))
    }

    @Test("a write whose answer was lost counts as written when the device holds the value")
    func lostAnswer() async throws {
        let device = FakeDevice([UInt16](repeating: 0, count: 40))
        let server = FakeServer { request in
            let answer = device.answer(request)
            return request.function == 6 ? [.silence] : [.send(answer)]
        }
        defer { server.stop() }
        #expect(try await write(server, timeout: .milliseconds(50), [("word", .uint(9))]) == [.written])
        // Never sent twice: what a write sets off may not be harmless to repeat.
        #expect(server.requests.map(\.function) == [6, 3])
    }

    @Test("a write goes before the reads that wait")
    func writesFirst() async throws {
        let device = FakeDevice([UInt16](repeating: 0, count: 2000))
        let server = FakeServer { request in
            // What a request takes on the line: a hundred of them take longer than the interval, so reads always wait.
            usleep(2000)
            return [.send(device.answer(request))]
        }
        defer { server.stop() }
        var bus = bus(server)
        bus.devices[0].points += (0..<100).map { uintPoint("p\($0)", 100 + 10 * $0, .milliseconds(10)) }
        bus.maxGap = 0
        try await DriverRun.with(bus) { run in
            _ = await run.reading()
            for value in 0..<5 {
                let before = server.requests.count
                let results = await run.driver.write(
                    device: name, values: [PointValue(point: "word", value: .uint(UInt64(value)))])
                #expect(results[0].outcome == .written)
                // Of the hundred reads that are always due only those already begun come before.
                let after = server.requests.dropFirst(before)
                #expect((after.firstIndex { $0.function == 6 } ?? .max) - before <= 10)
            }
        }
    }

    @Test("more writes than may wait are refused as busy, and none is lost")
    func busy() async throws {
        let device = FakeDevice([UInt16](repeating: 0, count: 40))
        // The first answer is held until all that are too many have been refused.
        let isOver = DispatchSemaphore(value: 0)
        let server = FakeServer { request in
            if request.number == 0 { isOver.wait() }
            return [.send(device.answer(request))]
        }
        defer { server.stop() }
        let driver = try bus(server, timeout: .seconds(30)).makeDriver()
        let tooMany = 300 - WriteQueue.maxPending
        let name = name
        let outcomes = await withTaskGroup(of: [WriteResult].self) { group in
            for value in 0..<300 {
                group.addTask { await driver.write(device: name, values: [PointValue(point: "word", value: .uint(UInt64(value)))]) }
            }
            return await group.reduce(into: [WriteOutcome]()) { outcomes, results in
                outcomes += results.map(\.outcome)
                if outcomes.count == tooMany { isOver.signal() }
            }
        }
        #expect(outcomes.count == 300)
        #expect(outcomes.prefix(tooMany).allSatisfy { $0 == .busy })
        #expect(outcomes.dropFirst(tooMany).allSatisfy { $0 == .written })
    }
}
