public import Core

/// Lets an edge through when the line has been steady for a while after it, for kernels that do not do that themselves.
public struct Debouncer: Sendable {
    private let period: Duration
    private var level: Bool
    private var candidate: GPIOEdge?

    /// - Parameter level: the line's level now, taken for steady.
    public init(period: Duration, level: Bool) {
        self.period = period
        self.level = level
    }

    /// When ``settle(now:)`` is to be called; nil if nothing waits.
    public var deadline: MonotonicTime? { candidate.map { $0.time + period } }

    /// Takes an edge of the line.
    ///
    /// - Returns: the edge before it, if that has lasted. An edge keeps its own time, not that at which it was believed.
    public mutating func take(_ edge: GPIOEdge) -> GPIOEdge? {
        let settled = settle(now: edge.time)
        candidate = edge.level == level ? nil : edge
        return settled
    }

    /// The edge that has lasted by now.
    public mutating func settle(now: MonotonicTime) -> GPIOEdge? {
        guard let edge = candidate, now - edge.time >= period else { return nil }
        candidate = nil
        level = edge.level
        return edge
    }
}
