/// A command that asks for measurement points (`thing/service/measurepoint/get`):
///
///     {"id":"8","version":"1.0","method":"thing.service.measurepoint.get","params":["setpoint","pump"]}
public struct MeasurepointGet: Sendable, Hashable {
    /// Points in one command, and in one answer.
    public static let maxPoints = 1000

    public var identifier: MessageIdentifier
    /// In the order of the text, each once; empty for all that the device has.
    public var points: [String]

    public init(identifier: MessageIdentifier, points: [String]) {
        self.identifier = identifier
        self.points = points
    }

    /// Reads a command. `version` may be anything or absent; members that are not known are passed over.
    ///
    /// - Throws: ``CommandFailure`` with 1251 (nothing there), 1220 (not JSON or not an envelope), 1260 (another method, or none) or
    ///   1204 (a point that is not a text, too many points).
    public static func parse(_ payload: UnsafeRawBufferPointer) throws(CommandFailure) -> MeasurepointGet {
        let (identifier, points) = try CommandEnvelope.read(payload, of: .measurepointGet, points)
        return MeasurepointGet(identifier: identifier, points: points)
    }

    private static func points(_ scanner: borrowing JSONScanner, _ params: Int) throws(CommandEnvelope.Fault) -> [String] {
        guard scanner[params].kind == .array else { throw CommandEnvelope.Fault(.notJSON, "params is not an array") }
        var points: [String] = []
        var known: Set<String> = []
        var element = scanner.first(in: params)
        while let node = element {
            guard points.count < maxPoints else { throw CommandEnvelope.Fault(.valueDoesNotFitModel, "more than \(maxPoints) points") }
            guard let point = scanner.string(node) else { throw CommandEnvelope.Fault(.valueDoesNotFitModel, "a point is not a text") }
            if known.insert(point).inserted { points.append(point) }
            element = scanner.next(after: node, in: params)
        }
        return points
    }
}
