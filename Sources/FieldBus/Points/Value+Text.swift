package import Core

extension Value {
    /// As people read it, text without quotation marks.
    package var digits: String {
        switch self {
        case .bool(let value): "\(value)"
        case .int(let value): "\(value)"
        case .uint(let value): "\(value)"
        case .real(let value): "\(value)"
        case .lreal(let value): "\(value)"
        case .string(let value): value
        }
    }
}
