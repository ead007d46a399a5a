import ArgumentParser

@main
struct Martlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "An industrial IoT appliance in one program: MQTT broker, field buses, rules, bridge and cache.",
        version: "0.1.0",
        subcommands: [RunCommand.self, CheckCommand.self, ConfigCommand.self, SelfTestCommand.self, BenchCommand.self])
}
