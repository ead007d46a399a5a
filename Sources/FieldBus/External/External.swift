package import Configuration
import Core
import Glibc

/// A driver in a process of its own, in whatever language: see the article <doc:ExternalDrivers>.
package enum External: Driver {
    package static let protocolName = "external"
    package static let help = "A driver in a process of its own, in any language, that speaks JSON lines on its standard input and output."

    package struct BusTable: ConfigurationTable {
        package var command: [String] = []
        package var workingDirectory: String?
        package var settings: [DriverSetting] = []
        package var timeout = Duration.seconds(3)
        package var retries = 1
        package var maxBackOff = Duration.seconds(60)
        package var source = TableSource()

        package init() {}

        package static let schema = Schema<Self>("A bus that a program of its own serves.") {
            Key(
                "command", \.command, .arguments, .required,
                help: "The program and its arguments. A path with a \"/\" that is not absolute is relative to the file's folder."
            )
            Key("working-directory", \.workingDirectory, .path, example: "/var/lib/martlet", help: "Where the program runs.")
            Key("settings", \.settings, .settings, help: "Handed to the program as it stands, such as { line = \"/dev/ttyS3\" }.")
            Key(
                "timeout", \.timeout, .duration(.milliseconds(10)...(.seconds(60))),
                help: "How long the program may take to answer.")
            Key("retries", \.retries, .integer(0...10), help: "How often a request without an answer is repeated.")
            Key(
                "max-back-off", \.maxBackOff, .duration(.milliseconds(100)...(.days(1))),
                help: "The longest time between two tries to reach a device, or to start the program.")
        } check: { table, findings in
            table.checkCommand(&findings)
        }

        /// Looks for words that were meant as several.
        private func checkCommand(_ findings: inout Findings) {
            guard source.isSound("command"), let program = command.first else { return }
            let parts = program.split(separator: " ").map(String.init)
            let list = "[\(parts.map(\.tomlLiteral).joined(separator: ", "))]"
            let advice = "write its arguments as further elements: \(list)"
            if parts.count > 1 {
                if !parts[0].contains("/") || parts.dropFirst().contains(where: { $0.hasPrefix("-") || $0.hasPrefix("/") }) {
                    findings.report(source["command"], "command has the program \(program.quotedForMessage) with spaces in its name; \(advice)")
                } else {
                    findings.warn(
                        source["command"],
                        "command has the program \(program.quotedForMessage) with a space in its name; if that is not its name, \(advice)")
                }
            }
            for word in command.dropFirst() where word.hasPrefix("-") {
                guard let space = word.firstIndex(of: " "), !word[..<space].contains("=") else { continue }
                findings.warn(
                    source["command"],
                    "command has the argument \(word.quotedForMessage), which the program gets as one word; write two elements if it is two")
            }
        }
    }

    package struct DeviceTable: ConfigurationTable {
        package var address: String?
        package var source = TableSource()

        package init() {}

        package static let schema = Schema<Self>("A device that the program reaches.") {
            Key("address", \.address, .label, example: "7", help: "What the program calls the device.")
        }
    }

    package struct PointTable: ConfigurationTable {
        package var address = ""
        package var source = TableSource()

        package init() {}

        package static let schema = Schema<Self>("A point that the program reads.") {
            Key("address", \.address, .label, .required, help: "What the program calls the point.")
        }
    }

    package static func place(_ device: DeviceTable) -> (key: String, text: String)? {
        device.address.map { ("address", "address \($0.quotedForMessage)") }
    }

    package static var examples: DriverExamples {
        let bus = MartletConfiguration.Bus.example(name: "special", protocolName) { (table: inout BusTable) in
            table.command = ["/usr/local/bin/weather-driver", "--quiet"]
            table.workingDirectory = "/var/lib/martlet"
            table.settings = [DriverSetting(name: "line", value: .string("/dev/ttyS3"))]
        }
        let product = MartletConfiguration.Product.example {
            $0.key = "weather"
            $0.groups = [.example { $0.name = "all" }]
            $0.points = [
                .example { point in
                    point.identifier = "wind"
                    point.type = .real
                    point.unit = "m/s"
                    var keys = PointTable()
                    keys.address = "wind-speed"
                    point.driver = DriverTable(keys)
                }
            ]
        }
        let device = MartletConfiguration.Device.example {
            $0.product = "weather"
            $0.key = "roof"
            $0.bus = "special"
            var keys = DeviceTable()
            keys.address = "1"
            $0.driver = DriverTable(keys)
        }
        return DriverExamples(buses: [bus], products: [product], devices: [device])
    }

    package static func plan(_ bus: BusDescription, _ errors: inout [ConfigurationError]) -> any BusPlan {
        externalBus(bus)
    }

    package static func simulate(_ bus: BusDescription) throws(FieldBusError) -> any BusSimulator { ExternalSimulator(bus) }

    /// The program is started in another directory than this.
    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let directory = getcwd(nil, 0) else { return path }
        defer { free(directory) }
        return "\(String(cString: directory))/\(path)"
    }

    static func externalBus(_ bus: BusDescription) -> ExternalBus {
        let table = bus.bus.driver.keys(as: BusTable.self) ?? BusTable()
        var command = table.command
        if let program = command.first, program.contains("/") { command[0] = absolute(bus.resolve(program)) }
        return ExternalBus(
            name: bus.bus.name,
            peer: .command(command, workingDirectory: table.workingDirectory.map(bus.resolve)),
            settings: table.settings, timeout: table.timeout, retries: table.retries, maxBackOff: table.maxBackOff,
            devices: bus.devices.map { device in
                ExternalDevice(
                    identifier: device.device.identifier, address: device.device.driver.keys(as: DeviceTable.self)?.address,
                    points: device.points.compactMap { point, interval in
                        guard let keys: PointTable = point.driver.keys() else { return nil }
                        return ExternalPoint(
                            identifier: point.identifier, type: point.type, address: keys.address,
                            conversion: PointConversion(point), writable: point.writable, interval: interval)
                    })
            })
    }
}
