import Appliance
import ArgumentParser
import Core
import FieldBus
import Payload

struct ModbusPlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Prints the requests that a configuration makes, their bytes, and how busy each line will be.")

    @Argument(help: "The configuration file.")
    var file: String

    @Option(help: "Only this bus.")
    var bus: String?

    @Option(help: "What a device is taken to need before it answers.")
    var answerTime = DurationArgument(LinePlan.usualAnswerTime)

    @Flag(help: "Writes one JSON object a bus.")
    var json = false

    func run() throws {
        let buses = try ModbusPlanCommand.buses(file, named: bus)
        if buses.isEmpty {
            Console.error("martlet: the file has no Modbus bus\(bus.map { " named \($0)" } ?? "")")
            throw ExitCode(1)
        }
        for bus in buses {
            let plan = LinePlan(bus, answerTime: answerTime.duration)
            Console.print(json ? ModbusPlanCommand.json(bus, plan) : ModbusPlanCommand.text(bus, plan, answerTime))
        }
    }

    /// The Modbus buses of a file, or the one of this name.
    static func buses(_ file: String, named name: String?) throws -> [ModbusBus] {
        do {
            return try AppliancePlan.load(path: file).modbusBuses.filter { name == nil || $0.name == name }
        } catch {
            throw ExitCode.after(error)
        }
    }

    private static func text(_ bus: ModbusBus, _ plan: LinePlan, _ answerTime: DurationArgument) -> String {
        var lines = ["bus \(bus.name), \(bus.protocolName)"]
        var group: (DeviceIdentifier, Duration)?
        for request in plan.requests {
            if group.map({ $0 != (request.device, request.interval) }) ?? true {
                lines.append("  \(request.device), unit \(request.unitIdentifier), every \(DurationArgument(request.interval))")
                group = (request.device, request.interval)
            }
            let unused = request.unused > 0 ? ", \(request.unused) unused" : ""
            lines.append(
                "    \(request.area.rawValue) \(request.startingAddress), quantity \(request.quantity): "
                    + "\(request.requestBytes) + \(request.answerBytes) bytes, \(ModbusOutput.milliseconds(request.duration)) ms, "
                    + "\(request.points) point\(request.points == 1 ? "" : "s")\(unused)")
        }
        let bytes = plan.requests.reduce(0) { $0 + $1.requestBytes + $1.answerBytes }
        lines.append(
            "  one round: \(plan.requests.count) requests, \(bytes) bytes, \(ModbusOutput.milliseconds(plan.cycle)) ms if devices "
                + "answer after \(answerTime)")
        lines.append(
            "  the line is busy \(Decimals.text(100 * plan.utilisation, digits: 1)) % of the time"
                + (plan.utilisation > 1 ? ": too much; polls will be left out" : ""))
        return lines.joined(separator: "\n")
    }

    private static func json(_ bus: ModbusBus, _ plan: LinePlan) -> String {
        var json = JSONWriter()
        json.beginObject()
        json.name("bus"); json.string(bus.name)
        json.name("protocol"); json.string(bus.protocolName)
        json.name("cycleMilliseconds"); json.real(milliseconds(plan.cycle))
        json.name("lineMilliseconds"); json.real(milliseconds(plan.lineTime))
        json.name("utilisation"); json.real(plan.utilisation)
        json.name("requests")
        json.beginArray()
        for request in plan.requests {
            json.beginObject()
            json.name("device"); json.string(request.device.description)
            json.name("unit"); json.integer(Int64(request.unitIdentifier))
            json.name("intervalMilliseconds"); json.integer(request.interval.wholeMilliseconds)
            json.name("area"); json.string(request.area.rawValue)
            json.name("address"); json.integer(Int64(request.startingAddress))
            json.name("quantity"); json.integer(Int64(request.quantity))
            json.name("points"); json.integer(Int64(request.points))
            json.name("unused"); json.integer(Int64(request.unused))
            json.name("requestBytes"); json.integer(Int64(request.requestBytes))
            json.name("answerBytes"); json.integer(Int64(request.answerBytes))
            json.name("milliseconds"); json.real(milliseconds(request.duration))
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return String(decoding: json.finish(), as: UTF8.self)
    }

    private static func milliseconds(_ duration: Duration) -> Double { Double(duration.wholeNanoseconds) / 1e6 }
}
