import Core
import Glibc
import Testing

@testable import FieldBus

@Suite("Serial port")
struct SerialPortTests {
    private let terminal = PseudoTerminal()

    private func open(baudRate: Int = 9600, rs485: RS485? = nil) throws(FieldBusError) -> SerialPort {
        var line = SerialLine(serialPort: terminal.path)
        line.baudRate = baudRate
        line.parity = .none
        return try SerialPort(path: terminal.path, line: line, rs485: rs485)
    }

    private func awaitInput(_ descriptor: Int32) -> Int16 {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, 10_000)
        return entry.revents
    }

    @Test("bytes go through both ways as they are")
    func isTransparent() throws {
        defer { terminal.unplug() }
        let port = try open()
        let bytes: [UInt8] = [0, 3, 10, 13, 17, 19, 127, 255]
        try port.write(bytes, deadline: SystemClock.monotonic() + .seconds(10))
        #expect(terminal.receive(bytes.count) == bytes)
        terminal.send(bytes)
        #expect(awaitInput(port.descriptor) & Int16(POLLIN) != 0)
        #expect(try port.read() == bytes)
    }

    @Test("a read that finds nothing is empty")
    func emptyRead() throws {
        defer { terminal.unplug() }
        let port = try open()
        #expect(try port.read().isEmpty)
    }

    @Test("any baud rate can be set", arguments: [50, 9600, 12_345, 250_000, 10_400])
    func anyBaudRate(rate: Int) throws {
        defer { terminal.unplug() }
        let port = try open(baudRate: rate)
        var settings = [UInt8](repeating: 0, count: 64)
        // TCGETS2; c_ospeed is the last of its words.
        #expect(ioctl(port.descriptor, 0x802C_542A, &settings) == 0)
        let speed = settings[40..<44].reversed().reduce(0) { $0 << 8 | Int($1) }
        #expect(speed == rate)
    }

    @Test("a port that is in use is refused with the reason")
    func isExclusive() throws {
        defer { terminal.unplug() }
        let first = try open()
        #expect(throws: FieldBusError.unavailable(what: terminal.path, detail: "another program uses it")) { _ = try open() }
        _ = try first.read()
    }

    @Test("a port that cannot switch RS-485 says so")
    func refusesRS485() throws {
        defer { terminal.unplug() }
        do {
            _ = try open(rs485: RS485())
            Issue.record("opened")
        } catch {
            #expect("\(error)".contains("cannot switch the direction of RS-485"), "\(error)")
        }
    }

    @Test("a port that is unplugged ends the read with an error")
    func unplugged() throws {
        let port = try open()
        terminal.unplug()
        #expect(awaitInput(port.descriptor) & Int16(POLLHUP) != 0)
        #expect(throws: FieldBusError.unavailable(what: "serial port", detail: "it is not there any more")) { try port.read() }
    }

    @Test("a file that is no serial port is refused")
    func noSerialPort() throws {
        defer { terminal.unplug() }
        #expect(throws: FieldBusError.unavailable(what: "/dev/null", detail: "it is not a serial port")) {
            _ = try SerialPort(path: "/dev/null", line: SerialLine(serialPort: "/dev/null"))
        }
    }
}
