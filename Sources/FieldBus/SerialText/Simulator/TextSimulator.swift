import Configuration
package import Core
import Glibc
import Synchronization

/// A device at the far end of a pseudo terminal that sends its values as columns, ten times a second.
package final class TextSimulator: BusSimulator {
    private let bus: TextBus
    private let terminal: Int32
    private let near: Int32
    private let names: [String: [String]]
    private let state: Mutex<State>

    private struct State {
        var values: [String: Value] = [:]
        var silent: Set<String> = []
        var isStopped = false
    }

    /// - Throws: the system has no pseudo terminal left.
    init(_ bus: BusDescription) throws(FieldBusError) {
        terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        var locked: Int32 = 0
        var number: Int32 = 0
        // TIOCSPTLCK and TIOCGPTN, which are macros that Swift does not see: unlockpt() and ptsname().
        guard terminal >= 0, ioctl(terminal, 0x4004_5431, &locked) == 0, ioctl(terminal, 0x8004_5430, &number) == 0 else {
            throw .unavailable(what: "pseudo terminal", detail: String(cString: strerror(errno)))
        }
        // Keeps the near end open, so that the far end does not hang up between two openings.
        near = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var described = bus
        described.bus.driver = DriverTable(SerialTextTable())
        var names: [String: [String]] = [:]
        for device in described.devices.indices {
            let key = described.devices[device].device.identifier.description
            names[key] = []
            for point in described.devices[device].product.points.indices where described.devices[device].product.points[point].isOnBus {
                let identifier = described.devices[device].product.points[point].identifier
                names[key]?.append(identifier)
                var keys = SerialText.PointTable()
                // Each point has frames of its own: `device/point=value`.
                keys.field = "/^\(Self.escaped("\(key)/\(identifier)"))=(?<value>.*)$/"
                described.devices[device].product.points[point].driver = DriverTable(keys)
                described.devices[device].product.points[point].writable = false
            }
        }
        var errors: [ConfigurationError] = []
        var made = SerialText.textBus(described, &errors)
        made.transport = .serial(SerialLine(serialPort: "/dev/pts/\(number)"))
        made.timeout = .seconds(1)
        self.bus = made
        self.names = names
        state = Mutex(State(values: Self.zeros(made)))
        DetachedThread.start(name: "text-simulator") { [weak self, terminal] in
            while let lines = self?.lines() {
                let bytes = Array(lines.utf8)
                _ = Glibc.write(terminal, bytes, bytes.count)
                usleep(100_000)
            }
            close(terminal)
        }
    }

    deinit { close(near) }

    private static func zeros(_ bus: TextBus) -> [String: Value] {
        var values: [String: Value] = [:]
        for device in bus.devices {
            for point in device.points { values["\(device.identifier)/\(point.identifier)"] = point.type.zero }
        }
        return values
    }

    private static func escaped(_ text: String) -> String {
        text.map { $0.isLetter || $0.isNumber || $0 == "/" || $0 == "-" || $0 == "_" ? "\($0)" : "\\\($0)" }.joined()
    }

    package func plan() -> any BusPlan { bus }

    package func set(_ value: Value, point: String, of device: DeviceIdentifier) {
        state.withLock { $0.values["\(device)/\(point)"] = value }
    }

    package func value(point: String, of device: DeviceIdentifier) -> Value? {
        state.withLock { $0.values["\(device)/\(point)"] }
    }

    package func setSilent(_ isSilent: Bool, device: DeviceIdentifier) {
        state.withLock { state in
            if isSilent { state.silent.insert("\(device)") } else { state.silent.remove("\(device)") }
        }
    }

    package func stop() { state.withLock { $0.isStopped = true } }

    /// nil when it has been stopped.
    private func lines() -> String? {
        state.withLock { state in
            guard !state.isStopped else { return nil }
            var text = ""
            for (device, points) in names where !state.silent.contains(device) {
                for point in points {
                    guard let value = state.values["\(device)/\(point)"] else { continue }
                    text += "\(device)/\(point)=\(value.digits)\r\n"
                }
            }
            return text
        }
    }
}
