import Configuration
import Core
import Glibc
import Synchronization
import Testing

@testable import FieldBus

@Suite("RS-485 by a GPIO line", .timeLimit(.minutes(1)))
struct RS485LineTests {
    /// A level, and how many bytes had left the port when the line got it.
    struct Turn: Equatable {
        var sends: Bool
        var bytes: Int
    }

    /// The far end of a line whose direction is watched.
    final class FarEnd: Sendable {
        let terminal = PseudoTerminal()
        let turns = Mutex<[Turn]>([])
        let times = Mutex<[MonotonicTime]>([])
        /// How many bytes a frame has.
        let frame: Int

        init(frame: Int) { self.frame = frame }

        var chips: ProbedChips {
            ProbedChips { [self] level in
                times.withLock { $0.append(SystemClock.monotonic()) }
                // Nothing else is written while the line is set, so either what is due is here soon, or never.
                let bytes = level ? waiting(for: 1, milliseconds: 30) : waiting(for: frame, milliseconds: 10_000)
                turns.withLock { $0.append(Turn(sends: level, bytes: bytes)) }
            }
        }

        func line(baudRate: Int = 115_200, _ change: (inout RS485Line) -> Void = { _ in }) -> SerialLine {
            var line = SerialLine(serialPort: terminal.path)
            line.baudRate = baudRate
            line.rs485Line = RS485Line(GPIOLineAddress("DE"))
            line.rs485Line?.chips = chips
            if line.rs485Line != nil { change(&line.rs485Line!) }
            return line
        }

        private func waiting(for count: Int, milliseconds: Int) -> Int {
            let end = SystemClock.monotonic() + .milliseconds(milliseconds)
            var there: Int32 = 0
            repeat {
                // FIONREAD, a macro that Swift does not see.
                _ = ioctl(terminal.descriptor, 0x541B, &there)
                if there < count { usleep(500) }
            } while there < count && SystemClock.monotonic() < end
            return Int(there)
        }

        /// Answers a request once the line receives again: before that no answer would get through.
        func answerOnce(_ answer: @escaping @Sendable ([UInt8]) -> [UInt8]) {
            DetachedThread.start(name: "far-end") { [self] in
                while turns.withLock({ $0.last?.sends ?? true }) { usleep(200) }
                terminal.send(FakeSerialDevice.withCheckSum(answer(terminal.receive(frame))))
            }
        }
    }

    @Test("the line sends from before the first byte of a request until the last has left, and then receives the answer")
    func request() throws {
        let far = FarEnd(frame: 8)
        defer { far.terminal.unplug() }
        far.answerOnce(FakeSerialDevice.registers)
        var connection = try ModbusConnection(.rtu(far.line()))
        try connection.read(.holdingRegister, unit: 1, startingAddress: 7, quantity: 2, timeout: .seconds(10))
        #expect(Array(connection.registers(2)) == [7, 8])
        #expect(far.turns.withLock { $0 } == [Turn(sends: true, bytes: 0), Turn(sends: false, bytes: 8)])
    }

    @Test("the line sends a broadcast, which libmodbus knows nothing of, in the same way")
    func broadcast() throws {
        let far = FarEnd(frame: 8)
        defer { far.terminal.unplug() }
        var connection = try ModbusConnection(.rtu(far.line()))
        try connection.writeRegisters([1], unit: 0, address: 3, multiple: false, timeout: .seconds(1))
        #expect(far.turns.withLock { $0 } == [Turn(sends: true, bytes: 0), Turn(sends: false, bytes: 8)])
    }

    @Test("a traced request is on the line before it receives")
    func traced() throws {
        let far = FarEnd(frame: 8)
        defer { far.terminal.unplug() }
        far.answerOnce(FakeSerialDevice.registers)
        var connection = try ModbusConnection(.rtu(far.line()))
        connection.trace { _, _ in }
        try connection.read(.holdingRegister, unit: 1, startingAddress: 7, quantity: 2, timeout: .seconds(10))
        #expect(far.turns.withLock { $0 } == [Turn(sends: true, bytes: 0), Turn(sends: false, bytes: 8)])
    }

    @Test("text is sent in the same way")
    func text() throws {
        let far = FarEnd(frame: 5)
        defer { far.terminal.unplug() }
        let port = try far.line().open()
        try port.write(Array("hello".utf8), deadline: SystemClock.monotonic() + .seconds(10))
        #expect(far.turns.withLock { $0 } == [Turn(sends: true, bytes: 0), Turn(sends: false, bytes: 5)])
    }

    @Test("the line sends for as long as the frame takes, of a port that does not tell when it has sent")
    func frameTime() throws {
        let far = FarEnd(frame: 8)
        defer { far.terminal.unplug() }
        far.answerOnce(FakeSerialDevice.registers)
        // 8 characters of 11 bits at 1200 baud take 73.3 ms.
        var connection = try ModbusConnection(.rtu(far.line(baudRate: 1200)))
        try connection.read(.holdingRegister, unit: 1, startingAddress: 7, quantity: 2, timeout: .seconds(10))
        let times = far.times.withLock { $0 }
        #expect(times.count == 2 && times[1] - times[0] >= .milliseconds(73))
    }

    @Test("the delays lie between the line and the bits")
    func delays() throws {
        let far = FarEnd(frame: 8)
        defer { far.terminal.unplug() }
        let times = Mutex<[MonotonicTime]>([])
        let line = try ProbedChips { _ in times.withLock { $0.append(SystemClock.monotonic()) } }.request(
            ProbedChips.chip, offset: 0, GPIOLineSettings(direction: .output(initial: false)), consumer: "")
        let turning = RS485Switch(
            line, delayBeforeSend: .milliseconds(20), delayAfterSend: .milliseconds(30), timing: SerialTiming(far.line()))
        try turning.begin()
        let begun = SystemClock.monotonic()
        var looks = 0
        var sent = MonotonicTime.zero
        try turning.end(bytes: 0) {
            looks += 1
            sent = SystemClock.monotonic()
            return looks == 3
        }
        let set = times.withLock { $0 }
        #expect(looks == 3)
        #expect(set.count == 2 && begun - set[0] >= .milliseconds(20) && set[1] - sent >= .milliseconds(30))
    }

    @Test("the line is taken as an output that receives, active low if it is said so", arguments: [true, false])
    func settings(activeLow: Bool) throws {
        let chips = ProbedChips { _ in }
        let far = FarEnd(frame: 0)
        defer { far.terminal.unplug() }
        let line = far.line {
            $0.chips = chips
            $0.activeLow = activeLow
        }
        _ = try line.open()
        #expect(chips.requests.map(\.direction) == [.output(initial: false)] && chips.requests.map(\.activeLow) == [activeLow])
    }

    @Test("a line that cannot be set ends the request, and the line is opened anew")
    func failing() throws {
        let far = FarEnd(frame: 8)
        defer { far.terminal.unplug() }
        let chips = ProbedChips { _ throws(FieldBusError) in throw .unavailable(what: "gpiochip0 line 0", detail: "gone") }
        var connection = try ModbusConnection(.rtu(far.line { $0.chips = chips }))
        for opens in 1...2 {
            #expect(throws: RequestFailure.broken("gpiochip0 line 0: gone")) {
                try connection.read(.holdingRegister, unit: 1, startingAddress: 0, quantity: 1, timeout: .milliseconds(20))
            }
            #expect(connection.opens == UInt64(opens) && !connection.isOpen)
        }
        #expect(chips.requests.count == 2)
    }

    // MARK: On a bus

    private static let chip = GPIOChip(path: "/dev/gpiochip0", label: "simulated", lines: [GPIOChip.Line(name: "DE")])

    private func bus(_ serial: FakeSerialDevice, _ chips: SimulatedGPIOChips, _ name: String = "DE") -> ModbusBus {
        var line = SerialLine(serialPort: serial.path)
        line.baudRate = 115_200
        line.rs485Line = RS485Line(GPIOLineAddress(name))
        line.rs485Line?.chips = chips
        var bus = ModbusBus(name: "line", transport: .rtu(line))
        bus.maxBackOff = .milliseconds(100)
        bus.devices = [ModbusDevice(identifier: deviceName("a"), unitIdentifier: 1, points: [uintPoint("p", 7)])]
        return bus
    }

    private func detail(_ event: BusEvent?) -> String? { if case .openFailed(let detail) = event { detail } else { nil } }

    @Test("a line that is in use keeps the bus closed until it is free")
    func inUse() async throws {
        let serial = FakeSerialDevice { request, _ in FakeSerialDevice.registers(request) }
        defer { serial.stop() }
        let chips = SimulatedGPIOChips([Self.chip])
        let taken = Mutex<(any GPIOLine)?>(nil)
        let settings = GPIOLineSettings(direction: .output(initial: true))
        try taken.withLock { $0 = try chips.request(Self.chip, offset: 0, settings, consumer: "other") }
        try await BusRun.with(bus(serial, chips)) { run in
            let event = await run.event { detail($0) != nil }
            #expect(detail(event) == "/dev/gpiochip0 line 0: it is in use")
            #expect(await run.sample("p")?.quality == .bad(.notConnected))
            taken.withLock { $0 = nil }
            #expect(await run.sample("p") { $0.quality.isGood }?.value == .uint(7))
        }
        #expect(chips.settings("gpiochip0", 0) == nil, "the line is given back")
        #expect(!chips.isHigh("gpiochip0", 0), "the line receives at the end")
    }

    @Test("a line that is not there keeps the bus closed, and the reason names those that are")
    func missing() async throws {
        let serial = FakeSerialDevice { request, _ in FakeSerialDevice.registers(request) }
        defer { serial.stop() }
        try await BusRun.with(bus(serial, SimulatedGPIOChips([Self.chip]), "RTS")) { run in
            let event = await run.event { detail($0) != nil }
            #expect(detail(event) == "GPIO line RTS: there is no line RTS; there are DE")
        }
    }
}
