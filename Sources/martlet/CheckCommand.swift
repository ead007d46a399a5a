import Appliance
import ArgumentParser
import Configuration
import FieldBus

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Says every mistake in a configuration file, with line and column, and warns of what is odd.")

    @Argument(help: "The configuration file.")
    var file: String

    func run() throws {
        do {
            for warning in try AppliancePlan.load(path: file).warnings { Console.error(warning.description) }
            Console.print("\(file): ok")
        } catch {
            throw ExitCode.after(error)
        }
    }
}

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Prints a configuration file to start from, or its reference.",
        subcommands: [Default.self, Reference.self, Boards.self])

    struct Default: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints a commented configuration file.")

        func run() { Console.print(ConfigurationPrinter.defaultFile(drivers: Drivers.catalogue)) }
    }

    struct Reference: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints the reference of every key, as Markdown.")

        func run() { Console.print(ConfigurationPrinter.reference(drivers: Drivers.catalogue)) }
    }

    struct Boards: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the built-in board profiles, or prints one, as a start for one of your own.")

        @Argument(help: "A profile's name.")
        var name: String?

        func run() throws {
            guard let name else {
                for name in BoardProfile.builtInNames { Console.print(name) }
                return
            }
            guard let text = BoardProfile.builtInText(name) else {
                Console.error("there is no board profile \(name); martlet config boards lists them")
                throw ExitCode(1)
            }
            Console.print(text)
        }
    }
}
