import ArgumentParser
import Core
import FieldBus

/// Where a value lies in a device and how.
struct RegisterOptions: ParsableArguments {
    @Option(name: [.customShort("a"), .long], help: "coil, discrete-input, input-register or holding-register.")
    var area = ModbusArea.holdingRegister

    @Option(name: [.customShort("r"), .long], help: "The first register or bit, counted from 0.")
    var address = 0

    @Option(
        name: [.customShort("t"), .long],
        help: "BOOL, INT, UINT, DINT, UDINT, LINT, ULINT, REAL, LREAL or STRING (default: UINT; BOOL in areas of bits).")
    var type: PointType?

    @Option(help: "Order of the value's bytes: abcd, cdab, badc or dcba.")
    var wordOrder = WordOrder.abcd

    @Option(help: "Of a BOOL in a register: the bit, 0…15.")
    var bit: Int?

    @Option(help: "Of a STRING: its bytes.")
    var length = 0

    @Option(help: "The value is what is in the registers × scale + offset.")
    var scale: Double?

    @Option(help: "See --scale.")
    var offset: Double?

    /// What the options describe, checked as a point of a configuration is.
    func point(writable: Bool) throws -> ModbusPoint {
        var point = checkedPoint
        point.writable = writable
        var bus = ModbusBus(name: "line", transport: .tcp(host: "host", port: 502))
        bus.devices = [
            ModbusDevice(
                identifier: DeviceIdentifier(productKey: "p", deviceKey: "d"), unitIdentifier: 1, points: [point])
        ]
        do throws(FieldBusError) {
            try bus.validate()
        } catch {
            guard case .invalid(_, let problem) = error else { throw error }
            throw ValidationError(problem)
        }
        return point
    }

    /// For use after validation.
    var checkedPoint: ModbusPoint {
        var point = ModbusPoint(
            identifier: "value", type: type ?? (area.holdsBits || bit != nil ? .bool : .uint), area: area, address: address)
        point.wordOrder = wordOrder
        point.bit = bit
        point.length = length
        point.conversion.scale = scale
        point.conversion.offset = offset
        return point
    }

    /// The bit's mask in the register as it goes over the line.
    var bitMask: UInt16 {
        let mask: UInt16 = 1 << UInt16((bit ?? 0) & 15)
        return wordOrder == .badc || wordOrder == .dcba ? mask.byteSwapped : mask
    }

    /// The value in registers; the reason in words when they hold none that fits.
    func text(_ registers: [UInt16]) -> String {
        let (value, quality) = registers.withUnsafeBufferPointer { RegisterCodec(checkedPoint).decode($0) }
        return value.map(\.digits) ?? quality.reason?.rawValue ?? ""
    }

    func hexadecimal(_ registers: [UInt16]) -> String {
        registers.map {
            let text = String($0, radix: 16, uppercase: true)
            return String(repeating: "0", count: 4 - text.count) + text
        }.joined(separator: " ")
    }

    /// The value that a text stands for; nil when it is none of the type.
    func value(_ text: String) -> Value? {
        let point = checkedPoint
        switch point.type {
        case .bool:
            switch text.lowercased() {
            case "1", "true", "on": return .bool(true)
            case "0", "false", "off": return .bool(false)
            default: return nil
            }
        case .string: return .string(text)
        case .real, .lreal: return Double(text).map { .lreal($0) }
        case _ where scale != nil || offset != nil: return Double(text).map { .lreal($0) }
        case .int, .dint, .lint: return integer(text).map { .int($0) }
        case .uint, .udint, .ulint: return text.lowercased().hasPrefix("0x") ? integer(text).map { .int($0) } : UInt64(text).map { .uint($0) }
        }
    }

    private func integer(_ text: String) -> Int64? {
        text.lowercased().hasPrefix("0x") ? Int64(text.dropFirst(2), radix: 16) : Int64(text)
    }
}
