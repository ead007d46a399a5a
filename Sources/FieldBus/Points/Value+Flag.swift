import Core

extension Value {
    /// A BOOL, or one of the numbers 0 and 1, because JSON writers send them.
    func flag() throws(EncodeFailure) -> Bool {
        switch self {
        case .bool(let flag): return flag
        case .int(let number):
            guard number == 0 || number == 1 else { throw .outOfRange }
            return number == 1
        case .uint(let number):
            guard number == 0 || number == 1 else { throw .outOfRange }
            return number == 1
        case .real, .lreal, .string: throw .typeMismatch
        }
    }
}
