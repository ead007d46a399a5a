public import Core

extension JSONScanner {
    /// A value as one of a point's type: a number is rounded to a whole one for an integer, 0 and 1 are a BOOL. nil if it
    /// cannot be one, and for `null`, arrays and objects. Whether the number fits the type's width is not looked at.
    public func value(_ node: Int, as type: PointType) -> Value? {
        switch self[node].kind {
        case .null, .array, .object: return nil
        case .true, .false: return type == .bool ? .bool(self[node].kind == .true) : nil
        case .string: return type == .string ? string(node).map { .string($0) } : nil
        case .number: break
        }
        return number(node)?.value(as: type)
    }
}

extension JSONNumber {
    /// The number as a value of a point's type; nil if it cannot be one. Whether it fits the type's width is not looked at.
    public func value(as type: PointType) -> Value? {
        switch type {
        case .bool: return .bool(double != 0)
        case .string: return nil
        case .real: return Float(double).isFinite ? .real(Float(double)) : nil
        case .lreal: return .lreal(double)
        case .int, .dint, .lint:
            if case .int(let whole) = self { return .int(whole) }
            return Int64(exactly: double.rounded()).map { .int($0) }
        case .uint, .udint, .ulint:
            switch self {
            case .uint(let whole): return .uint(whole)
            case .int(let whole): return UInt64(exactly: whole).map { .uint($0) }
            case .double(let double): return UInt64(exactly: double.rounded()).map { .uint($0) }
            }
        }
    }
}
