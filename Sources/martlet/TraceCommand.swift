import Appliance
import ArgumentParser
import Core

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Shows what passes over a bus of a box that runs: every frame with its time, in words and in bytes.",
        discussion: """
            The bus goes on as it is. Ctrl-C ends it. Of the configuration file nothing is needed but the data directory: it may \
            have mistakes.
            """)

    @Argument(help: DataDirectory.help)
    var box: String

    @Argument(help: "The bus' name in the configuration.")
    var bus: String

    @Flag(help: "Writes one JSON object a frame.")
    var json = false

    @Option(name: .customLong("for"), help: "For so long (default: until the program is stopped).")
    var period: DurationArgument?

    func validate() throws {
        let isName = bus.utf8.allSatisfy { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || isLetterOrDigit($0) }
        guard isName, !bus.isEmpty else { throw ValidationError("a bus' name has letters, digits, \"-\", \"_\" and \".\"") }
    }

    private func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }

    func run() throws {
        do {
            let client = ControlClient(directory: try DataDirectory.of(box))
            let end = period.map { SystemClock.monotonic() + $0.duration } ?? .distantFuture
            var from: String?
            var isOver = false
            while !isOver {
                // What came until the end is fetched behind it.
                isOver = SystemClock.monotonic() >= end
                let query = "/trace?bus=\(bus)" + (from.map { "&from=\($0)" } ?? "") + (json ? "&format=json" : "")
                let answer = try client.get(query)
                from = answer.headers[ControlSocket.nextHeader.lowercased()]
                if !answer.body.isEmpty { Console.print(String(decoding: answer.body.dropLast(), as: UTF8.self)) }
                if !isOver { SystemClock.sleep(for: min(.milliseconds(200), max(.zero, end - SystemClock.monotonic()))) }
            }
        } catch {
            throw ExitCode.after(error)
        }
    }
}
