import Core
import TestSupport
import Testing

@testable import FieldBus

@Suite("System points")
struct SystemReaderTests {
    private let folder = TestFolder()

    private func read(_ source: String) throws -> SystemReading {
        var reader = SystemReader(root: folder.path)
        return try reader.read(try SystemSource(source))
    }

    private func reason(_ source: String) -> QualityReason? {
        do {
            _ = try read(source)
            return nil
        } catch let failure as SystemFailure {
            return failure.reason
        } catch {
            return nil
        }
    }

    /// A machine's files, what is asked and what the answer is.
    static let readings: [(files: [(String, String)], source: String, SystemReading)] = [
        (
            [("sys/class/thermal/thermal_zone0/type", "acpitz"), ("sys/class/thermal/thermal_zone0/temp", "20000"),
             ("sys/class/thermal/thermal_zone1/type", "cpu-thermal"), ("sys/class/thermal/thermal_zone1/temp", "48312\n")],
            "cpu-temperature", .number(48.312)
        ),
        ([("sys/class/thermal/thermal_zone0/type", "gpu"), ("sys/class/thermal/thermal_zone0/temp", "-1500")], "thermal:gpu", .number(-1.5)),
        ([("proc/loadavg", "0.20 1.50 0.05 1/80 11206")], "load-5", .number(1.5)),
        ([("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:    250 kB\n")], "memory-available", .integer(256_000)),
        ([("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:    250 kB\n")], "memory-used", .number(75)),
        ([("proc/uptime", "350735.47 234388.90")], "uptime", .number(350_735.47)),
        ([("sys/class/block/mmcblk0/device/life_time", "0x02 0x03\n")], "emmc-life:mmcblk0", .integer(30)),
        ([("sys/class/block/mmcblk0/device/pre_eol_info", "0x01\n")], "emmc-pre-eol:mmcblk0", .integer(1)),
        ([("sys/class/net/eth0/statistics/rx_bytes", "123456789012")], "network:eth0:rx_bytes", .integer(123_456_789_012)),
        ([("sys/class/net/eth0/operstate", "up\n")], "network-up:eth0", .flag(true)),
        ([("sys/class/net/eth0/operstate", "down\n")], "network-up:eth0", .flag(false)),
        (
            [("sys/bus/w1/devices/28-1/w1_slave", "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n")],
            "one-wire:28-1", .number(23.125)
        ),
        (
            [("sys/bus/iio/devices/iio:device0/name", "ads1115"), ("sys/bus/iio/devices/iio:device0/in_voltage0_raw", "1000"),
             ("sys/bus/iio/devices/iio:device0/in_voltage_scale", "0.125")],
            "iio:ads1115:in_voltage0", .number(125)
        ),
        ([("sys/bus/iio/devices/iio:device0/in_temp_input", "21500")], "iio:iio:device0:in_temp", .number(21_500)),
        ([("sys/kernel/x", "42")], "file:/sys/kernel/x", .integer(42)),
        ([("sys/kernel/x", "4.5")], "file:/sys/kernel/x", .number(4.5)),
        ([("sys/kernel/x", "on line\n")], "file:/sys/kernel/x", .text("on line")),
    ]

    @Test("a source is read from the machine's files", arguments: readings.indices)
    func reads(index: Int) throws {
        let (files, source, expected) = Self.readings[index]
        for (name, text) in files { folder.write(name, text) }
        #expect(try read(source) == expected)
    }

    @Test("the load of the processors is that between two readings")
    func processorLoad() throws {
        var reader = SystemReader(root: folder.path)
        folder.write("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1 1\n")
        #expect(throws: SystemFailure.self) { try reader.read(.cpuLoad) }
        folder.write("proc/stat", "cpu  125 0 100 875 0 0 0 0 0 0\n")
        #expect(try reader.read(.cpuLoad) == .number(25))
    }

    @Test(
        "what is missing or damaged says why",
        arguments: [
            ("cpu-temperature", "", "", QualityReason.notConnected), ("one-wire:28-1", "", "", .notConnected),
            ("one-wire:28-1", "sys/bus/w1/devices/28-1/w1_slave", "72 : crc=57 NO\n72 t=23125", .badResponse),
            ("one-wire:28-1", "sys/bus/w1/devices/28-1/w1_slave", "72 : crc=57 YES\n72 t=85000", .deviceFailure),
            ("memory-total", "proc/meminfo", "nothing", .badResponse), ("uptime", "proc/uptime", "nan", .badResponse),
            ("emmc-life:mmcblk0", "sys/class/block/mmcblk0/device/life_time", "0x00 0x00", .badResponse),
            ("emmc-life:sda", "sys/class/block/mmcblk0/device/life_time", "0x01 0x01", .notConnected),
            ("network:eth0:rx_bytes", "sys/class/net/eth0/statistics/rx_bytes", "", .badResponse),
            ("iio:ads1115:in_voltage0", "", "", .notConnected), ("storage-free:/none", "", "", .notConnected),
        ])
    func fails(source: String, file: String, text: String, expected: QualityReason) {
        if !file.isEmpty { folder.write(file, text) }
        #expect(reason(source) == expected)
    }

    @Test("the machine itself has a memory, an uptime and a file system")
    func machine() throws {
        var reader = SystemReader()
        for source in ["memory-total", "memory-available", "uptime", "storage-size:/", "storage-free:/", "storage-used:/", "load-1"] {
            guard let value = try reader.read(try SystemSource(source)).value(as: .lreal), case .lreal(let number) = value else {
                Issue.record("\(source) has no number")
                continue
            }
            #expect(number >= 0, "\(source)")
        }
    }

    @Test(
        "a source that cannot be is refused",
        arguments: ["", "memory", "uptime:1", "thermal", "thermal:a/b", "storage-free", "storage-free:data", "file:/etc/passwd",
            "file:/sys/../etc/passwd", "network:eth0", "reachable:host", "reachable:host:0", "one-wire:.."])
    func refused(source: String) {
        #expect(throws: FieldBusError.self) { _ = try SystemSource(source) }
    }

    @Test("no content of a file traps")
    func fuzz() throws {
        let files = Self.readings.flatMap(\.files)
        for seed in UInt64(0)..<60 {
            var random = SeededRandom(seed: seed)
            for (name, text) in files {
                var bytes = Array(text.utf8)
                for _ in 0..<random.below(4) where !bytes.isEmpty { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
                folder.write(name, random.once(in: 10) ? [] : bytes)
            }
            for (_, source, _) in Self.readings { _ = try? read(source).value(as: .ulint) }
        }
    }
}

@Suite("System driver", .timeLimit(.minutes(1)))
struct SystemDriverTests {
    private let folder = TestFolder()
    private let device = DeviceIdentifier(productKey: "box", deviceKey: "b1")

    private func bus(_ points: [(String, PointType, String)]) throws -> SystemBus {
        let points = try points.map {
            SystemBus.Point(identifier: $0.0, type: $0.1, source: try SystemSource($0.2), interval: .milliseconds(20))
        }
        var bus = SystemBus(name: "box", devices: [.init(identifier: device, points: points)])
        bus.root = folder.path
        bus.timeout = .milliseconds(500)
        return bus
    }

    @Test("a sensor that goes away is bad with its reason, and good when it is back")
    func sensor() async throws {
        folder.write("sys/bus/w1/devices/28-1/w1_slave", "a YES\nb t=21000")
        let plan = try bus([("room", .real, "one-wire:28-1")])
        try await BusRun.with(plan) { run in
            #expect(await run.sample("room")?.value == .real(21))
            folder.write("sys/bus/w1/devices/28-1/w1_slave", "a NO\nb t=21000")
            #expect(await run.sample("room") { !$0.quality.isGood }?.quality == .bad(.badResponse))
            #expect(await run.event { if case .deviceBad(device, .badResponse, _) = $0 { true } else { false } } != nil)
            folder.write("sys/bus/w1/devices/28-1/w1_slave", "a YES\nb t=22500")
            #expect(await run.sample("room") { $0.quality.isGood }?.value == .real(22.5))
        }
    }

    @Test("one point that is missing does not make the others bad")
    func onePoint() async throws {
        folder.write("proc/uptime", "10.5 1")
        try await BusRun.with(try bus([("up", .lreal, "uptime"), ("room", .real, "one-wire:28-1")])) { run in
            #expect(await run.event { $0 == .deviceGood(device) } != nil)
            #expect(await run.event { $0 == .pointsBad(device, points: ["room"], .notConnected) } != nil)
            #expect(await run.sample("up")?.value == .lreal(10.5))
        }
    }

    @Test("a host that accepts connections is reachable, and one that does not holds up no file")
    func hosts() async throws {
        folder.write("proc/uptime", "10.5 1")
        let server = FakeServer { _ in [] }
        try await BusRun.with(try bus([
            ("here", .bool, "reachable:127.0.0.1:\(server.port)"), ("nowhere", .bool, "reachable:127.0.0.1:1"),
            ("time", .lreal, "connect-time:127.0.0.1:\(server.port)"), ("up", .lreal, "uptime"),
        ])) { run in
            #expect(await run.sample("here")?.value == .bool(true))
            #expect(await run.sample("nowhere")?.value == .bool(false))
            #expect(await run.sample("time") { $0.value != nil } != nil)
            #expect(await run.sample("up") { $0.value != nil } != nil)
        }
    }

    @Test("a point of the machine cannot be written")
    func readOnly() async throws {
        let driver = try bus([("up", .lreal, "uptime")]).makeDriver()
        let results = await driver.write(device: device, values: [.init(point: "up", value: .int(1)), .init(point: "x", value: .int(1))])
        #expect(results.map(\.outcome) == [.readOnly, .unknownPoint])
    }
}
