import Configuration
package import Core

/// Chips that are not there in the place of the machine's: every line that the bus names exists.
package final class GPIOSimulator: BusSimulator {
    private let chips: SimulatedGPIOChips
    private let bus: GPIOBus

    init(_ bus: BusDescription) {
        chips = SimulatedGPIOChips([Self.chip(for: bus)])
        var described = bus
        described.board = BoardProfile()
        for device in described.devices.indices {
            for point in described.devices[device].product.points.indices {
                guard var keys: GPIOLines.PointTable = described.devices[device].product.points[point].driver.keys() else { continue }
                keys.line = "simulated:\(Self.name(of: keys.line))"
                described.devices[device].product.points[point].driver = DriverTable(keys)
            }
        }
        var errors: [ConfigurationError] = []
        self.bus = GPIOLines.gpioBus(described, chips, &errors)
    }

    package func plan() -> any BusPlan { bus }

    /// An offset becomes a name.
    private static func name(of line: String) -> String {
        let last = line.split(separator: ":").last ?? ""
        return Int(last) == nil ? String(last) : "line-\(last)"
    }

    private static func chip(for bus: BusDescription) -> GPIOChip {
        let names = bus.devices.flatMap { $0.product.points }.compactMap { $0.driver.keys(as: GPIOLines.PointTable.self)?.line }
        let lines = Set(names.map { name(of: $0) }).sorted().map { GPIOChip.Line(name: $0) }
        return GPIOChip(path: "/dev/simulated", label: "simulated", lines: lines)
    }

    package func set(_ value: Value, point: String, of device: DeviceIdentifier) {
        guard let (line, found) = place(point, of: device), case .bool(let level) = value else { return }
        switch found.use {
        case .level, .output: break
        case .pulseCount, .frequency: return
        }
        chips.drive(line.chip.name, line.offset, high: level != line.settings.activeLow, at: SystemClock.monotonic())
    }

    package func value(point: String, of device: DeviceIdentifier) -> Value? {
        guard let (line, found) = place(point, of: device) else { return nil }
        switch found.use {
        case .level, .output: return .bool(chips.isHigh(line.chip.name, line.offset) != line.settings.activeLow)
        case .pulseCount, .frequency: return nil
        }
    }

    /// Lines cannot fall silent.
    package func setSilent(_ isSilent: Bool, device: DeviceIdentifier) {}

    package func stop() {}

    private func place(_ point: String, of device: DeviceIdentifier) -> (line: GPIOBus.Line, point: GPIOBus.Point)? {
        guard let found = bus.devices.first(where: { $0.identifier == device })?.points.first(where: { $0.identifier == point })
        else { return nil }
        return (bus.lines[found.line], found)
    }
}
