import Appliance
import ArgumentParser
import Configuration
import Core
import FieldBus

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Shows what passes over a bus of a box that runs: every frame with its time, in words and in bytes.",
        discussion: "The bus goes on as it is. Ctrl-C ends it.")

    @Argument(help: "The configuration file.")
    var file: String

    @Argument(help: "The bus' name in it.")
    var bus: String

    @Flag(help: "Writes one JSON object a frame.")
    var json = false

    @Option(name: .customLong("for"), help: "For so long (default: until the program is stopped).")
    var period: DurationArgument?

    func run() throws {
        do {
            let plan = try AppliancePlan.load(path: file)
            let names = plan.configuration.buses.map(\.name)
            guard names.contains(bus) else {
                Console.error("martlet: \(file) has no bus \(bus.debugDescription); it has: \(names.joined(separator: ", "))")
                throw ExitCode(1)
            }
            let client = ControlClient(path: plan.dataDirectory + "/" + ControlSocket.name)
            let end = period.map { SystemClock.monotonic() + $0.duration } ?? .distantFuture
            var from: String?
            repeat {
                let query = "/trace?bus=\(bus)" + (from.map { "&from=\($0)" } ?? "") + (json ? "&format=json" : "")
                let answer = try client.get(query)
                from = answer.headers[ControlSocket.nextHeader.lowercased()]
                if !answer.body.isEmpty { Console.print(String(decoding: answer.body.dropLast(), as: UTF8.self)) }
                SystemClock.sleep(for: .milliseconds(200))
            } while SystemClock.monotonic() < end
        } catch let error as ConfigurationErrors {
            Console.error(error.description)
            throw ExitCode(1)
        } catch let error as ControlClientError {
            Console.error("martlet: \(error)")
            throw ExitCode(1)
        }
    }
}
