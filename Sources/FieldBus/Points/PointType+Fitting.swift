import Core

extension PointType {
    /// What a device is given of a number, a text or a flag: of this type's kind and within its range. Whole numbers of 64 bits
    /// stay exact.
    ///
    /// - Parameter rounds: whether a number for an integer may have a fraction, because it was scaled back; the nearest one is
    ///   taken.
    func fitted(_ raw: Value, rounds: Bool) throws(EncodeFailure) -> Value {
        switch self {
        case .bool: return .bool(try raw.flag())
        case .string:
            guard case .string = raw else { throw .typeMismatch }
            return raw
        case .real:
            guard let number = raw.number else { throw .typeMismatch }
            // The device rounds it, or whoever makes its registers.
            guard Float(number).isFinite else { throw .outOfRange }
            return .lreal(number)
        case .lreal:
            guard let number = raw.number else { throw .typeMismatch }
            guard number.isFinite else { throw .outOfRange }
            return .lreal(number)
        case .int, .dint, .lint: return try ranged(.int(raw.whole(rounds: rounds)))
        case .uint, .udint, .ulint: return try ranged(.uint(raw.whole(rounds: rounds)))
        }
    }

    private func ranged(_ whole: Value) throws(EncodeFailure) -> Value {
        guard holds(whole) else { throw .outOfRange }
        return whole
    }
}

extension Value {
    fileprivate func whole<Number: FixedWidthInteger>(rounds: Bool) throws(EncodeFailure) -> Number {
        let whole: Number?
        switch self {
        case .int(let number): whole = Number(exactly: number)
        case .uint(let number): whole = Number(exactly: number)
        case .real, .lreal, .bool, .string:
            guard let number else { throw .typeMismatch }
            guard number.isFinite else { throw .outOfRange }
            let rounded = number.rounded()
            if !rounds, rounded != number { throw .typeMismatch }
            whole = Number(exactly: rounded)
        }
        guard let whole else { throw .outOfRange }
        return whole
    }
}
