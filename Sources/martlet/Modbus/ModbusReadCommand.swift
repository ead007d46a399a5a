import ArgumentParser
import Core
import FieldBus

struct ModbusReadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "read", abstract: "Reads values of a device and prints them, one a line.",
        discussion: "Functions 1 to 4. Addresses count from 0, as they go over the line: 40001 of a manual is holding-register 0.")

    @OptionGroup var line: ModbusLineOptions
    @OptionGroup var unit: ModbusUnitOptions
    @OptionGroup var place: RegisterOptions

    @Option(help: "How many values.")
    var count = 1

    @Option(help: "The most registers that one request asks for.")
    var maxQuantity = 125

    @Option(help: "Reads again after this time, until the program is stopped or --times is over.")
    var interval: DurationArgument?

    @Option(help: "With --interval: how often.")
    var times: Int?

    @Flag(help: "Also the registers as they are, in hexadecimal.")
    var raw = false

    func validate() throws {
        guard (1...65_536).contains(count) else { throw ValidationError("--count is 1…65536") }
        let point = try place.point(writable: false)
        guard point.address + count * point.quantity <= 65_536 else { throw ValidationError("the values end after 65535") }
        guard (1...2000).contains(maxQuantity) else { throw ValidationError("--max-quantity is 1…2000") }
        guard !(line.transport.framing == .rtu && unit.unit == 0) else {
            throw ValidationError("--unit 0 of a serial line is all of its devices, and none would answer")
        }
        guard times.map({ $0 >= 1 }) ?? true, times == nil || interval != nil else {
            throw ValidationError("--times is at least 1 and goes with --interval")
        }
    }

    func run() throws {
        var connection = try ModbusOutput.open(line.transport, trace: unit.trace)
        var left = times ?? (interval == nil ? 1 : Int.max)
        while true {
            do throws(RequestFailure) {
                try read(&connection)
            } catch {
                let status = ModbusOutput.exit(error)
                if interval == nil { throw status }
            }
            left -= 1
            guard left > 0, let interval else { return }
            SystemClock.sleep(for: interval.duration)
        }
    }

    private func read(_ connection: inout ModbusConnection) throws(RequestFailure) {
        let point = place.checkedPoint
        let size = point.quantity
        // A value is never split over two requests.
        let each = max(1, min(maxQuantity, point.area.maxQuantity) / size)
        var done = 0
        while done < count {
            let number = min(each, count - done)
            let start = point.address + done * size
            let quantity = number * size
            try unit.attempt(&connection) { connection throws(RequestFailure) in
                try connection.read(
                    point.area, unit: unit.unit, startingAddress: start, quantity: quantity, timeout: unit.timeout.duration)
            }
            var lines: [String] = []
            for index in 0..<number {
                let address = start + index * size
                if point.area.holdsBits {
                    lines.append("\(address)\t\(connection.bits(quantity)[index] != 0)")
                } else {
                    let registers = Array(connection.registers(quantity)[index * size..<(index + 1) * size])
                    lines.append("\(address)\t" + place.text(registers) + (raw ? "\t" + place.hexadecimal(registers) : ""))
                }
            }
            Console.print(lines.joined(separator: "\n"))
            done += number
        }
    }
}
