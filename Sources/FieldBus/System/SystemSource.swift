/// Something that the machine knows of itself, as a point's `source` names it.
///
/// | source | the value is |
/// |---|---|
/// | `cpu-temperature` | °C of the first thermal zone of a processor, or else of the first |
/// | `thermal:NAME` | °C of the thermal zone of this type or folder: `thermal:cpu-thermal`, `thermal:thermal_zone1` |
/// | `cpu-load` | % of the time that all processors were busy since the last reading |
/// | `load-1` `load-5` `load-15` | load average |
/// | `memory-total` `memory-available` | bytes |
/// | `memory-used` | % |
/// | `storage-size:PATH` `storage-free:PATH` | bytes of the file system that holds the path; free is what is left for programs |
/// | `storage-used:PATH` | % |
/// | `emmc-life:DEVICE` | % of its life that an eMMC has used up, as its maker counts it: 10, 20, … 100, and 110 beyond |
/// | `emmc-pre-eol:DEVICE` | 1 normal, 2 more than 80 % of the spare blocks used, 3 more than 90 % |
/// | `uptime` | seconds since the start |
/// | `network:INTERFACE:COUNTER` | a counter of an interface: `network:eth0:rx_bytes`, `tx_errors`, … |
/// | `network-up:INTERFACE` | whether the interface has a carrier |
/// | `one-wire:SENSOR` | °C of a 1-Wire sensor: `one-wire:28-000005e2fdc3` |
/// | `iio:DEVICE:CHANNEL` | a channel of an IIO device by name or folder, in IIO's unit (mV, m°C, …): `iio:ads1115:in_voltage0` |
/// | `file:PATH` | the number or the text that stands in a file below /sys or /proc |
/// | `reachable:HOST:PORT` | whether a TCP connection can be made |
/// | `connect-time:HOST:PORT` | ms that it takes |
public enum SystemSource: Sendable, Hashable {
    case cpuTemperature
    case thermal(String)
    case cpuLoad
    /// 0, 1 or 2: over 1, 5 or 15 minutes.
    case loadAverage(Int)
    case memoryTotal, memoryAvailable, memoryUsed
    case storageSize(String), storageFree(String), storageUsed(String)
    case emmcLife(String), emmcPreEndOfLife(String)
    case uptime
    case network(interface: String, counter: String)
    case networkUp(String)
    case oneWire(String)
    case iio(device: String, channel: String)
    case file(String)
    case reachable(host: String, port: Int)
    case connectTime(host: String, port: Int)

    /// - Throws: what is wrong with the text.
    public init(_ text: String) throws(FieldBusError) {
        let colon = text.firstIndex(of: ":")
        let word = String(text[..<(colon ?? text.endIndex)])
        let rest = colon.map { String(text[text.index(after: $0)...]) }
        func invalid(_ problem: String) -> FieldBusError { .invalid(place: "source \"\(text)\"", problem: problem) }
        func name(_ what: String, _ text: String?) throws(FieldBusError) -> String {
            guard let text, !text.isEmpty else { throw invalid("write \(word):\(what)") }
            guard !text.contains("/"), text != ".", text != ".." else { throw invalid("\(what) is a name, not a path") }
            return text
        }
        func path() throws(FieldBusError) -> String {
            guard let rest, rest.hasPrefix("/"), !rest.utf8.contains(0) else { throw invalid("write \(word):/PATH") }
            return rest
        }
        /// The two names around the last colon: host addresses have colons too.
        func pair(_ first: String, _ second: String) throws(FieldBusError) -> (String, String) {
            guard let rest, let last = rest.lastIndex(of: ":"), last > rest.startIndex else { throw invalid("write \(word):\(first):\(second)") }
            return (String(rest[..<last]), String(rest[rest.index(after: last)...]))
        }
        func address() throws(FieldBusError) -> (String, Int) {
            let (host, port) = try pair("HOST", "PORT")
            guard let number = Int(port), (1...65_535).contains(number) else { throw invalid("a port is a number from 1 to 65535") }
            return (host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host, number)
        }
        if let plain = Self.plain[word] {
            guard rest == nil else { throw invalid("\(word) stands alone") }
            self = plain
            return
        }
        switch word {
        case "thermal": self = .thermal(try name("ZONE", rest))
        case "storage-size": self = .storageSize(try path())
        case "storage-free": self = .storageFree(try path())
        case "storage-used": self = .storageUsed(try path())
        case "emmc-life": self = .emmcLife(try name("DEVICE", rest))
        case "emmc-pre-eol": self = .emmcPreEndOfLife(try name("DEVICE", rest))
        case "network-up": self = .networkUp(try name("INTERFACE", rest))
        case "one-wire": self = .oneWire(try name("SENSOR", rest))
        case "network":
            let (interface, counter) = try pair("INTERFACE", "COUNTER")
            self = .network(interface: try name("INTERFACE", interface), counter: try name("COUNTER", counter))
        case "iio":
            let (device, channel) = try pair("DEVICE", "CHANNEL")
            self = .iio(device: try name("DEVICE", device), channel: try name("CHANNEL", channel))
        case "file":
            let file = try path()
            guard file.hasPrefix("/sys/") || file.hasPrefix("/proc/"), !file.split(separator: "/").contains("..") else {
                throw invalid("the file must lie below /sys or /proc")
            }
            self = .file(file)
        case "reachable":
            let (host, port) = try address()
            self = .reachable(host: host, port: port)
        case "connect-time":
            let (host, port) = try address()
            self = .connectTime(host: host, port: port)
        default:
            throw invalid("it is none of \(Self.words.joined(separator: ", "))")
        }
    }

    /// Sources that are a word alone.
    private static let plain: [String: SystemSource] = [
        "cpu-temperature": .cpuTemperature, "cpu-load": .cpuLoad, "load-1": .loadAverage(0), "load-5": .loadAverage(1),
        "load-15": .loadAverage(2), "memory-total": .memoryTotal, "memory-available": .memoryAvailable, "memory-used": .memoryUsed,
        "uptime": .uptime,
    ]

    private static let words =
        plain.keys.sorted() + [
            "thermal", "storage-size", "storage-free", "storage-used", "emmc-life", "emmc-pre-eol", "network", "network-up", "one-wire",
            "iio", "file", "reachable", "connect-time",
        ]

    /// The host that is asked, for sources that take the time of a connection.
    var host: (name: String, port: Int)? {
        switch self {
        case .reachable(let host, let port), .connectTime(let host, let port): (host, port)
        default: nil
        }
    }
}
