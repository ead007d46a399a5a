import Core
import Synchronization

/// Bounds the writes that wait for a bus.
package final class WriteQueue: Sendable {
    /// How many calls may wait; more are refused as busy.
    package static let maxPending = 64

    private let pending = Atomic<Int>(0)

    /// Whether nobody waits.
    var isEmpty: Bool { pending.load(ordering: .sequentiallyConsistent) == 0 }

    /// Has values written by `perform`, if not too many wait already.
    func admit(
        _ values: [PointValue], _ perform: ([PointValue]) async -> [WriteResult]
    ) async -> [WriteResult] {
        let waiting = pending.add(1, ordering: .sequentiallyConsistent).newValue
        defer { pending.subtract(1, ordering: .sequentiallyConsistent) }
        guard waiting <= WriteQueue.maxPending else { return values.map { WriteResult(point: $0.point, outcome: .busy) } }
        return await perform(values)
    }
}
