import Configuration
import Core
import FieldBus
import Testing

@Suite("Built-in profiles", .timeLimit(.minutes(1)))
struct BuiltInProfileTests {
    /// What a device of the profile has in its registers, and what is to be read of it.
    struct Example: Sendable {
        var profile: String
        var registers: [Int: [UInt16]]
        var values: [String: Value]
    }

    static let examples: [Example] = [
        Example(
            profile: "eastron-sdm630",
            registers: [
                0: real(230.5), 6: real(10.25), 52: real(-4200), 62: real(0.98), 70: real(49.98), 72: real(1234.5), 342: real(2000),
                360: real(7.5),
            ],
            values: [
                "voltage_l1": .real(230.5), "current_l1": .real(10.25), "active_power": .real(-4200), "power_factor": .real(0.98),
                "frequency": .real(49.98), "active_energy_import": .real(1234.5), "active_energy": .real(2000), "reactive_power": .real(0),
            ]),
        Example(
            profile: "schneider-iem3155",
            registers: [
                2999: real(3.5), 3019: real(400), 3027: real(231), 3059: real(1.75), 3109: real(50), 3203: [0, 0, 0x0012, 0xD687],
                49: text("iEM3155", 20), 129: [0x0001, 0x0002],
            ],
            values: [
                "current_l1": .real(3.5), "voltage_l1_l2": .real(400), "voltage_l1": .real(231), "active_power": .real(1.75),
                "frequency": .real(50), "active_energy_import": .lreal(1234.567), "meter_model": .string("iEM3155"),
                "serial_number": .uint(65_538),
            ]),
        Example(
            profile: "huawei-sun2000",
            registers: [
                30000: text("SUN2000-8KTL-M1", 15), 32016: [6543], 32017: [UInt16(bitPattern: -12)], 32069: [2301],
                32072: [0, 12_345], 32080: [0xFFFF, 0xFF38], 32084: [UInt16(bitPattern: -998)], 32085: [5001], 32087: [415], 32089: [0x0201],
                32106: [0x0001, 0x86A0], 40125: [1000],
            ],
            values: [
                "model": .string("SUN2000-8KTL-M1"), "pv_voltage_1": .lreal(654.3), "pv_current_1": .lreal(-0.12), "voltage_a": .lreal(230.1),
                "current_a": .lreal(12.345), "active_power": .int(-200), "power_factor": .lreal(-0.998), "frequency": .lreal(50.01),
                "temperature": .lreal(41.5), "status": .string("on grid, power limited"), "energy_total": .lreal(1000),
                "active_power_limit_percent": .lreal(100),
            ]),
    ]

    private static func real(_ value: Float) -> [UInt16] {
        [UInt16(truncatingIfNeeded: value.bitPattern >> 16), UInt16(truncatingIfNeeded: value.bitPattern)]
    }

    private static func text(_ text: String, _ registers: Int) -> [UInt16] {
        let bytes = Array(text.utf8) + [UInt8](repeating: 0, count: 2 * registers - text.utf8.count)
        return (0..<registers).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
    }

    @Test("there is an example for every built-in profile")
    func complete() {
        #expect(Set(BuiltInProfileTests.examples.map(\.profile)) == Set(DeviceProfile.builtInNames))
    }

    @Test("every point of a built-in profile is read from a device, with the values of its registers", arguments: examples)
    func read(example: Example) async throws {
        let server = FakeServer { request in
            [
                .send(
                    request.values { address in
                        for (start, registers) in example.registers where (start..<start + registers.count).contains(address) {
                            return registers[address - start]
                        }
                        return 0
                    })
            ]
        }
        defer { server.stop() }
        let text = """
            [[bus]]
            name = "line"
            protocol = "modbus-tcp"
            host = "127.0.0.1"
            port = \(server.port)
            [[product]]
            key = "p"
            profile = "\(example.profile)"
            [[device]]
            product = "p"
            key = "d"
            bus = "line"
            """
        let configuration = try MartletConfiguration.decode(text: text, file: "m", drivers: Drivers.catalogue)
        let product = configuration.products[0]
        let description = BusDescription(
            bus: configuration.buses[0], devices: [.init(device: configuration.devices[0], product: product)])
        var errors: [ConfigurationError] = []
        var bus = try #require(ModbusTCP.plan(description, &errors) as? ModbusBus)
        #expect(errors.isEmpty && bus.devices[0].points.count == product.points.count)
        for index in bus.devices[0].points.indices { bus.devices[0].points[index].interval = .milliseconds(20) }
        try await DriverRun.with(bus) { run in
            var missing = Set(product.points.map(\.identifier))
            var seen: [String: Sample] = [:]
            while !missing.isEmpty, let reading = await run.reading() {
                for sample in reading.samples {
                    missing.remove(sample.point)
                    seen[sample.point] = sample
                }
            }
            for (point, value) in example.values {
                #expect(seen[point]?.value == value && seen[point]?.quality == .good, "\(point)")
            }
        }
    }
}
