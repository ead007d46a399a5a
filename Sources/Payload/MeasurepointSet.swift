/// A command that sets measurement points (`thing/service/measurepoint/set`):
///
///     {"id":"7","version":"1.0","method":"thing.service.measurepoint.set","params":{"setpoint":21.5,"pump":true}}
public struct MeasurepointSet: Sendable, Hashable {
    /// Points in one command.
    public static let maxPoints = 1000

    /// A value to write.
    public enum Scalar: Sendable, Hashable {
        case bool(Bool)
        case int(Int64)
        /// A whole number above `Int64.max`.
        case uint(UInt64)
        case double(Double)
        case string(String)
    }

    public struct Assignment: Sendable, Hashable {
        public var point: String
        public var value: Scalar

        public init(point: String, value: Scalar) {
            self.point = point
            self.value = value
        }
    }

    public var identifier: MessageIdentifier
    /// In the order of the text.
    public var assignments: [Assignment]

    public init(identifier: MessageIdentifier, assignments: [Assignment]) {
        self.identifier = identifier
        self.assignments = assignments
    }

    /// Reads a command. `version` may be anything or absent; members that are not known are passed over.
    ///
    /// - Throws: ``CommandFailure`` with 1251 (nothing there), 1220 (not JSON or not an envelope), 1260 (another method, or none) or
    ///   1204 (a value that is not a boolean, number or text, a point named twice, too many points).
    public static func parse(_ payload: UnsafeRawBufferPointer) throws(CommandFailure) -> MeasurepointSet {
        let (identifier, assignments) = try CommandEnvelope.read(payload, of: .measurepointSet, assignments)
        return MeasurepointSet(identifier: identifier, assignments: assignments)
    }

    private static func assignments(_ scanner: borrowing JSONScanner, _ params: Int) throws(CommandEnvelope.Fault) -> [Assignment] {
        guard scanner[params].kind == .object else {
            throw CommandEnvelope.Fault(.notJSON, "params is not an object")
        }
        var assignments: [Assignment] = []
        var names: Set<String> = []
        var name = scanner.first(in: params)
        while let node = name {
            guard assignments.count < maxPoints else {
                throw CommandEnvelope.Fault(.valueDoesNotFitModel, "more than \(maxPoints) points")
            }
            let point = scanner.string(node) ?? ""
            guard names.insert(point).inserted else {
                throw CommandEnvelope.Fault(.valueDoesNotFitModel, "point \(point) appears twice")
            }
            guard let value = Scalar(scanner, node + 1) else {
                throw CommandEnvelope.Fault(
                    .valueDoesNotFitModel, "the value of point \(point) is not a boolean, a number in range or a text")
            }
            assignments.append(Assignment(point: point, value: value))
            name = scanner.next(after: node + 1, in: params)
        }
        guard !assignments.isEmpty else { throw CommandEnvelope.Fault(.empty, "params names no point") }
        return assignments
    }
}

extension MeasurepointSet.Scalar {
    /// nil for null, arrays, objects and numbers beyond a `Double`.
    public init?(_ scanner: borrowing JSONScanner, _ node: Int) {
        switch scanner[node].kind {
        case .true: self = .bool(true)
        case .false: self = .bool(false)
        case .string: self = .string(scanner.string(node) ?? "")
        case .number:
            switch scanner.number(node) {
            case .int(let value): self = .int(value)
            case .uint(let value): self = .uint(value)
            case .double(let value): self = .double(value)
            case nil: return nil
            }
        case .null, .array, .object: return nil
        }
    }
}
