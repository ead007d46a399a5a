import Core

/// The four tables of one simulated device, and what it answers to a request. Addresses that were never set do not exist:
/// whoever asks for one gets exception 2.
public struct SimulatedUnit: Sendable {
    private struct Table: Sendable {
        var values: [UInt16] = []
        var exists: [Bool] = []

        func has(_ range: Range<Int>) -> Bool { range.upperBound <= exists.count && exists[range].allSatisfy { $0 } }

        mutating func set(_ address: Int, _ value: UInt16) {
            if address >= values.count {
                values.append(contentsOf: repeatElement(0, count: address + 1 - values.count))
                exists.append(contentsOf: repeatElement(false, count: values.count - exists.count))
            }
            values[address] = value
            exists[address] = true
        }
    }

    /// By ``ModbusArea/order``.
    private var tables = [Table](repeating: Table(), count: 4)
    /// Sets what moves, before each answer, to the time since the start.
    public var update: @Sendable (inout SimulatedUnit, _ elapsed: Duration) -> Void = { _, _ in }
    /// Whether it answers nothing.
    public var isSilent = false
    /// What it says of itself (function 43, type 14).
    public var identification = ModbusDeviceIdentification(vendorName: "Martlet", productCode: "simulator", revision: "1")

    public init() {}

    /// The value of a register, or 0 and 1 of a bit; nil where there is none.
    public subscript(_ area: ModbusArea, _ address: Int) -> UInt16? {
        get { tables[area.order].has(address..<address + 1) ? tables[area.order].values[address] : nil }
        set { if (0...65_535).contains(address), let newValue { tables[area.order].set(address, newValue) } }
    }

    public mutating func set(_ area: ModbusArea, _ address: Int, _ values: [UInt16]) {
        for (index, value) in values.enumerated() { self[area, address + index] = value }
    }

    /// The answer, from the function code on, to a request from its function code on.
    mutating func answer(_ request: [UInt8]) -> [UInt8] {
        guard let function = request.first else { return [] }
        return respond(function, request) ?? [function | 0x80, 3]
    }

    /// nil for a request that is malformed: exception 3.
    private mutating func respond(_ function: UInt8, _ request: [UInt8]) -> [UInt8]? {
        func word(_ at: Int) -> Int? { at + 1 < request.count ? Int(request[at]) << 8 | Int(request[at + 1]) : nil }
        let missing = [function | 0x80, 2]
        switch function {
        case 1...4:
            let area: ModbusArea = [.coil, .discreteInput, .holdingRegister, .inputRegister][Int(function) - 1]
            guard let address = word(1), let quantity = word(3), (1...area.maxQuantity).contains(quantity) else { return nil }
            return read(area, address..<address + quantity).map { [function, UInt8($0.count)] + $0 } ?? missing
        case 5, 6:
            let area: ModbusArea = function == 5 ? .coil : .holdingRegister
            guard let address = word(1), let value = word(3), function == 6 || value == 0 || value == 0xFF00 else { return nil }
            guard self[area, address] != nil else { return missing }
            self[area, address] = function == 5 ? (value == 0 ? 0 : 1) : UInt16(value)
            return Array(request.prefix(5))
        case 15, 16:
            guard let address = word(1), let quantity = word(3), quantity >= 1, request.count > 5 else { return nil }
            let bytes = function == 15 ? (quantity + 7) / 8 : 2 * quantity
            guard Int(request[5]) == bytes, request.count >= 6 + bytes else { return nil }
            let values: [UInt16] =
                function == 15
                ? (0..<quantity).map { UInt16(request[6 + $0 / 8] >> UInt8($0 % 8) & 1) }
                : (0..<quantity).map { UInt16(request[6 + 2 * $0]) << 8 | UInt16(request[7 + 2 * $0]) }
            return write(values, function == 15 ? .coil : .holdingRegister, address) ? Array(request.prefix(5)) : missing
        case 22:
            guard let address = word(1), let and = word(3), let or = word(5) else { return nil }
            guard let old = self[.holdingRegister, address] else { return missing }
            self[.holdingRegister, address] = old & UInt16(and) | UInt16(or) & ~UInt16(and)
            return Array(request.prefix(7))
        case 23:
            guard let address = word(1), let quantity = word(3), (1...125).contains(quantity), let to = word(5),
                let count = word(7), (1...121).contains(count), request.count >= 10 + 2 * count
            else { return nil }
            let values = (0..<count).map { UInt16(request[10 + 2 * $0]) << 8 | UInt16(request[11 + 2 * $0]) }
            guard tables[ModbusArea.holdingRegister.order].has(address..<address + quantity),
                write(values, .holdingRegister, to), let bytes = read(.holdingRegister, address..<address + quantity)
            else { return missing }
            return [function, UInt8(bytes.count)] + bytes
        case 43:
            guard request.count >= 4, request[1] == 14 else { return [function | 0x80, 1] }
            let objects = [identification.vendorName, identification.productCode, identification.revision]
            return [function, 14, request[2], 1, 0, 0, 3]
                + objects.enumerated().flatMap { [UInt8($0), UInt8(min(64, $1.utf8.count))] + Array($1.utf8.prefix(64)) }
        default: return [function | 0x80, 1]
        }
    }

    private func read(_ area: ModbusArea, _ range: Range<Int>) -> [UInt8]? {
        let table = tables[area.order]
        guard table.has(range) else { return nil }
        if area.holdsBits {
            var bits = [UInt8](repeating: 0, count: (range.count + 7) / 8)
            for (index, address) in range.enumerated() where table.values[address] != 0 { bits[index / 8] |= 1 << UInt8(index % 8) }
            return bits
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(2 * range.count)
        for address in range {
            bytes.append(UInt8(table.values[address] >> 8))
            bytes.append(UInt8(truncatingIfNeeded: table.values[address]))
        }
        return bytes
    }

    private mutating func write(_ values: [UInt16], _ area: ModbusArea, _ address: Int) -> Bool {
        guard tables[area.order].has(address..<address + values.count) else { return false }
        set(area, address, values)
        return true
    }
}
