import ArgumentParser
import Core
import FieldBus

struct ModbusTraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace", abstract: "Reads again and again and shows every frame, with its time, in words and in bytes.")

    @OptionGroup var line: ModbusLineOptions
    @OptionGroup var unit: ModbusUnitOptions
    @OptionGroup var place: RegisterOptions

    @Option(help: "How many registers or bits.")
    var quantity = 1

    @Option(help: "Time between two requests.")
    var interval = DurationArgument(.seconds(1))

    @Option(help: "How often (default: until the program is stopped).")
    var times: Int?

    func validate() throws {
        let point = try place.point(writable: false)
        guard (1...point.area.maxQuantity).contains(quantity), point.address + quantity <= 65_536 else {
            throw ValidationError("--quantity is 1…\(point.area.maxQuantity)")
        }
        guard times.map({ $0 >= 1 }) ?? true else { throw ValidationError("--times is at least 1") }
    }

    func run() throws {
        var connection = try ModbusOutput.open(line.transport, trace: true)
        var left = times ?? Int.max
        while left > 0 {
            do throws(RequestFailure) {
                try unit.attempt(&connection) { connection throws(RequestFailure) in
                    try connection.read(
                        place.area, unit: unit.unit, startingAddress: place.address, quantity: quantity,
                        timeout: unit.timeout.duration)
                }
            } catch {
                // What came of a request that was made is in the trace.
                if case .openFailed(let detail) = error { Console.error("martlet: \(detail)") }
            }
            left -= 1
            if left > 0 { SystemClock.sleep(for: interval.duration) }
        }
    }
}
