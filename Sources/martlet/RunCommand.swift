import Appliance
import ArgumentParser
import CAllocator
import CSwiftRuntime
import Configuration
import Core
import FieldBus
import Glibc

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs the appliance from a configuration file, or a demo without one.",
        discussion: """
            The demo has a simulated device on a Modbus TCP bus, a broker on the loopback interface and a rule. On a \
            terminal a live summary is drawn; Ctrl-C ends it. SIGTERM ends the appliance in good order.
            """)

    @Argument(help: "The configuration file; without it the built-in demo runs.")
    var file: String?

    @Option(help: "The demo's broker port.")
    var port: Int?

    @Option(help: "The data directory, in place of the configured one. The demo makes a temporary one.")
    var dataDirectory: String?

    @Flag(help: "Writes log lines only, also on a terminal.")
    var quiet = false

    mutating func validate() throws {
        if file != nil, port != nil { throw ValidationError("--port is for the demo; a configuration file has its listeners") }
        if let port, !(0...65_535).contains(port) { throw ValidationError("--port is 0…65535") }
    }

    mutating func run() async throws {
        martlet_set_up_allocator()
        #if !DEBUG
            martlet_end_exclusivity_checks()
        #endif
        ProcessLimits.openStandardStreams()
        ProcessLimits.raiseOpenFiles()
        let sink = LogfmtHandler.Sink()
        let scratch = file == nil && dataDirectory == nil ? try ScratchDirectory() : nil
        defer { scratch?.remove() }
        let demo = file == nil ? try Demo(port: port ?? 1883, dataDirectory: dataDirectory ?? scratch?.path ?? "") : nil
        defer { demo?.simulator.stop() }
        do {
            let load = planLoader()
            var plan = try demo.map { try AppliancePlan($0.configuration) } ?? load()
            if let dataDirectory { plan.use(dataDirectory: absolute(dataDirectory)) }
            let appliance = Appliance(
                plan: plan, loadPlan: file == nil ? nil : load, sink: sink,
                showsSummary: !quiet && isatty(STDOUT_FILENO) == 1)
            let reload: @Sendable () -> Void = { appliance.reload() }
            StopSignals.wait({ appliance.stop() }, reload: file == nil ? nil : reload)
            try await appliance.run()
        } catch {
            throw ExitCode.after(error)
        }
    }

    /// Reads the file, now and whenever SIGHUP asks for it.
    private func planLoader() -> @Sendable () throws(ConfigurationErrors) -> AppliancePlan {
        let file = file ?? ""
        let directory = dataDirectory.map(absolute)
        return { () throws(ConfigurationErrors) in
            var plan = try AppliancePlan.load(path: file)
            if let directory { plan.use(dataDirectory: directory) }
            return plan
        }
    }

    /// A path of the command line is relative to the working directory, not to the configuration file.
    private func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let current = getcwd(nil, 0) else { return path }
        defer { free(current) }
        return String(cString: current) + "/" + path
    }
}
