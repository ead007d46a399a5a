import Appliance
import ArgumentParser
import Configuration

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Says every mistake in a configuration file, with line and column.")

    @Argument(help: "The configuration file.")
    var file: String

    func run() throws {
        do {
            _ = try AppliancePlan.load(path: file)
            Console.print("\(file): ok")
        } catch {
            Console.error(error.description)
            throw ExitCode(1)
        }
    }
}

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Prints a configuration file to start from, or its reference.",
        subcommands: [Default.self, Reference.self])

    struct Default: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints a commented configuration file.")

        func run() { Console.print(ConfigurationPrinter.defaultFile()) }
    }

    struct Reference: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints the reference of every key, as Markdown.")

        func run() { Console.print(ConfigurationPrinter.reference()) }
    }
}
