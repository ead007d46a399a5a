import ArgumentParser
import Configuration
import FieldBus

struct ProfileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile", abstract: "Lists, shows and checks profiles of devices.",
        subcommands: [List.self, Show.self, Check.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the built-in profiles: name, protocol, number of points, device.")

        func run() throws {
            for name in DeviceProfile.builtInNames {
                let profile = try ProfileCommand.load(name)
                Console.print("\(name)\t\(profile.protocol)\t\(profile.points.count) points\t\(profile.name)")
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a built-in profile, as a start for one of your own.")

        @Argument(help: "The profile's name.")
        var name: String

        func run() throws {
            guard let text = DeviceProfile.builtInText(name) else {
                Console.error("martlet: there is no profile \(name); martlet profile list shows them")
                throw ExitCode(1)
            }
            try Console.write(Array(text.utf8))
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says every mistake in a profile, with line and column.")

        @Argument(help: "The profile's file, or the name of a built-in one.")
        var file: String

        func run() throws {
            let profile = try ProfileCommand.load(file)
            Console.print("\(file): ok, \(profile.points.count) points")
        }
    }

    static func load(_ nameOrPath: String) throws -> DeviceProfile {
        do {
            return try DeviceProfile.load(nameOrPath, drivers: Drivers.catalogue)
        } catch {
            throw ExitCode.after(error)
        }
    }
}
