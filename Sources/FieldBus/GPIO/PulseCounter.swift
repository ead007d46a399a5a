/// Counts the edges of a line and knows when some were lost.
public struct PulseCounter: Sendable {
    /// Which edges count.
    public enum Edges: String, Sendable, CaseIterable {
        case rising
        case falling
        case both
    }

    private let edges: Edges
    /// Wraps around after 2⁶⁴.
    public private(set) var count: UInt64 = 0
    /// Whether edges were lost of which nobody knows how many. Setting the count ends it.
    public private(set) var isUncertain = false
    private var level: Bool
    private var sequence: UInt64?

    /// - Parameter level: the line's level now.
    public init(edges: Edges, level: Bool) {
        self.edges = edges
        self.level = level
    }

    /// Sets the count, to the figure on a meter's dial for instance.
    public mutating func set(_ count: UInt64) {
        self.count = count
        isUncertain = false
    }

    /// Takes the next edge. Levels alternate, so edges that are missing between two sequence numbers are counted too; a level
    /// that comes twice without a number tells that some are missing, not how many.
    public mutating func take(_ edge: GPIOEdge) {
        var missing: UInt64 = 0
        if let next = edge.sequence {
            if let sequence, next > sequence { missing = next - sequence - 1 }
            sequence = next
        }
        if missing > 0 {
            // The missing ones and this one lead from the level known to the one now.
            let total = missing &+ 1
            if (total % 2 == 1) == (edge.level != level) {
                count &+= counted(total, endingAt: edge.level)
                level = edge.level
                return
            }
            isUncertain = true
        }
        if edge.level == level { isUncertain = true }
        count &+= counted(1, endingAt: edge.level)
        level = edge.level
    }

    /// Tells that edges may have been lost that no sequence number tells of.
    public mutating func noteLoss() { isUncertain = true }

    /// How many of `total` alternating edges count when the last leads to `level`.
    private func counted(_ total: UInt64, endingAt level: Bool) -> UInt64 {
        switch edges {
        case .both: total
        case .rising: level ? total / 2 + total % 2 : total / 2
        case .falling: level ? total / 2 : total / 2 + total % 2
        }
    }
}
