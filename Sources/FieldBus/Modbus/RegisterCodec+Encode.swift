public import Core

extension RegisterCodec {
    /// The registers that hold `value`, scaled back and rounded to the nearest raw value if the point is scaled.
    ///
    /// A BOOL becomes 1 or 0; for a bit of a register that is the bit, not the register. The numbers 0 and 1 are accepted
    /// for it, because JSON writers send them.
    public func encode(_ value: Value) throws(EncodeFailure) -> [UInt16] {
        switch type {
        case .bool: return [wordOrder.word(try value.flag() ? 1 : 0)]
        case .string: return try encodeString(value)
        case .real:
            let number = try rawNumber(value)
            let real = Float(number)
            guard real.isFinite else { throw .outOfRange }
            return wordOrder.registers(UInt64(real.bitPattern), count: quantity)
        case .lreal:
            let number = try rawNumber(value)
            guard number.isFinite else { throw .outOfRange }
            return wordOrder.registers(number.bitPattern, count: quantity)
        case .int: return try encodeSigned(value, in: Int64(Int16.min)...Int64(Int16.max))
        case .dint: return try encodeSigned(value, in: Int64(Int32.min)...Int64(Int32.max))
        case .lint: return try encodeSigned(value, in: Int64.min...Int64.max)
        case .uint: return try encodeUnsigned(value, upTo: UInt64(UInt16.max))
        case .udint: return try encodeUnsigned(value, upTo: UInt64(UInt32.max))
        case .ulint: return try encodeUnsigned(value, upTo: UInt64.max)
        }
    }

    private func encodeSigned(_ value: Value, in range: ClosedRange<Int64>) throws(EncodeFailure) -> [UInt16] {
        let raw: Int64
        switch value {
        case .int(let number) where !scaling.isActive: raw = number
        case .uint(let number) where !scaling.isActive:
            guard let number = Int64(exactly: number) else { throw .outOfRange }
            raw = number
        default:
            guard let number = Int64(exactly: try wholeNumber(value)) else { throw .outOfRange }
            raw = number
        }
        guard range.contains(raw) else { throw .outOfRange }
        return wordOrder.registers(UInt64(bitPattern: raw), count: quantity)
    }

    private func encodeUnsigned(_ value: Value, upTo greatest: UInt64) throws(EncodeFailure) -> [UInt16] {
        let raw: UInt64
        switch value {
        case .uint(let number) where !scaling.isActive: raw = number
        case .int(let number) where !scaling.isActive:
            guard let number = UInt64(exactly: number) else { throw .outOfRange }
            raw = number
        default:
            guard let number = UInt64(exactly: try wholeNumber(value)) else { throw .outOfRange }
            raw = number
        }
        guard raw <= greatest else { throw .outOfRange }
        return wordOrder.registers(raw, count: quantity)
    }

    /// A scaled value rounded to the nearest raw number; an unscaled one must be whole already.
    private func wholeNumber(_ value: Value) throws(EncodeFailure) -> Double {
        let number = try rawNumber(value)
        guard number.isFinite else { throw .outOfRange }
        let rounded = number.rounded()
        if !rounds, rounded != number { throw .typeMismatch }
        return rounded
    }

    private func rawNumber(_ value: Value) throws(EncodeFailure) -> Double {
        let number: Double
        switch value {
        case .int(let value): number = Double(value)
        case .uint(let value): number = Double(value)
        case .real(let value): number = Double(value)
        case .lreal(let value): number = value
        case .bool, .string: throw .typeMismatch
        }
        return scaling.isActive ? scaling.raw(number) : number
    }

    /// The text's bytes, filled up with NUL.
    private func encodeString(_ value: Value) throws(EncodeFailure) -> [UInt16] {
        guard case .string(let text) = value else { throw .typeMismatch }
        var bytes = Array(text.utf8)
        guard bytes.count <= length, !bytes.contains(0) else { throw .outOfRange }
        bytes.append(contentsOf: repeatElement(0, count: 2 * quantity - bytes.count))
        return (0..<quantity).map { wordOrder.word(UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1])) }
    }
}

extension ModbusPoint {
    /// What the device is to hold for a value: registers, or one 0 or 1 for a coil.
    func registers(of value: Value) throws(EncodeFailure) -> [UInt16] {
        // What the codec does not convert.
        let value = conversion.onlyScales ? value : try conversion.raw(value)
        return try area == .coil ? [value.flag() ? 1 : 0] : RegisterCodec(self).encode(value)
    }
}
