import Appliance
import ArgumentParser
import Dispatch

/// The main thread waits while the program runs on others. (An `async` entry point would end the main thread instead, which
/// debuggers and profilers do not expect.)
@main
enum Entry {
    static func main() {
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            await Martlet.main()
            done.signal()
        }
        done.wait()
    }
}

struct Martlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "An industrial IoT appliance in one program: MQTT broker, field buses, rules, bridge and cache.",
        version: Appliance.version,
        subcommands: [
            RunCommand.self, CheckCommand.self, ConfigCommand.self, ProfileCommand.self, PointsCommand.self, PasswdCommand.self,
            PubCommand.self, SubCommand.self, CacheCommand.self, ModbusCommand.self, TraceCommand.self, SelfTestCommand.self, BenchCommand.self,
            CacheBenchCommand.self,
        ])
}
