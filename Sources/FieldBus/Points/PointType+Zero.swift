import Core

extension PointType {
    /// What a device holds that was never told anything.
    var zero: Value {
        switch self {
        case .bool: .bool(false)
        case .int, .dint, .lint: .int(0)
        case .uint, .udint, .ulint: .uint(0)
        case .real: .real(0)
        case .lreal: .lreal(0)
        case .string: .string("")
        }
    }
}
