import ArgumentParser
import Core
import FieldBus

/// Which line, and how it is spoken to.
struct ModbusLineOptions: ParsableArguments {
    @Option(help: "Name or address of the device or gateway: Modbus TCP.")
    var host: String?

    @Option(help: "TCP port.")
    var port = 502

    @Flag(help: "With --host: RTU frames over TCP, to a device server with a serial line.")
    var rtu = false

    @Option(help: "The serial port: Modbus RTU.")
    var serial: String?

    @OptionGroup var settings: SerialSettingsOptions

    @Option(help: "With --serial: the GPIO line that is active while the port sends, for an RS-485 transceiver that nothing else switches. Chip and offset or name, such as gpiochip0:18.")
    var rs485Line: String?

    func validate() throws {
        guard (host == nil) != (serial == nil) else { throw ValidationError("give either --host or --serial") }
        guard (1...65_535).contains(port) else { throw ValidationError("--port is 1…65535") }
        guard host != nil || !rtu else { throw ValidationError("--rtu goes with --host; --serial is always RTU") }
        guard serial != nil || rs485Line == nil else { throw ValidationError("--rs485-line goes with --serial") }
        guard SerialLine.supportedBaudRates.contains(settings.baudRate) else {
            throw ValidationError("--baud-rate \(settings.baudRate) is not supported (9600, 19200, …)")
        }
        guard (1...2).contains(settings.stopBits) else { throw ValidationError("--stop-bits is 1 or 2") }
    }

    var transport: ModbusTransport {
        if let serial { return .rtu(line(serial)) }
        let host = host ?? ""
        return rtu ? .rtuOverTCP(host: host, port: port) : .tcp(host: host, port: port)
    }

    func line(_ path: String) -> SerialLine {
        var line = settings.line(path)
        line.rs485Line = rs485Line.map { RS485Line(GPIOLineAddress($0)) }
        return line
    }
}

/// The characters of a serial line.
struct SerialSettingsOptions: ParsableArguments {
    @Option(help: "Speed of the serial line, in bit/s.")
    var baudRate = 9600

    @Option(help: "Parity of the serial line: none, even or odd.")
    var parity = SerialLine.Parity.even

    @Option(help: "Stop bits of the serial line, 1 or 2.")
    var stopBits = 1

    func line(_ path: String) -> SerialLine {
        var line = SerialLine(serialPort: path)
        line.baudRate = baudRate
        line.parity = parity
        line.stopBits = stopBits
        return line
    }
}

/// One device of a line.
struct ModbusUnitOptions: ParsableArguments {
    @Option(name: [.customShort("u"), .long], help: "Unit identifier. 0 of a serial line is all of its devices: written to, without an answer.")
    var unit = 1

    @Option(help: "How long the device may take to answer.")
    var timeout = DurationArgument(.seconds(1))

    @Option(help: "How often a request without an answer is repeated.")
    var retries = 0

    @Flag(help: "Shows the frames.")
    var trace = false

    func validate() throws {
        guard (0...255).contains(unit) else { throw ValidationError("--unit is 0…255") }
        guard (0...100).contains(retries) else { throw ValidationError("--retries is 0…100") }
        guard timeout.duration >= .milliseconds(10), timeout.duration <= .seconds(60) else {
            throw ValidationError("--timeout is 10ms…60s")
        }
    }

    /// One request, repeated as the options say.
    func attempt(
        _ connection: inout ModbusConnection, _ request: (inout ModbusConnection) throws(RequestFailure) -> Void
    ) throws(RequestFailure) {
        var left = retries
        while true {
            do throws(RequestFailure) {
                return try request(&connection)
            } catch {
                if error.isAnswer || left == 0 { throw error }
                left -= 1
            }
        }
    }
}
