import ArgumentParser
import Configuration
import FieldBus

struct PointsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "points", abstract: "Writes points as a table for a spreadsheet, and makes a profile of one.",
        subcommands: [Export.self, Import.self])

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes the points of a product, or of a profile, as comma-separated values.",
            discussion: "The first line has the names of the keys. A cell that is empty is a key that is not set.")

        @Argument(help: "The configuration file; with --profile there is none.")
        var file: String?

        @Option(help: "The product's key.")
        var product: String?

        @Option(help: "A profile in place of a product: a built-in one's name, or a file.")
        var profile: String?

        @Option(help: "The protocol whose keys the points have, if the file leaves it open.")
        var `protocol`: String?

        func validate() throws {
            guard (file != nil) == (product != nil), (file == nil) != (profile == nil) else {
                throw ValidationError("give a configuration file and --product, or --profile")
            }
        }

        func run() throws {
            let text: String?
            if let profile {
                text = PointList.export(try ProfileCommand.load(profile), drivers: Drivers.catalogue)
            } else {
                text = PointList.export(
                    try configuration(), product: product ?? "", protocol: `protocol`, drivers: Drivers.catalogue)
            }
            guard let text else {
                Console.error("martlet: there is no such product, or no such protocol")
                throw ExitCode(1)
            }
            try Console.write(Array(text.utf8))
        }

        private func configuration() throws -> MartletConfiguration {
            do {
                return try MartletConfiguration.load(path: file ?? "", drivers: Drivers.catalogue)
            } catch {
                throw ExitCode.after(error)
            }
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a profile of comma-separated values.",
            discussion: """
                Fields have commas or semicolons between them; the first line has the names of the keys, in any order. \
                Every mistake is said with its line and column, and nothing is printed then.
                """)

        @Argument(help: "The list of points.")
        var file: String

        @Option(help: "The protocol whose keys the points have.")
        var `protocol` = "modbus-tcp"

        @Option(help: "The profile's name, for people (default: the file's name).")
        var name: String?

        func run() throws {
            let bytes = try FileContent.read(file, limit: MartletConfiguration.maxFileSize)
            do throws(PointListErrors) {
                let profile = try PointList.read(
                    bytes, file: file, name: name ?? file.split(separator: "/").last.map(String.init) ?? file, protocol: `protocol`,
                    drivers: Drivers.catalogue)
                Console.print(ConfigurationPrinter.file(of: profile))
            } catch {
                Console.error(error.description)
                throw ExitCode(1)
            }
        }
    }
}
