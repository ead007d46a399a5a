import Appliance
import ArgumentParser
import Configuration
import Core
import FieldBus
import Glibc

struct ModbusSimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Serves simulated devices over Modbus TCP or on a serial line.",
        discussion: """
            With a configuration file the devices of --bus have their points, at their unit identifiers; values move, and what \
            can be written keeps what was written. Without a file each --unit has the areas given, and registers hold their own \
            addresses. Addresses that are not there are refused with exception 2.
            """)

    @Argument(help: "A configuration file whose devices are simulated.")
    var file: String?

    @Option(help: "With a file: the bus whose devices are simulated. Not needed when there is one.")
    var bus: String?

    @Option(help: "Without a file: the units, such as 1-10,17.")
    var units = "1"

    @Option(help: "Without a file: ranges of addresses, such as 0-99,200-299.")
    var holdingRegisters = "0-999"

    @Option(help: "Likewise.")
    var inputRegisters = "0-999"

    @Option(help: "Likewise.")
    var coils = "0-999"

    @Option(help: "Likewise.")
    var discreteInputs = "0-999"

    @Option(help: "The IPv4 address to listen at.")
    var address = "127.0.0.1"

    @Option(help: "The TCP port; 0 takes a free one, and it is printed.")
    var port = 502

    @Flag(help: "RTU frames over TCP.")
    var rtu = false

    @Option(help: "The serial port to serve instead of TCP.")
    var serial: String?

    @OptionGroup var settings: SerialSettingsOptions

    @Option(help: "How long each answer takes.")
    var delay = DurationArgument(.zero)

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is 0…65535") }
        guard delay.duration <= .seconds(60) else { throw ValidationError("--delay is at most 60s") }
        guard bus == nil || file != nil else { throw ValidationError("--bus goes with a file") }
        if file == nil { _ = try rangedUnits() }
    }

    func run() async throws {
        let units = try file.map(configuredUnits) ?? rangedUnits()
        let simulator: ModbusSimulator
        do throws(FieldBusError) {
            simulator = try ModbusSimulator(simulatedLine, units: units, delay: delay.duration, maxClients: 1000)
        } catch {
            throw ExitCode.after(error)
        }
        let names = units.keys.sorted().map(String.init).joined(separator: ", ")
        Console.print("units \(names) at \(serial ?? "\(address) port \(simulator.port)")")
        await withCheckedContinuation { stopped in StopSignals.wait { stopped.resume() } }
        simulator.stop()
    }

    private var simulatedLine: ModbusSimulator.Line {
        guard let serial else { return .tcp(address: address, port: port, framing: rtu ? .rtu : .tcp) }
        return .serial(settings.line(serial))
    }

    private func rangedUnits() throws -> [Int: SimulatedUnit] {
        var made = SimulatedUnit()
        let areas: [(ModbusArea, String, String)] = [
            (.holdingRegister, holdingRegisters, "--holding-registers"), (.inputRegister, inputRegisters, "--input-registers"),
            (.coil, coils, "--coils"), (.discreteInput, discreteInputs, "--discrete-inputs"),
        ]
        for (area, text, option) in areas {
            for range in try ModbusSimulateCommand.ranges(text, 0...65_535, option) { made.fill(area, range) }
        }
        var units: [Int: SimulatedUnit] = [:]
        for range in try ModbusSimulateCommand.ranges(self.units, 0...255, "--units") {
            for unit in range { units[unit] = made }
        }
        guard !units.isEmpty else { throw ValidationError("--units are 0…255, such as 1-10,17") }
        return units
    }

    /// "0-99,200": its ranges. An empty text has none.
    private static func ranges(_ text: String, _ limits: ClosedRange<Int>, _ option: String) throws -> [ClosedRange<Int>] {
        try text.split(separator: ",").map { part in
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard let first = ends[0], ends.count <= 2, let last = ends.last ?? nil, first <= last, limits.contains(first),
                limits.contains(last)
            else { throw ValidationError("\(option): \(part) is no range of \(limits.lowerBound)…\(limits.upperBound), such as 0-99") }
            return first...last
        }
    }

    private func configuredUnits(_ file: String) throws -> [Int: SimulatedUnit] {
        let buses = try ModbusPlanCommand.buses(file, named: bus)
        guard buses.count == 1, let bus = buses.first else {
            Console.error("martlet: the file has \(buses.count) Modbus buses; --bus names the one to simulate")
            throw ExitCode(1)
        }
        return Dictionary(
            bus.devices.map { ($0.unitIdentifier, SimulatedUnit(points: $0.points)) }, uniquingKeysWith: { first, _ in first })
    }
}
