import Core
import Store

/// How the store keeps up.
struct CommitStatistics: Sendable, Equatable {
    /// Upper bounds of the buckets in seconds; what took longer is in one more.
    static let bounds: [Double] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]

    private(set) var commits: UInt64 = 0
    private(set) var failures: UInt64 = 0
    /// Commits by how long they took.
    private(set) var buckets = [UInt64](repeating: 0, count: bounds.count + 1)
    private(set) var seconds = 0.0
    /// Operations that the last batch held.
    private(set) var lastOperations = 0
    /// Whether the last commit failed.
    private(set) var isFailing = false

    mutating func succeeded(after duration: Duration, operations: Int) {
        let taken = Double(duration.wholeNanoseconds) / 1e9
        commits &+= 1
        seconds += taken
        buckets[CommitStatistics.bounds.firstIndex { taken <= $0 } ?? CommitStatistics.bounds.count] &+= 1
        lastOperations = operations
        isFailing = false
    }

    mutating func failed() {
        failures &+= 1
        isFailing = true
    }
}

/// What happens to the store, for whoever watches over the box.
enum StorageEvent: Sendable, Equatable {
    /// A commit failed, after others that had not, or for another reason than the one before.
    case failing(error: String)
    /// A commit succeeded after some that had failed.
    case recovered(failures: Int)
    /// Files were set aside and others took their places.
    case damaged([StorageAlarm])
}
