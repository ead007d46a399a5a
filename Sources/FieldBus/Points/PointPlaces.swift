/// The places of points in the order of their product, which a reading's samples usually follow.
public struct PointPlaces: Sendable {
    public let identifiers: [String]
    private let index: [String: Int]

    public init(_ identifiers: [String]) {
        self.identifiers = identifiers
        index = Dictionary(identifiers.enumerated().map { ($1, $0) }) { first, _ in first }
    }

    /// - Parameter hint: where the point may be, 0 at first; afterwards where the one behind it in the product is.
    /// - Returns: nil for a point that the product does not have.
    public func place(of identifier: String, hint: inout Int) -> Int? {
        if hint < identifiers.count, identifiers[hint] == identifier {
            hint += 1
            return hint - 1
        }
        guard let place = index[identifier] else { return nil }
        hint = place + 1
        return place
    }
}
