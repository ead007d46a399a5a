import Payload

extension JSONWriter {
    /// The `params` of a command that sets measurement points.
    mutating func assignments(_ assignments: [MeasurepointSet.Assignment]) {
        beginObject()
        for assignment in assignments {
            name(assignment.point)
            switch assignment.value {
            case .bool(let value): bool(value)
            case .int(let value): integer(value)
            case .uint(let value): integer(value)
            case .double(let value): real(value)
            case .string(let value): string(value)
            }
        }
        endObject()
    }
}
