import Configuration
package import Core
import Glibc
import Synchronization

/// A machine that is a folder of files. It has what can be read from one file: thermal zones, 1-Wire and IIO sensors, network
/// counters, the wear of an eMMC and `file:`.
package final class SystemSimulator: BusSimulator {
    private let bus: SystemBus
    private let folder: String
    private let state = Mutex<(values: [Place: Value], silent: Set<DeviceIdentifier>)>(([:], []))

    private struct Place: Hashable {
        var device: DeviceIdentifier
        var point: String
    }

    init(_ bus: BusDescription) throws(FieldBusError) {
        var template = Array("/tmp/martlet-system-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw .unavailable(what: "simulator", detail: String(cString: strerror(errno))) }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var made = SystemPoints.systemBus(bus)
        made.root = folder
        self.bus = made
    }

    deinit { FolderTree.remove(folder) }

    package func plan() -> any BusPlan { bus }

    package func set(_ value: Value, point: String, of device: DeviceIdentifier) {
        guard let described = described(point, of: device) else { return }
        let isSilent = state.withLock { state in
            state.values[Place(device: device, point: point)] = value
            return state.silent.contains(device)
        }
        if !isSilent { write(described, value) }
    }

    package func value(point: String, of device: DeviceIdentifier) -> Value? {
        state.withLock { $0.values[Place(device: device, point: point)] }
    }

    /// A device that is silent has no files.
    package func setSilent(_ isSilent: Bool, device: DeviceIdentifier) {
        let values = state.withLock { state in
            if isSilent { state.silent.insert(device) } else { state.silent.remove(device) }
            return state.values.filter { $0.key.device == device }
        }
        for (place, value) in values {
            guard let point = described(place.point, of: device) else { continue }
            if isSilent, let file = file(of: point.source) { unlink(folder + file.path) } else { write(point, value) }
        }
    }

    package func stop() { FolderTree.remove(folder) }

    private func described(_ point: String, of device: DeviceIdentifier) -> SystemBus.Point? {
        bus.devices.first { $0.identifier == device }?.points.first { $0.identifier == point }
    }

    private func write(_ point: SystemBus.Point, _ value: Value) {
        guard let file = file(of: point.source), let raw = try? point.conversion.raw(value) else { return }
        FolderTree.write(file.text(raw), to: folder + file.path)
    }

    /// The file that a source is read from, and its text.
    private func file(of source: SystemSource) -> (path: String, text: @Sendable (Value) -> String)? {
        let thousandths: @Sendable (Value) -> String = { "\(Int64(clamping: (($0.number ?? 0) * 1000).rounded()))" }
        switch source {
        case .cpuTemperature: return ("/sys/class/thermal/thermal_zone0/temp", thousandths)
        case .thermal(let name): return ("/sys/class/thermal/\(name)/temp", thousandths)
        case .oneWire(let sensor):
            return ("/sys/bus/w1/devices/\(sensor)/w1_slave", { "00 : crc=00 YES\n00 t=\(thousandths($0))" })
        case .iio(let device, let channel): return ("/sys/bus/iio/devices/\(device)/\(channel)_input", { $0.digits })
        case .network(let interface, let counter): return ("/sys/class/net/\(interface)/statistics/\(counter)", { $0.digits })
        case .networkUp(let interface): return ("/sys/class/net/\(interface)/operstate", { $0 == .bool(true) ? "up" : "down" })
        case .file(let path): return (path, { $0.digits })
        default: return nil
        }
    }
}

extension Int64 {
    /// The nearest number; 0 for none.
    fileprivate init(clamping number: Double) {
        self = Int64(exactly: number.rounded()) ?? (number.isNaN ? 0 : number < 0 ? .min : .max)
    }
}

/// Files and folders of a simulated machine.
enum FolderTree {
    static func write(_ text: String, to path: String) {
        var folder = ""
        for part in path.split(separator: "/").dropLast() {
            folder += "/\(part)"
            mkdir(folder, 0o755)
        }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return }
        let bytes = Array((text + "\n").utf8)
        _ = Glibc.write(descriptor, bytes, bytes.count)
        close(descriptor)
    }

    static func remove(_ path: String) {
        for name in DirectoryListing.names(in: path) where unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
        rmdir(path)
    }
}
