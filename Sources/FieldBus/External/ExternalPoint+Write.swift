import Core

extension ExternalPoint {
    /// What the program is to be given: a number scaled back and, for an integer, rounded.
    func raw(of value: Value) throws(EncodeFailure) -> Value {
        let raw = try conversion.raw(value)
        switch type {
        case .string:
            guard case .string = raw else { throw .typeMismatch }
            return raw
        case .bool: return .bool(try raw.flag())
        case .real, .lreal:
            guard let number = raw.number, number.isFinite else { throw .typeMismatch }
            return .lreal(number)
        case .int, .dint, .lint, .uint, .udint, .ulint: break
        }
        guard let number = raw.number else { throw .typeMismatch }
        let isScaled = conversion.scale != nil || conversion.offset != nil
        if !isScaled, number != number.rounded() { throw .typeMismatch }
        let whole: Value
        switch raw {
        case .int, .uint: whole = raw
        default:
            guard let rounded = Int64(exactly: number.rounded()) else { throw .outOfRange }
            whole = .int(rounded)
        }
        // As the type has it.
        switch (type, whole) {
        case (.uint, .int(let number)), (.udint, .int(let number)), (.ulint, .int(let number)):
            guard let unsigned = UInt64(exactly: number), type.holds(.uint(unsigned)) else { throw .outOfRange }
            return .uint(unsigned)
        case (.int, .uint(let number)), (.dint, .uint(let number)), (.lint, .uint(let number)):
            guard let signed = Int64(exactly: number), type.holds(.int(signed)) else { throw .outOfRange }
            return .int(signed)
        default:
            guard type.holds(whole) else { throw .outOfRange }
            return whole
        }
    }
}
