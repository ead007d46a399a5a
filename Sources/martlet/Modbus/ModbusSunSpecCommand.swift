import ArgumentParser
import Configuration
import Core
import FieldBus

struct ModbusSunSpecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sunspec", abstract: "Shows the SunSpec models of a device with their present values, or makes a profile of them.")

    @OptionGroup var line: ModbusLineOptions
    @OptionGroup var unit: ModbusUnitOptions

    @Flag(help: "Prints a device profile instead: points at the addresses and with the scale factors that the device has now.")
    var profile = false

    func validate() throws {
        guard !(line.transport.framing == .rtu && unit.unit == 0) else {
            throw ValidationError("--unit 0 of a serial line is all of its devices, and none would answer")
        }
    }

    func run() throws {
        var connection = try ModbusOutput.open(line.transport, trace: unit.trace && !profile)
        let found: SunSpecDevice?
        do throws(RequestFailure) {
            found = try SunSpecDevice.walk { address, quantity throws(RequestFailure) in
                try unit.attempt(&connection) { connection throws(RequestFailure) in
                    try connection.read(
                        .holdingRegister, unit: unit.unit, startingAddress: address, quantity: quantity,
                        timeout: unit.timeout.duration)
                }
                return Array(connection.registers(quantity))
            }
        } catch {
            throw ModbusOutput.exit(error)
        }
        guard let device = found else {
            let bases = SunSpecDevice.bases.map { "\($0)" }.joined(separator: ", ")
            Console.error("martlet: unit \(unit.unit) has no SunSpec models: there is no \"SunS\" at any of \(bases)")
            throw ExitCode(1)
        }
        if profile {
            let protocolName = line.transport.framing == .tcp ? "modbus-tcp" : "modbus-rtu"
            let text = ConfigurationPrinter.file(of: device.profile(protocol: protocolName))
            try Console.write(Array(text.utf8))
        } else {
            Console.print(ModbusSunSpecCommand.text(device))
        }
        if let warning = ModbusSunSpecCommand.warning(device.end) { Console.error("martlet: \(warning)") }
    }

    private static func text(_ device: SunSpecDevice) -> String {
        var lines = ["SunSpec models from holding-register \(device.base)"]
        for (model, readings) in zip(device.models, device.readings) {
            let name = model.name.map { " (\($0))" } ?? ""
            let note = model.name == nil ? ": not known here" : model.registers == nil ? ": could not be read" : ""
            lines.append("model \(model.identifier)\(name) at \(model.address), \(model.length) registers\(note)")
            for reading in readings {
                let unit = reading.unit.map { " \($0)" } ?? ""
                lines.append("  \(reading.identifier)\t\(plain(reading.value.digits))\(unit)")
            }
        }
        return lines.joined(separator: "\n")
    }

    /// Text of a device on one line.
    private static func plain(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 || (127..<160).contains($0.value) ? "\u{FFFD}" : $0 }))
    }

    private static func warning(_ end: SunSpecDevice.End) -> String? {
        switch end {
        case .endModel: nil
        case .pastLastRegister: "the list of models leads beyond register 65535; what was found before is shown"
        case .tooMany: "there are more than \(SunSpecDevice.maxModels) models; the first of them are shown"
        case .failed(let failure): "the list of models ends without an end: \(failure.detail)"
        }
    }
}
