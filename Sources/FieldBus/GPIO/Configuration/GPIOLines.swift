package import Configuration
import Core

/// GPIO lines: inputs, pulse counters, frequencies and outputs.
package enum GPIOLines: Driver {
    package static let protocolName = "gpio"
    package static let help = "GPIO lines of this machine, by libgpiod: inputs, pulse counters, frequencies and outputs."

    package typealias BusTable = NoKeys
    package typealias DeviceTable = NoKeys

    package enum Use: String, Sendable, CaseIterable {
        case level = "level"
        case pulseCount = "pulse-count"
        case frequency = "frequency"
        case output = "output"
    }

    package struct PointTable: ConfigurationTable {
        package var line = ""
        package var use = Use.level
        package var bias = GPIOBias.asIs
        package var drive = GPIODrive.pushPull
        package var activeLow = false
        package var debounce = Duration.zero
        package var edges = PulseCounter.Edges.rising
        package var initial = false
        package var atExit = GPIOBus.AtExit.leave
        package var source = TableSource()

        package init() {}

        private static let isInput = Key<Self>.Condition("use", text: "use is not \"output\"") { $0.use != .output }
        private static let isOutput = Key<Self>.Condition("use", text: "use is \"output\"") { $0.use == .output }
        private static let counts = Key<Self>.Condition("use", text: "use is \"pulse-count\"") { $0.use == .pulseCount }

        package static let schema = Schema<Self>("A point of a GPIO line.") {
            Key(
                "line", \.line, .gpioLine, .required,
                help: "The line: its name in the board profile or the kernel's, or chip and offset or name, such as gpiochip0:17."
            )
            Key(
                "use", \.use, .choice(Use.self),
                help: "What is made of it: the level of an input, how many edges it has had, their frequency in Hz over the group's interval, or an output."
            )
            Key("bias", \.bias, .choice(GPIOBias.self), help: "The pull resistor.")
            Key("drive", \.drive, .choice(GPIODrive.self), when: isOutput, help: "How the line is driven.")
            Key("active-low", \.activeLow, .boolean, help: "Whether the low voltage is the active level, which is true.")
            Key(
                "debounce", \.debounce, .duration(.zero...(.seconds(1))), when: isInput,
                help: "How long a level must last to count."
            )
            Key("edges", \.edges, .choice(PulseCounter.Edges.self), when: counts, help: "Which edges count.")
            Key("initial", \.initial, .boolean, when: isOutput, help: "The level from the start of the program.")
            Key(
                "at-exit", \.atExit, .choice(GPIOBus.AtExit.self), when: isOutput,
                help: "The level when the program ends. After a crash it is what the kernel makes of a line that nobody has."
            )
        }

        var settings: GPIOLineSettings {
            var made = GPIOLineSettings(direction: use == .output ? .output(initial: initial) : .input(edges: true))
            made.bias = bias
            made.drive = drive
            made.activeLow = activeLow
            made.debounce = debounce
            return made
        }

        var busUse: GPIOBus.Use {
            switch use {
            case .level: .level
            case .pulseCount: .pulseCount(edges)
            case .frequency: .frequency
            case .output: .output(initial: initial, atExit: atExit)
            }
        }
    }

    package static func check(_ point: MartletConfiguration.Product.Point, _ keys: PointTable, _ findings: inout Findings) {
        guard keys.source.isSound("use") else { return }
        let types: [PointType] =
            switch keys.use {
            case .level, .output: [.bool]
            case .pulseCount: [.ulint]
            case .frequency: [.lreal, .real]
            }
        if !types.contains(point.type) {
            let names = types.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
            findings.report(point.source["type"], "type must be \(names) when use is \"\(keys.use.rawValue)\"")
        }
        if point.writable, keys.use == .level || keys.use == .frequency {
            findings.report(point.source["writable"], "a point whose use is \"\(keys.use.rawValue)\" cannot be written")
        }
    }

    package static func lines(_ bus: BusDescription) -> [UsedLine] {
        bus.devices.flatMap(\.points).compactMap { point, _ in
            guard let keys: PointTable = point.driver.keys(), keys.source.isSound("line") else { return nil }
            return UsedLine(name: keys.line, position: keys.source["line"])
        }
    }

    package static func plan(_ bus: BusDescription, _ errors: inout [ConfigurationError]) -> any BusPlan {
        gpioBus(bus, LibgpiodChips(), &errors)
    }

    static func gpioBus(_ bus: BusDescription, _ chips: any GPIOChips, _ errors: inout [ConfigurationError]) -> GPIOBus {
        var made = GPIOBus(name: bus.bus.name, chips: chips, lines: [], devices: [])
        let all = bus.devices.isEmpty ? [] : chips.all()
        for device in bus.devices {
            var points: [GPIOBus.Point] = []
            for (point, interval) in device.points {
                guard let keys: PointTable = point.driver.keys() else { continue }
                do throws(FieldBusError) {
                    let line = try GPIOLineAddress(keys.line).resolve(among: all, boardLines: bus.board.lineAddresses)
                    let wanted = GPIOBus.Line(chip: line.chip, offset: line.offset, settings: keys.settings)
                    var planned = GPIOBus.Point(
                        identifier: point.identifier, type: point.type, use: keys.busUse, line: try made.add(wanted), interval: interval)
                    planned.conversion = PointConversion(point)
                    planned.writable = point.writable
                    points.append(planned)
                } catch {
                    errors.append(ConfigurationError(keys.source["line"], error.description))
                }
            }
            made.devices.append(GPIOBus.Device(identifier: device.device.identifier, points: points))
        }
        return made
    }

    package static func simulate(_ bus: BusDescription) throws(FieldBusError) -> any BusSimulator { GPIOSimulator(bus) }

    package static var examples: DriverExamples {
        let bus = MartletConfiguration.Bus.example {
            $0.name = "lines"
            $0.protocol = protocolName
            $0.driver = DriverTable(NoKeys())
        }
        let product = MartletConfiguration.Product.example {
            $0.key = "cabinet"
            $0.groups = [.example { $0.name = "second" }]
            $0.points = [
                point("door", .bool) {
                    $0.line = "gpiochip0:17"
                    $0.bias = .pullUp
                    $0.activeLow = true
                    $0.debounce = .milliseconds(20)
                },
                point("water", .ulint) {
                    $0.line = "gpiochip0:22"
                    $0.use = .pulseCount
                },
                point("fan-speed", .lreal) {
                    $0.line = "gpiochip0:23"
                    $0.use = .frequency
                },
                point("siren", .bool, writable: true) {
                    $0.line = "gpiochip0:27"
                    $0.use = .output
                    $0.atExit = .off
                },
            ]
        }
        let device = MartletConfiguration.Device.example {
            $0.product = "cabinet"
            $0.key = "c1"
            $0.bus = "lines"
            $0.driver = DriverTable(NoKeys())
        }
        return DriverExamples(buses: [bus], products: [product], devices: [device])
    }

    private static func point(
        _ identifier: String, _ type: PointType, writable: Bool = false, _ change: (inout PointTable) -> Void
    ) -> MartletConfiguration.Product.Point {
        .example {
            $0.identifier = identifier
            $0.type = type
            $0.writable = writable
            var keys = PointTable()
            change(&keys)
            $0.driver = DriverTable(keys)
        }
    }
}

extension GPIOBus {
    /// The number of a line, which several points of the same settings share.
    mutating func add(_ wanted: Line) throws(FieldBusError) -> Int {
        guard let index = lines.firstIndex(where: { $0.chip == wanted.chip && $0.offset == wanted.offset }) else {
            lines.append(wanted)
            return lines.count - 1
        }
        guard lines[index].settings == wanted.settings else {
            throw .invalid(
                place: "\(wanted.chip.name) line \(wanted.offset)",
                problem: "another point has it as something else: use, bias, active-low and debounce must be the same")
        }
        if case .output = wanted.settings.direction {
            throw .invalid(place: "\(wanted.chip.name) line \(wanted.offset)", problem: "another point has it as an output already")
        }
        return index
    }
}
