import Core
import FieldBus
import Synchronization
import Testing

/// Each function against the simulator, over each way to a device.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ModbusFunctionTests {
    static let timeout = Duration.seconds(2)

    static func unit() -> SimulatedUnit {
        var unit = SimulatedUnit()
        unit.fill(.holdingRegister, 0...199)
        unit.fill(.inputRegister, 0...9)
        unit.fill(.coil, 0...99)
        unit.fill(.discreteInput, 0...9)
        return unit
    }

    static func connect(_ framing: ModbusFraming, units: [Int] = [1], _ body: (inout ModbusConnection) throws -> Void) throws {
        let simulator = try ModbusSimulator(
            .tcp(address: "127.0.0.1", port: 0, framing: framing),
            units: Dictionary(uniqueKeysWithValues: units.map { ($0, unit()) }))
        defer { simulator.stop() }
        var connection = try ModbusConnection(
            framing == .tcp
                ? .tcp(host: "127.0.0.1", port: simulator.port) : .rtuOverTCP(host: "127.0.0.1", port: simulator.port))
        try body(&connection)
    }

    @Test("all areas are read, over TCP and RTU over TCP", arguments: [ModbusFraming.tcp, .rtu])
    func reads(framing: ModbusFraming) throws {
        try Self.connect(framing) { connection in
            try connection.read(.holdingRegister, unit: 1, startingAddress: 3, quantity: 2, timeout: Self.timeout)
            #expect(Array(connection.registers(2)) == [3, 4])
            try connection.read(.inputRegister, unit: 1, startingAddress: 9, quantity: 1, timeout: Self.timeout)
            #expect(Array(connection.registers(1)) == [9])
            try connection.read(.coil, unit: 1, startingAddress: 0, quantity: 20, timeout: Self.timeout)
            #expect(Array(connection.bits(20)) == (0..<20).map { UInt8($0 & 1) })
            try connection.read(.discreteInput, unit: 1, startingAddress: 1, quantity: 1, timeout: Self.timeout)
            #expect(Array(connection.bits(1)) == [1])
        }
    }

    @Test("functions 5, 6, 15, 16, 22 and 23 do what the standard says", arguments: [ModbusFraming.tcp, .rtu])
    func writes(framing: ModbusFraming) throws {
        try Self.connect(framing) { connection in
            try connection.writeCoil(true, unit: 1, address: 0, multiple: false, timeout: Self.timeout)
            try connection.writeCoils([false, true, true], unit: 1, address: 1, timeout: Self.timeout)
            try connection.read(.coil, unit: 1, startingAddress: 0, quantity: 4, timeout: Self.timeout)
            #expect(Array(connection.bits(4)) == [1, 0, 1, 1])
            try connection.writeRegisters([700], unit: 1, address: 10, multiple: false, timeout: Self.timeout)
            try connection.writeRegisters([800, 900], unit: 1, address: 11, multiple: true, timeout: Self.timeout)
            // The example of §6.16: 0x12 becomes 0x17.
            try connection.writeRegisters([0x12], unit: 1, address: 13, multiple: false, timeout: Self.timeout)
            try connection.maskWriteRegister(and: 0xF2, or: 0x25, unit: 1, address: 13, timeout: Self.timeout)
            try connection.writeAndReadRegisters(
                [5, 6], at: 14, unit: 1, startingAddress: 10, quantity: 6, timeout: Self.timeout)
            #expect(Array(connection.registers(6)) == [700, 800, 900, 0x17, 5, 6])
        }
    }

    @Test("a device says who it is", arguments: [ModbusFraming.tcp, .rtu])
    func identification(framing: ModbusFraming) throws {
        try Self.connect(framing) { connection in
            for _ in 0..<3 {
                let who = try connection.readDeviceIdentification(unit: 1, timeout: Self.timeout)
                #expect(who.vendorName == "Martlet" && who.productCode == "simulator")
                // And the connection goes on.
                try connection.read(.holdingRegister, unit: 1, startingAddress: 7, quantity: 1, timeout: Self.timeout)
                #expect(connection.registers(1)[0] == 7)
            }
        }
    }

    @Test("what is not there is refused with exception 2, and what is no function with 1")
    func refusals() throws {
        try Self.connect(.tcp) { connection in
            #expect(throws: RequestFailure.exception(2)) {
                try connection.read(.inputRegister, unit: 1, startingAddress: 5, quantity: 10, timeout: Self.timeout)
            }
            #expect(throws: RequestFailure.exception(2)) {
                try connection.writeRegisters([1, 2], unit: 1, address: 199, multiple: true, timeout: Self.timeout)
            }
        }
    }

    @Test("a broadcast reaches every device of a serial line, is not waited for, and leaves them time")
    func broadcast() throws {
        try Self.connect(.rtu, units: [1, 2]) { connection in
            let start = SystemClock.monotonic()
            try connection.writeRegisters([4711], unit: 0, address: 5, multiple: false, timeout: .seconds(30))
            try connection.writeCoils([true, true], unit: 0, address: 0, timeout: .seconds(30))
            try connection.maskWriteRegister(and: 0, or: 0xABCD, unit: 0, address: 6, timeout: .seconds(30))
            for unit in 1...2 {
                try connection.read(.holdingRegister, unit: unit, startingAddress: 5, quantity: 2, timeout: Self.timeout)
                #expect(Array(connection.registers(2)) == [4711, 0xABCD])
                try connection.read(.coil, unit: unit, startingAddress: 0, quantity: 2, timeout: Self.timeout)
                #expect(Array(connection.bits(2)) == [1, 1])
            }
            #expect(SystemClock.monotonic() - start >= .milliseconds(600))
        }
    }

    @Test("unit 0 of Modbus TCP is a device like any other")
    func unitZero() throws {
        try Self.connect(.tcp, units: [0]) { connection in
            try connection.writeRegisters([3], unit: 0, address: 5, multiple: false, timeout: Self.timeout)
            try connection.read(.holdingRegister, unit: 0, startingAddress: 5, quantity: 1, timeout: Self.timeout)
            #expect(connection.registers(1)[0] == 3)
        }
    }

    @Test("a trace has every frame as it was on the line, and can be switched while the line is open", arguments: [ModbusFraming.tcp, .rtu])
    func trace(framing: ModbusFraming) throws {
        try Self.connect(framing) { connection in
            func read(_ connection: inout ModbusConnection, _ address: Int) throws {
                try connection.read(.holdingRegister, unit: 1, startingAddress: address, quantity: 1, timeout: Self.timeout)
                #expect(connection.registers(1)[0] == UInt16(address))
            }
            let exchanges = Mutex<[TracedExchange]>([])
            try read(&connection, 1)
            connection.trace { _, exchange in exchanges.withLock { $0.append(exchange) } }
            try read(&connection, 2)
            try read(&connection, 3)
            connection.trace(nil)
            try read(&connection, 4)
            #expect(connection.opens == 1)
            let seen = exchanges.withLock { $0 }
            try #require(seen.count == 2)
            for (exchange, address) in zip(seen, [2, 3]) {
                #expect(exchange.frames.map(\.direction) == [.sent, .received])
                #expect(exchange.frames[0].text.hasSuffix("unit 1: read holding-register \(address), quantity 1"))
                #expect(exchange.frames[1].text.hasSuffix("unit 1: holding-register: \(address)"))
                #expect(try #require(exchange.answerTime) > .zero)
                #expect(exchange.failure == nil)
            }
        }
    }

    @Test("a trace also shows what was not an answer")
    func traceOfGarbage() throws {
        let server = FakeServer { request in [.send([1, 2, 3, 4, 5, 6, 7, 8, 9])] }
        defer { server.stop() }
        var connection = try ModbusConnection(.tcp(host: "127.0.0.1", port: server.port))
        let exchanges = Mutex<[TracedExchange]>([])
        connection.trace { _, exchange in exchanges.withLock { $0.append(exchange) } }
        #expect(throws: RequestFailure.self) {
            try connection.read(.holdingRegister, unit: 1, startingAddress: 0, quantity: 1, timeout: .milliseconds(200))
        }
        let seen = try #require(exchanges.withLock { $0.first })
        #expect(seen.frames.last?.bytes == [1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(seen.failure != nil)
    }

    @Test("the pause between requests is kept")
    func pause() throws {
        try Self.connect(.tcp) { connection in
            connection.pause = .milliseconds(50)
            let start = SystemClock.monotonic()
            for _ in 0..<4 {
                try connection.read(.holdingRegister, unit: 1, startingAddress: 0, quantity: 1, timeout: Self.timeout)
            }
            #expect(SystemClock.monotonic() - start >= .milliseconds(150))
        }
    }

    @Test("a server of RTU over TCP that goes away and comes back is connected again")
    func reconnects() throws {
        var connection: ModbusConnection
        let port: Int
        do {
            let first = try ModbusSimulator(.tcp(address: "127.0.0.1", port: 0, framing: .rtu), units: [1: Self.unit()])
            port = first.port
            connection = try ModbusConnection(.rtuOverTCP(host: "127.0.0.1", port: port))
            try connection.read(.holdingRegister, unit: 1, startingAddress: 0, quantity: 1, timeout: Self.timeout)
            first.stop()
        }
        var failures = 0
        while failures < 1000 {
            do throws(RequestFailure) {
                try connection.read(.holdingRegister, unit: 1, startingAddress: 0, quantity: 1, timeout: Self.timeout)
                failures += 1
            } catch {
                #expect(error.reason == .notConnected)
                break
            }
        }
        // The first closes its port soon, not at once.
        var second: ModbusSimulator?
        let deadline = SystemClock.monotonic() + .seconds(20)
        while second == nil, SystemClock.monotonic() < deadline {
            second = try? ModbusSimulator(.tcp(address: "127.0.0.1", port: port, framing: .rtu), units: [1: Self.unit()])
        }
        defer { second?.stop() }
        try connection.read(.holdingRegister, unit: 1, startingAddress: 8, quantity: 1, timeout: Self.timeout)
        #expect(connection.registers(1)[0] == 8)
    }
}
