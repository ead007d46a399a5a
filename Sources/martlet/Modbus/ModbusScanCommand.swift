import ArgumentParser
import Core
import FieldBus

struct ModbusScanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan", abstract: "Finds out which devices answer on a line.",
        discussion: """
            Each unit identifier is asked for one register. Whoever answers is there, be it with an exception, and is then asked \
            who it is (function 43/14). A gateway's word that it does not reach a device counts as none.
            """)

    @OptionGroup var line: ModbusLineOptions

    @Option(help: "The first unit identifier.")
    var from = 1

    @Option(help: "The last unit identifier.")
    var to = 247

    @Option(help: "How long a device may take to answer.")
    var timeout = DurationArgument(.milliseconds(200))

    @Option(name: [.customShort("a"), .long], help: "What is asked for: coil, discrete-input, input-register or holding-register.")
    var area = ModbusArea.holdingRegister

    @Option(name: [.customShort("r"), .long], help: "The register or bit that is asked for, counted from 0.")
    var address = 0

    @Option(help: "Of a serial line: the speeds to try, such as 9600,19200 (default: --baud-rate).")
    var baudRates: String?

    @Option(help: "Of a serial line: the parities to try, such as none,even (default: --parity).")
    var parities: String?

    @Flag(help: "Shows the frames.")
    var trace = false

    func validate() throws {
        guard from >= 0, from <= to, to <= 255 else { throw ValidationError("--from and --to are 0…255, in order") }
        guard line.transport.framing == .tcp || (from >= 1 && to <= 247) else {
            throw ValidationError("units of a serial line are 1…247")
        }
        guard (0...65_535).contains(address) else { throw ValidationError("--address is 0…65535") }
        guard timeout.duration >= .milliseconds(10), timeout.duration <= .seconds(60) else {
            throw ValidationError("--timeout is 10ms…60s")
        }
        guard line.serial != nil || (baudRates == nil && parities == nil) else {
            throw ValidationError("--baud-rates and --parities go with --serial")
        }
        _ = try transports()
    }

    /// The line with each speed and parity, and a name for it where there are several.
    private func transports() throws -> [(transport: ModbusTransport, name: String)] {
        guard let path = line.serial else { return [(line.transport, "")] }
        let rates = baudRates.map { $0.split(separator: ",").map { Int($0) ?? 0 } } ?? [line.settings.baudRate]
        guard !rates.isEmpty, rates.allSatisfy(SerialLine.supportedBaudRates.contains) else {
            throw ValidationError("--baud-rates are speeds with commas between: 9600,19200")
        }
        let words = parities.map { $0.split(separator: ",").map { SerialLine.Parity(rawValue: String($0)) } } ?? [line.settings.parity]
        let kinds = words.compactMap { $0 }
        guard !words.isEmpty, kinds.count == words.count else {
            throw ValidationError("--parities are none, even or odd with commas between")
        }
        return rates.flatMap { rate in
            kinds.map { parity in
                var serial = line.line(path)
                serial.baudRate = rate
                serial.parity = parity
                return (.rtu(serial), rates.count * kinds.count > 1 ? "\(rate) baud, parity \(parity.rawValue): " : "")
            }
        }
    }

    func run() throws {
        var found = 0
        for (transport, name) in try transports() {
            var connection = try ModbusOutput.open(transport, trace: trace)
            for unit in from...to {
                do throws(RequestFailure) {
                    guard let text = try ask(unit, &connection) else { continue }
                    found += 1
                    Console.print("\(name)unit \(unit): \(text)")
                } catch {
                    throw ModbusOutput.exit(error)
                }
            }
            connection.close()
        }
        Console.print(found == 0 ? "nobody answers" : "\(found) found")
        if found == 0 { throw ExitCode(1) }
    }

    /// What is there, in words; nil for nothing.
    ///
    /// - Throws: when nobody could be asked.
    private func ask(_ unit: Int, _ connection: inout ModbusConnection) throws(RequestFailure) -> String? {
        var text: String
        do throws(RequestFailure) {
            do throws(RequestFailure) {
                try request(unit, &connection)
            } catch {
                // What came may have been another device's answer, which was late.
                guard case .badFrame = error else { throw error }
                try request(unit, &connection)
            }
            text = "answers"
        } catch {
            switch error {
            case .openFailed: throw error
            case .exception where error.isAnswer: text = error.detail
            case .badFrame: return "something answers, with a frame that cannot be read: \(error.detail)"
            case .exception, .timeout, .broken: return nil
            }
        }
        if let who = try? connection.readDeviceIdentification(unit: unit, timeout: timeout.duration) {
            let words = [who.vendorName, who.productCode, who.revision].filter { !$0.isEmpty }
            if !words.isEmpty { text += "; " + words.joined(separator: ", ") }
        }
        return text
    }

    private func request(_ unit: Int, _ connection: inout ModbusConnection) throws(RequestFailure) {
        try connection.read(area, unit: unit, startingAddress: address, quantity: 1, timeout: timeout.duration)
    }
}
