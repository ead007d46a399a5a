public import Core

extension RegisterCodec {
    /// The registers that hold `value`, scaled back and rounded to the nearest raw value if the point is scaled.
    ///
    /// A BOOL becomes 1 or 0; for a bit of a register that is the bit, not the register. The numbers 0 and 1 are accepted
    /// for it, because JSON writers send them.
    public func encode(_ value: Value) throws(EncodeFailure) -> [UInt16] {
        switch try type.fitted(try scaling.raw(value), rounds: rounds) {
        case .bool(let flag): return [wordOrder.word(flag ? 1 : 0)]
        case .string(let text): return try encode(text)
        case .int(let number): return wordOrder.registers(UInt64(bitPattern: number), count: quantity)
        case .uint(let number): return wordOrder.registers(number, count: quantity)
        case .real(let number): return registers(Double(number))
        case .lreal(let number): return registers(number)
        }
    }

    private func registers(_ number: Double) -> [UInt16] {
        wordOrder.registers(type == .real ? UInt64(Float(number).bitPattern) : number.bitPattern, count: quantity)
    }

    /// The text's bytes, filled up with NUL.
    private func encode(_ text: String) throws(EncodeFailure) -> [UInt16] {
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
