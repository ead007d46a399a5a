import Configuration
import Core
import TestSupport
import Testing

@testable import FieldBus

@Suite("SunSpec")
struct SunSpecTests {
    /// Holding registers of a made-up device; others are refused with exception 2.
    struct Image {
        var registers: [UInt16]
        var base: Int

        func read(_ address: Int, _ quantity: Int) throws(RequestFailure) -> [UInt16] {
            guard (1...125).contains(quantity), address >= base, address + quantity <= base + registers.count else { throw .exception(2) }
            return Array(registers[address - base..<address - base + quantity])
        }
    }

    private static let mark: [UInt16] = [0x5375, 0x6E53]
    private static let end: [UInt16] = [0xFFFF, 0]

    private static func text(_ text: String, _ registers: Int) -> [UInt16] {
        let bytes = Array(text.utf8) + [UInt8](repeating: 0, count: 2 * registers - text.utf8.count)
        return (0..<registers).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
    }

    private static var common: [UInt16] {
        [1, 66] + text("Acme", 16) + text("Sun 5", 16) + [UInt16](repeating: 0, count: 8) + text("1.2", 8) + text("A-77", 16) + [3, 0x8000]
    }

    /// A single-phase inverter.
    private static var inverter: [UInt16] {
        var registers = [UInt16](repeating: 0xFFFF, count: 50)
        registers[0] = 1052
        registers[1] = 1052
        registers[4] = UInt16(bitPattern: -2)
        registers[8] = 2301
        registers[11] = UInt16(bitPattern: -1)
        registers[12] = UInt16(bitPattern: -240)
        registers[13] = 1
        for absent in [16, 18, 20, 29, 31, 32, 33, 34, 35, 15, 17, 19, 21, 26, 28, 30] { registers[absent] = 0x8000 }
        registers[22] = 0x0001
        registers[23] = 0x0000
        registers[24] = 0
        registers[36] = 4
        return [101, 50] + registers
    }

    private static var mppt: [UInt16] {
        func block(_ number: UInt16, _ current: UInt16, _ state: UInt16) -> [UInt16] {
            [number] + text("String \(number)", 8) + [current, 4000, 0xFFFF, 0, 0, 0xFFFF, 0xFFFF, 0x8000, state, 0xFFFF, 0xFFFF]
        }
        let fixed: [UInt16] = [UInt16(bitPattern: -2), UInt16(bitPattern: -1), 0, 0x8000, 0xFFFF, 0xFFFF, 2, 0xFFFF]
        return [160, 48] + fixed + block(1, 512, 4) + block(2, 498, 99)
    }

    private static var device: Image { Image(registers: mark + common + inverter + [64_001, 3, 1, 2, 3] + mppt + end, base: 40_000) }

    private func values(_ device: SunSpecDevice) -> [String: Value] {
        Dictionary(device.readings.flatMap { $0 }.map { ($0.identifier, $0.value) }) { first, _ in
            Issue.record("an identifier is there twice")
            return first
        }
    }

    @Test("each model is as long as its document says", arguments: [
        (1, 66, 0), (101, 50, 0), (103, 50, 0), (111, 60, 0), (120, 26, 0), (121, 30, 0), (122, 44, 0), (160, 8, 20), (201, 105, 0),
        (204, 105, 0), (802, 62, 0),
    ])
    func lengths(identifier: Int, length: Int, block: Int) throws {
        let model = try #require(SunSpecModel.model(identifier))
        #expect(model.length == length && model.blockLength == block)
        let names = Set(model.points.map(\.name))
        for point in model.points + model.block {
            if let factor = point.scaleFactor { #expect(names.contains(factor), "\(point.name)") }
        }
        #expect(names.count == model.points.count)
    }

    @Test("the models of a device are walked from wherever they begin", arguments: SunSpecDevice.bases)
    func walk(base: Int) throws {
        var image = SunSpecTests.device
        image.base = base
        let device = try #require(try SunSpecDevice.walk(image.read))
        #expect(device.base == base && device.end == .endModel)
        #expect(device.models.map(\.identifier) == [1, 101, 64_001, 160])
        #expect(device.models.map(\.address) == [4, 72, 124, 129].map { base + $0 })
        #expect(device.models.map { $0.registers == nil } == [false, false, true, false])
    }

    @Test("values have their scale factors, and what is not implemented is left out")
    func scaled() throws {
        let device = try #require(try SunSpecDevice.walk(SunSpecTests.device.read))
        let values = values(device)
        #expect(values["common_Mn"] == .string("Acme") && values["common_SN"] == .string("A-77") && values["common_DA"] == .uint(3))
        #expect(values["inverter_A"] == .lreal(10.52) && values["inverter_PhVphA"] == .lreal(230.1) && values["inverter_W"] == .lreal(-2400))
        #expect(values["inverter_WH"] == .uint(65_536) && values["inverter_St"] == .string("MPPT"))
        #expect(values["mppt_DCA_1"] == .lreal(5.12) && values["mppt_DCA_2"] == .lreal(4.98) && values["mppt_DCV_2"] == .lreal(400))
        #expect(values["mppt_IDStr_2"] == .string("String 2") && values["mppt_DCSt_2"] == .string("99"))
        for absent in ["common_Opt", "common_Pad", "inverter_AphB", "inverter_Hz", "inverter_PF", "inverter_TmpCab", "inverter_Evt1", "inverter_A_SF", "mppt_DCW_1", "mppt_DCWH_1", "mppt_Tmp_1"] {
            #expect(values[absent] == nil, "\(absent)")
        }
    }

    @Test("a second model of a kind has names of its own")
    func twice() throws {
        let image = Image(registers: SunSpecTests.mark + SunSpecTests.inverter + SunSpecTests.inverter + SunSpecTests.end, base: 0)
        let device = try #require(try SunSpecDevice.walk(image.read))
        let values = values(device)
        #expect(values["inverter_W"] != nil && values["inverter_2_W"] == values["inverter_W"])
    }

    @Test("the profile of a device is valid and reads what was shown")
    func profile() throws {
        let device = try #require(try SunSpecDevice.walk(SunSpecTests.device.read))
        let profile = device.profile(protocol: "modbus-tcp")
        #expect(profile.name == "Acme Sun 5" && profile.document == "SunSpec models 1, 101, 160, read from the device")
        let text = ConfigurationPrinter.file(of: profile)
        #expect(try DeviceProfile.decode(text: text, file: "printed", drivers: Drivers.catalogue) == profile)
        let power = try #require(profile.points.first { $0.identifier == "inverter_W" })
        let place: ModbusPointTable = try #require(power.driver.keys())
        #expect(power.scale == 10 && power.type == .int && power.unit == "W" && place.address == 40_084 && power.group == "values")
        #expect(profile.points.first { $0.identifier == "common_Mn" }?.group == "nameplate")
        #expect(profile.points.allSatisfy { !$0.writable })
        #expect(profile.points.count == device.readings.joined().count)
    }

    @Test("a length that leads beyond the last register ends the walk")
    func pastTheEnd() throws {
        let image = Image(registers: SunSpecTests.mark + SunSpecTests.common + [64_001, 65_000], base: 40_000)
        let device = try #require(try SunSpecDevice.walk(image.read))
        #expect(device.end == .pastLastRegister && device.models.map(\.identifier) == [1])
    }

    @Test("a list without an end is kept as far as it goes")
    func withoutEnd() throws {
        let image = Image(registers: SunSpecTests.mark + SunSpecTests.common, base: 40_000)
        let device = try #require(try SunSpecDevice.walk(image.read))
        #expect(device.end == .failed(.exception(2)) && device.models.count == 1)
    }

    @Test("models of no length end after a bounded number of them")
    func bounded() throws {
        let device = try #require(
            try SunSpecDevice.walk { address, quantity throws(RequestFailure) in
                address == 40_000 ? SunSpecTests.mark : [64_000] + [UInt16](repeating: 0, count: quantity - 1)
            })
        #expect(device.end == .tooMany && device.models.count == SunSpecDevice.maxModels)
    }

    @Test("a device without models is told from one that is silent")
    func nothingThere() throws {
        let zeros = try SunSpecDevice.walk { _, quantity throws(RequestFailure) in [UInt16](repeating: 0, count: quantity) }
        #expect(zeros == nil)
        let refusing = try SunSpecDevice.walk { _, _ throws(RequestFailure) in throw .exception(2) }
        #expect(refusing == nil)
        #expect(throws: RequestFailure.timeout) { try SunSpecDevice.walk { _, _ throws(RequestFailure) in throw .timeout } }
    }

    @Test("whatever a device answers, a walk ends, stays inside of the registers, and gives a valid profile")
    func fuzz() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let kinds: [UInt16] = [1, 101, 103, 111, 120, 121, 122, 160, 203, 802, 64_001]
        for round in 0..<60 {
            var registers = SunSpecTests.mark
            for _ in 0..<random.below(8) {
                let length = random.below(10) == 0 ? random.below(65_536) : random.below(130)
                registers += [kinds[random.below(kinds.count)], UInt16(length)]
                let content = (0..<min(length, 200)).map { _ in
                    random.below(3) == 0 ? [0, 0xFFFF, 0x8000, 1][random.below(4)] : UInt16(random.below(65_536))
                }
                registers += content
            }
            if random.below(2) == 0 { registers += SunSpecTests.end }
            let image = Image(registers: registers, base: SunSpecDevice.bases[random.below(3)])
            var reads = 0
            let device = try SunSpecDevice.walk { address, quantity throws(RequestFailure) in
                reads += 1
                #expect(address >= 0 && address + quantity <= 65_536 && (1...125).contains(quantity), "seed \(seed)")
                return try image.read(address, quantity)
            }
            let found = try #require(device, "seed \(seed): no base")
            #expect(reads < 3 + 34 * (SunSpecDevice.maxModels + 1), "seed \(seed)")
            let profile = found.profile(protocol: "modbus-tcp")
            guard round.isMultiple(of: 6), !profile.points.isEmpty else { continue }
            let text = ConfigurationPrinter.file(of: profile)
            #expect(try DeviceProfile.decode(text: text, file: "printed", drivers: Drivers.catalogue) == profile, "seed \(seed)")
        }
    }
}
