public import Core

/// What one commit stores.
public struct CommitBatch: Sendable {
    public var operations: [SessionOperation]
    public var appends: [LaneAppend]
    public var acknowledgements: [LaneAcknowledgement]
    /// Lanes to forget, with the messages that wait in them. This comes before the rest of the batch: a lane that has
    /// an append as well is made anew, and a batch given again does the same again.
    public var removals: [String]

    public init(
        operations: [SessionOperation] = [], appends: [LaneAppend] = [], acknowledgements: [LaneAcknowledgement] = [],
        removals: [String] = []
    ) {
        self.operations = operations
        self.appends = appends
        self.acknowledgements = acknowledgements
        self.removals = removals
    }

    public var isEmpty: Bool {
        operations.isEmpty && appends.isEmpty && acknowledgements.isEmpty && removals.isEmpty
    }
}

/// Messages to add at the end of a lane.
public struct LaneAppend: Sendable {
    /// The lane's name, `ROUTE#GENERATION`. A lane is made by its first append.
    public var lane: String
    /// The sequence of the first of `messages`; the others follow without a hole. What the lane has already is skipped,
    /// so that a batch whose outcome is unknown may be given again.
    public var firstSequence: Int64
    public var messages: [Message]

    public init(lane: String, firstSequence: Int64, messages: [Message]) {
        self.lane = lane
        self.firstSequence = firstSequence
        self.messages = messages
    }
}

/// Says that everything of a lane up to a sequence has arrived at the other end.
public struct LaneAcknowledgement: Sendable, Hashable {
    public var lane: String
    /// Beyond the lane's last sequence it counts as the last one.
    public var through: Int64

    public init(lane: String, through: Int64) {
        self.lane = lane
        self.through = through
    }
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

/// A damaged file that was replaced by a new one.
public struct StorageAlarm: Sendable, Hashable, CustomStringConvertible {
    /// The file's path.
    public var file: String
    /// What is wrong with it.
    public var message: String
    /// Where it lies now, with its journals.
    public var setAsideAs: String
    /// Messages of the cache that could be read in it and are in the new file; nil when the new file is empty.
    public var salvagedMessages: Int64?

    public var description: String {
        let rest =
            salvagedMessages.map { "what could be read of it, \($0) messages, is in the new one" }
            ?? "an empty one takes its place"
        return "\(file) is damaged (\(message)); it is kept as \(setAsideAs), and \(rest)"
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
