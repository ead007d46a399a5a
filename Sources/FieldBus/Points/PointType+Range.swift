package import Core

extension PointType {
    /// Whether a value lies in the type's range.
    package func holds(_ value: Value) -> Bool {
        switch (self, value) {
        case (.int, .int(let number)): Int16(exactly: number) != nil
        case (.dint, .int(let number)): Int32(exactly: number) != nil
        case (.uint, .uint(let number)): UInt16(exactly: number) != nil
        case (.udint, .uint(let number)): UInt32(exactly: number) != nil
        default: true
        }
    }
}
