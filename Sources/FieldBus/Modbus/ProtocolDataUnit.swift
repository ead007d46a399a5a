/// The requests that go out without libmodbus: those of a broadcast, which libmodbus would wait for an answer to, and those
/// that it has no function for. Function code first, without unit identifier and check sum (Modbus Application Protocol
/// 1.1b3 §6).
enum ProtocolDataUnit {
    static func writeSingleCoil(_ on: Bool, address: Int) -> [UInt8] { [5] + word(address) + [on ? 0xFF : 0, 0] }

    static func writeSingleRegister(_ value: UInt16, address: Int) -> [UInt8] { [6] + word(address) + word(Int(value)) }

    static func writeMultipleCoils(_ values: [Bool], address: Int) -> [UInt8] {
        var bits = [UInt8](repeating: 0, count: (values.count + 7) / 8)
        for (index, value) in values.enumerated() where value { bits[index / 8] |= 1 << UInt8(index % 8) }
        return [15] + word(address) + word(values.count) + [UInt8(clamping: bits.count)] + bits
    }

    static func writeMultipleRegisters(_ values: [UInt16], address: Int) -> [UInt8] {
        [16] + word(address) + word(values.count) + [UInt8(clamping: 2 * values.count)] + values.flatMap { word(Int($0)) }
    }

    static func maskWriteRegister(and: UInt16, or: UInt16, address: Int) -> [UInt8] {
        [22] + word(address) + word(Int(and)) + word(Int(or))
    }

    /// Function 43, type 14: vendor, product code and revision.
    static let readBasicDeviceIdentification: [UInt8] = [43, 14, 1, 0]

    private static func word(_ value: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
    }
}
