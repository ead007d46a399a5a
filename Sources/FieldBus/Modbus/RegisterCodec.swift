public import Core

/// How one point's value lies in its registers. Holds no references, so that decoding a block of points counts none.
public struct RegisterCodec: Sendable, Hashable {
    let type: PointType
    let wordOrder: WordOrder
    /// -1 when a BOOL is the whole register.
    let bit: Int8
    /// Bytes of a STRING.
    private let byteCount: UInt8
    private let registerCount: UInt8
    /// Not active where the point's conversion does more than that.
    let scaling: Scaling
    /// Whether a number that is to be written may have a fraction, because it was scaled back.
    let rounds: Bool

    /// - Precondition: `point` lies in an area of registers and is valid (``ModbusBus/validate()``).
    public init(_ point: ModbusPoint) {
        type = point.type
        wordOrder = point.wordOrder
        bit = point.bit.map { Int8(truncatingIfNeeded: $0) } ?? -1
        byteCount = point.type == .string ? UInt8(clamping: point.length) : 0
        registerCount = UInt8(clamping: point.quantity)
        rounds = point.conversion.scales
        scaling =
            point.conversion.onlyScales
            ? Scaling(scale: point.conversion.scale, offset: point.conversion.offset) : Scaling()
    }

    var length: Int { Int(byteCount) }
    /// How many registers there are.
    var quantity: Int { Int(registerCount) }

    /// The value in `registers`; nil when they hold none that fits the point: `bad(out-of-range)`, or
    /// `bad(bad-response)` when there are not as many registers as the point takes.
    public func decode(_ registers: UnsafeBufferPointer<UInt16>) -> (value: Value?, quality: Quality) {
        guard registers.count == quantity else { return (nil, .bad(.badResponse)) }
        if type == .string { return decodeString(registers) }
        let raw = wordOrder.number(registers)
        switch type {
        case .bool:
            return (.bool(bit < 0 ? raw != 0 : raw >> UInt64(bit & 15) & 1 != 0), .good)
        case .int: return integer(Int64(Int16(truncatingIfNeeded: raw)))
        case .dint: return integer(Int64(Int32(truncatingIfNeeded: raw)))
        case .lint: return integer(Int64(bitPattern: raw))
        case .uint, .udint, .ulint:
            return scaling.isActive ? scaled(Double(raw)) : (.uint(raw), .good)
        case .real:
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: raw))
            if scaling.isActive { return scaled(Double(value)) }
            return value.isFinite ? (.real(value), .good) : (nil, .bad(.outOfRange))
        case .lreal:
            let value = Double(bitPattern: raw)
            if scaling.isActive { return scaled(value) }
            return value.isFinite ? (.lreal(value), .good) : (nil, .bad(.outOfRange))
        case .string:
            return decodeString(registers)
        }
    }

    private func integer(_ value: Int64) -> (value: Value?, quality: Quality) {
        scaling.isActive ? scaled(Double(value)) : (.int(value), .good)
    }

    private func scaled(_ raw: Double) -> (value: Value?, quality: Quality) {
        let value = scaling.value(raw)
        return value.isFinite ? (.lreal(value), .good) : (nil, .bad(.outOfRange))
    }

    /// Text up to the first NUL.
    private func decodeString(_ registers: UnsafeBufferPointer<UInt16>) -> (value: Value?, quality: Quality) {
        let text = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * registers.count) { bytes -> String? in
            for (index, register) in registers.enumerated() {
                let word = wordOrder.word(register)
                bytes[2 * index] = UInt8(truncatingIfNeeded: word >> 8)
                bytes[2 * index + 1] = UInt8(truncatingIfNeeded: word)
            }
            let end = min(length, bytes.count)
            let count = bytes[..<end].firstIndex(of: 0) ?? end
            return String(validating: bytes[..<count], as: UTF8.self)
        }
        return text.map { (.string($0), .good) } ?? (nil, .bad(.outOfRange))
    }
}
