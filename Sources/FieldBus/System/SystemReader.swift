import Core
import Glibc

/// What a source gave.
enum SystemReading: Sendable, Hashable {
    case integer(Int64)
    case number(Double)
    case flag(Bool)
    case text(String)

    /// The value for a point of this type; nil if it does not fit.
    func value(as type: PointType) -> Value? {
        switch type {
        case .bool:
            switch self {
            case .flag(let flag): return .bool(flag)
            case .integer(let number): return .bool(number != 0)
            case .number(let number): return .bool(number != 0)
            case .text: return nil
            }
        case .string:
            switch self {
            case .text(let text): return .string(text)
            case .integer(let number): return .string("\(number)")
            case .number(let number): return .string("\(number)")
            case .flag(let flag): return .string("\(flag)")
            }
        case .real, .lreal:
            guard let number = double, number.isFinite else { return nil }
            return type == .real ? .real(Float(number)) : .lreal(number)
        case .int, .dint, .lint, .uint, .udint, .ulint:
            return whole.flatMap { Self.fitting($0, type) }
        }
    }

    private var double: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        case .flag(let flag): flag ? 1 : 0
        case .text: nil
        }
    }

    private var whole: Int64? {
        switch self {
        case .integer(let number): number
        case .number(let number): Int64(exactly: number.rounded())
        case .flag(let flag): flag ? 1 : 0
        case .text: nil
        }
    }

    private static func fitting(_ number: Int64, _ type: PointType) -> Value? {
        switch type {
        case .int: Int16(exactly: number).map { .int(Int64($0)) }
        case .dint: Int32(exactly: number).map { .int(Int64($0)) }
        case .lint: .int(number)
        case .uint: UInt16(exactly: number).map { .uint(UInt64($0)) }
        case .udint: UInt32(exactly: number).map { .uint(UInt64($0)) }
        case .ulint: UInt64(exactly: number).map { .uint($0) }
        default: nil
        }
    }
}

/// Why a source gave nothing.
struct SystemFailure: Error, Sendable, Hashable {
    var reason: QualityReason
    /// For a person: which file.
    var detail: String
}

/// Reads the machine's own values from its files. Hosts are asked elsewhere, as that takes time.
struct SystemReader: Sendable {
    /// What stands before every path; empty for the machine's own.
    let root: String
    /// Busy and all time of the processors at the last reading of `cpu-load`.
    private var processorTimes: (busy: UInt64, all: UInt64)?

    init(root: String = "") { self.root = root }

    mutating func read(_ source: SystemSource) throws(SystemFailure) -> SystemReading {
        switch source {
        case .cpuTemperature: return .number(try temperature(zone: try processorZone()))
        case .thermal(let name): return .number(try temperature(zone: try zone(named: name)))
        case .cpuLoad: return .number(try processorLoad())
        case .loadAverage(let index): return .number(try number(field: index, of: "/proc/loadavg"))
        case .memoryTotal: return .integer(try memory("MemTotal"))
        case .memoryAvailable: return .integer(try memory("MemAvailable"))
        case .memoryUsed:
            let total = try memory("MemTotal")
            let available = try memory("MemAvailable")
            guard total > 0 else { throw SystemFailure(reason: .badResponse, detail: "/proc/meminfo: no memory at all") }
            return .number(100 * Double(total - available) / Double(total))
        case .storageSize(let path): return .integer(try storage(path).size)
        case .storageFree(let path): return .integer(try storage(path).free)
        case .storageUsed(let path): return .number(try storage(path).used)
        case .emmcLife(let device):
            let types = try text("/sys/class/block/\(device)/device/life_time").split(separator: " ")
            let used = types.compactMap { $0.hasPrefix("0x") ? Int64($0.dropFirst(2), radix: 16) : nil }
            guard let most = used.max(), most > 0, most <= 11 else {
                throw SystemFailure(reason: .badResponse, detail: "\(device): life_time says nothing")
            }
            // JEDEC JESD84-B51 §7.4: device life time estimation, in steps of a tenth; 11 is beyond.
            return .integer(most * 10)
        case .emmcPreEndOfLife(let device):
            let word = try text("/sys/class/block/\(device)/device/pre_eol_info")
            guard word.hasPrefix("0x"), let level = Int64(word.dropFirst(2), radix: 16), (1...3).contains(level) else {
                throw SystemFailure(reason: .badResponse, detail: "\(device): pre_eol_info says nothing")
            }
            return .integer(level)
        case .uptime: return .number(try number(field: 0, of: "/proc/uptime"))
        case .network(let interface, let counter):
            return .integer(try integer("/sys/class/net/\(interface)/statistics/\(counter)"))
        case .networkUp(let interface): return .flag(try carrier(interface))
        case .oneWire(let sensor): return .number(try oneWire(sensor))
        case .iio(let device, let channel): return .number(try iio(device, channel))
        case .file(let path):
            let text = try text(path)
            if let number = Int64(text) { return .integer(number) }
            if let number = Double(text), number.isFinite { return .number(number) }
            return .text(text)
        case .reachable, .connectTime:
            throw SystemFailure(reason: .notYetRead, detail: "asked elsewhere")
        }
    }

    // MARK: Processor

    private func zone(named name: String) throws(SystemFailure) -> String {
        for zone in zones() where zone == name || (try? text("/sys/class/thermal/\(zone)/type")) == name { return zone }
        throw SystemFailure(reason: .notConnected, detail: "there is no thermal zone \(name); there are \(listing(zones()))")
    }

    private func processorZone() throws(SystemFailure) -> String {
        let zones = zones()
        for zone in zones {
            let type = (try? text("/sys/class/thermal/\(zone)/type"))?.lowercased() ?? ""
            if ["cpu", "soc", "x86_pkg", "core"].contains(where: { type.contains($0) }) { return zone }
        }
        guard let first = zones.first else { throw SystemFailure(reason: .notConnected, detail: "there is no thermal zone") }
        return first
    }

    private func zones() -> [String] {
        DirectoryListing.names(in: "\(root)/sys/class/thermal").filter { $0.hasPrefix("thermal_zone") }
    }

    private func temperature(zone: String) throws(SystemFailure) -> Double {
        Double(try integer("/sys/class/thermal/\(zone)/temp")) / 1000
    }

    private mutating func processorLoad() throws(SystemFailure) -> Double {
        let words = try text("/proc/stat").split(separator: "\n").first?.split(separator: " ") ?? []
        let times = words.dropFirst().compactMap { UInt64($0) }
        guard words.first == "cpu", times.count >= 4 else { throw SystemFailure(reason: .badResponse, detail: "/proc/stat: no line cpu") }
        // user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user time already.
        let all = times.prefix(8).reduce(0, &+)
        let idle = times[3] &+ (times.count > 4 ? times[4] : 0)
        let busy = all >= idle ? all - idle : 0
        defer { processorTimes = (busy, all) }
        guard let last = processorTimes, all > last.all, busy >= last.busy else {
            throw SystemFailure(reason: .notYetRead, detail: "cpu-load needs two readings")
        }
        return min(100, 100 * Double(busy - last.busy) / Double(all - last.all))
    }

    // MARK: Memory and storage

    private func memory(_ name: String) throws(SystemFailure) -> Int64 {
        for line in try text("/proc/meminfo").split(separator: "\n") where line.hasPrefix("\(name):") {
            let words = line.split(separator: " ")
            if words.count >= 2, let kibibytes = Int64(words[1]), (0...(1 << 50)).contains(kibibytes) { return kibibytes << 10 }
        }
        throw SystemFailure(reason: .badResponse, detail: "/proc/meminfo: no line \(name)")
    }

    private func storage(_ path: String) throws(SystemFailure) -> (size: Int64, free: Int64, used: Double) {
        var system = statvfs()
        guard statvfs("\(root)\(path)", &system) == 0 else { throw Self.failure(path, errno) }
        let unit = UInt64(system.f_frsize)
        let size = UInt64(system.f_blocks).multipliedReportingOverflow(by: unit)
        let free = UInt64(system.f_bavail).multipliedReportingOverflow(by: unit)
        guard !size.overflow, !free.overflow, size.partialValue > 0 else {
            throw SystemFailure(reason: .badResponse, detail: "\(path): the file system has no size")
        }
        // As df has it: what is kept for root is neither used nor free.
        let taken = Double(UInt64(system.f_blocks) &- UInt64(system.f_bfree))
        let used = 100 * taken / max(1, taken + Double(system.f_bavail))
        return (Int64(clamping: size.partialValue), Int64(clamping: free.partialValue), used)
    }

    // MARK: Sensors and network

    private func carrier(_ interface: String) throws(SystemFailure) -> Bool {
        let state = try text("/sys/class/net/\(interface)/operstate")
        if state == "up" { return true }
        // Interfaces without a notion of it, such as lo.
        return state == "unknown" && (try? text("/sys/class/net/\(interface)/carrier")) == "1"
    }

    private func oneWire(_ sensor: String) throws(SystemFailure) -> Double {
        let folder = "/sys/bus/w1/devices/\(sensor)"
        let lines = try text("\(folder)/w1_slave").split(separator: "\n")
        guard lines.count >= 2, lines[0].hasSuffix("YES"), let mark = lines[1].lastIndex(of: "="),
            let temperature = Int64(lines[1][lines[1].index(after: mark)...])
        else { throw SystemFailure(reason: .badResponse, detail: "\(sensor): the check sum is wrong") }
        // What a DS18B20 holds after power-on, before its first conversion.
        guard temperature != 85_000 else { throw SystemFailure(reason: .deviceFailure, detail: "\(sensor): it was without power") }
        return Double(temperature) / 1000
    }

    private func iio(_ name: String, _ channel: String) throws(SystemFailure) -> Double {
        let folder = "/sys/bus/iio/devices"
        let devices = DirectoryListing.names(in: "\(root)\(folder)")
        guard let device = devices.first(where: { $0 == name }) ?? devices.first(where: { (try? text("\(folder)/\($0)/name")) == name }) else {
            throw SystemFailure(reason: .notConnected, detail: "there is no IIO device \(name); there are \(listing(devices))")
        }
        let place = "\(folder)/\(device)/\(channel)"
        if let value = try? decimal("\(place)_input") { return value }
        let raw = try decimal("\(place)_raw")
        // Channels of one kind may share their scale: in_voltage0 has in_voltage_scale.
        let shared = "\(folder)/\(device)/" + String(channel.reversed().drop { $0.isNumber }.reversed())
        let offset = (try? decimal("\(place)_offset")) ?? (try? decimal("\(shared)_offset")) ?? 0
        let scale = (try? decimal("\(place)_scale")) ?? (try? decimal("\(shared)_scale")) ?? 1
        let value = (raw + offset) * scale
        guard value.isFinite else { throw SystemFailure(reason: .outOfRange, detail: "\(name) \(channel): out of range") }
        return value
    }

    // MARK: Files

    private func listing(_ names: [String]) -> String { names.isEmpty ? "none" : names.prefix(20).joined(separator: ", ") }

    private func number(field: Int, of path: String) throws(SystemFailure) -> Double {
        let words = try text(path).split(separator: " ")
        guard words.indices.contains(field), let number = Double(words[field]), number.isFinite else {
            throw SystemFailure(reason: .badResponse, detail: "\(path): no number")
        }
        return number
    }

    private func decimal(_ path: String) throws(SystemFailure) -> Double { try number(field: 0, of: path) }

    private func integer(_ path: String) throws(SystemFailure) -> Int64 {
        let text = try text(path)
        guard let number = Int64(text) else { throw SystemFailure(reason: .badResponse, detail: "\(path): no number") }
        return number
    }

    /// The file's text without white space around it; of a longer file its first 8 KiB.
    private func text(_ path: String) throws(SystemFailure) -> String {
        let descriptor = open("\(root)\(path)", O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.failure(path, errno) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        var length = 0
        while length < bytes.count {
            let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress?.advanced(by: length), $0.count - length) }
            if count < 0 {
                if errno == EINTR { continue }
                throw Self.failure(path, errno)
            }
            if count == 0 { break }
            length += count
        }
        guard let text = String(validating: bytes[..<length], as: UTF8.self) else {
            throw SystemFailure(reason: .badResponse, detail: "\(path): no text")
        }
        var trimmed = Substring(text).drop { $0.isWhitespace }
        while trimmed.last?.isWhitespace == true { trimmed.removeLast() }
        guard !trimmed.isEmpty else { throw SystemFailure(reason: .badResponse, detail: "\(path): empty") }
        return String(trimmed)
    }

    private static func failure(_ path: String, _ code: Int32) -> SystemFailure {
        let reason: QualityReason =
            switch code {
            case ENOENT, ENODEV, ENXIO, ENOTDIR: .notConnected
            case ETIMEDOUT: .timeout
            case EAGAIN, EBUSY: .deviceBusy
            default: .deviceFailure
            }
        return SystemFailure(reason: reason, detail: "\(path): \(String(cString: strerror(code)))")
    }
}
