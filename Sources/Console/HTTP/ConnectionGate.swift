import Synchronization

/// Counts the connections of a server, whose loops may be several.
final class ConnectionGate: Sendable {
    private let count = Atomic(0)
    private let maximum: Int

    init(maximum: Int) { self.maximum = maximum }

    /// Whether there is room for one more, which is counted from here on.
    func enter() -> Bool {
        if count.add(1, ordering: .relaxed).newValue <= maximum { return true }
        leave()
        return false
    }

    func leave() { count.subtract(1, ordering: .relaxed) }
}
