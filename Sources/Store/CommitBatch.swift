/// What one commit stores.
public struct CommitBatch: Sendable {
    public var operations: [SessionOperation]
    public var appends: [LaneAppend]
    public var acknowledgements: [LaneAcknowledgement]
    public var removals: [String] = []

    public init(
        operations: [SessionOperation] = [], appends: [LaneAppend] = [], acknowledgements: [LaneAcknowledgement] = []
    ) {
        self.operations = operations
        self.appends = appends
        self.acknowledgements = acknowledgements
    }

    public var isEmpty: Bool { operations.isEmpty && appends.isEmpty && acknowledgements.isEmpty && removals.isEmpty }
}

/// What a commit did.
public struct CommitReport: Sendable {
    public var cache: CacheReport
    /// All lanes after the commit.
    public var lanes: [LaneStatus]
    /// Time that writing and syncing the cache file took.
    public var cacheDuration: Duration
    /// Time that writing and syncing the sessions file took.
    public var sessionsDuration: Duration
}

/// A damaged file that was replaced by an empty one.
public struct StorageAlarm: Sendable, Hashable, CustomStringConvertible {
    /// The file's path.
    public var file: String
    /// What is wrong with it.
    public var message: String
    /// Where it lies now, with its journals.
    public var setAsideAs: String

    public var description: String {
        "\(file) is damaged (\(message)); it is kept as \(setAsideAs), and an empty one takes its place"
    }
}

/// The state of both files.
public struct StorageStatus: Sendable, Hashable {
    public var cache: CacheStatus
    /// Bytes of the sessions file.
    public var sessionsFileBytes: Int64
    /// Bytes of the sessions file that hold nothing and are used before it grows.
    public var sessionsFreeBytes: Int64
}
