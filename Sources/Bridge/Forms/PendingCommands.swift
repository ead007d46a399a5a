import Core
import DequeModule

/// Commands of an upstream that were published here and wait for a device's answer.
///
/// - Origin: what is needed to tell the upstream how the command ended.
struct PendingCommands<Origin> {
    /// Commands that may wait at one time.
    static var limit: Int { 1024 }

    /// What an answer is recognised by.
    struct Key: Hashable {
        /// The answer's local topic.
        var topic: [UInt8]
        /// The command's `id`, as ``Payload/MessageIdentifier/json``; empty where answers carry none.
        var identifier: [UInt8]
    }

    private var waiting: [Key: (origin: Origin, deadline: MonotonicTime)] = [:]

    var count: Int { waiting.count }

    /// - Returns: false if too many wait already. A command with the key of another takes its place.
    mutating func insert(_ key: Key, _ origin: Origin, deadline: MonotonicTime) -> Bool {
        guard waiting.count < Self.limit || waiting[key] != nil else { return false }
        waiting[key] = (origin, deadline)
        return true
    }

    func contains(_ key: Key) -> Bool { waiting[key] != nil }

    /// The command that an answer belongs to; nil if none waits for it, or no longer.
    mutating func take(_ key: Key) -> Origin? { waiting.removeValue(forKey: key)?.origin }

    /// The commands whose time has passed, the longest waiting first.
    mutating func takeExpired(now: MonotonicTime) -> [(key: Key, origin: Origin)] {
        guard !waiting.isEmpty else { return [] }
        let expired = waiting.filter { $0.value.deadline <= now }.sorted { $0.value.deadline < $1.value.deadline }
        for (key, _) in expired { waiting[key] = nil }
        return expired.map { ($0.key, $0.value.origin) }
    }

    mutating func removeAll() { waiting.removeAll() }
}
