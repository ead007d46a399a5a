import Core

/// The last retained message of each topic, found by topic or by filter.
struct RetainedMessages {
    private struct Content: TopicNodeContent {
        var message: Message?

        var isEmpty: Bool { message == nil }
    }

    private typealias Node = TopicNode<Content>

    private let root = Node()
    private(set) var count = 0
    private(set) var byteCount = 0
    /// Whether any message may expire; without one nobody has to look.
    private var mayExpire = false

    func message(of topic: String) -> Message? { root.find(Node.levels(topic))?.content.message }

    /// Puts a message in, in place of an older one of its topic.
    mutating func put(_ message: Message) {
        if message.expiresAt != .distantFuture { mayExpire = true }
        let node = root.make(Node.levels(message.topic))
        if let old = node.content.message {
            byteCount -= old.byteCount
        } else {
            count += 1
        }
        byteCount += message.byteCount
        node.content.message = message
    }

    /// Removes the message of a topic; false if there was none.
    mutating func remove(_ topic: String) -> Bool {
        let old = root.take(Node.levels(topic)) { content in
            defer { content.message = nil }
            return content.message
        }
        guard let old else { return false }
        count -= 1
        byteCount -= old.byteCount
        return true
    }

    /// The messages of the topics that a filter matches and that have not expired.
    func matching(_ filter: String, now: MonotonicTime) -> [Message] {
        var found: [Message] = []
        RetainedMessages.collect(root, Node.levels(filter), isRoot: true, now: now, into: &found)
        return found
    }

    private static func collect(
        _ node: Node, _ levels: ArraySlice<Substring>, isRoot: Bool, now: MonotonicTime, into found: inout [Message]
    ) {
        guard let level = levels.first else {
            if let message = node.content.message, message.expiresAt > now { found.append(message) }
            return
        }
        switch level {
        case "#":
            if let message = node.content.message, message.expiresAt > now { found.append(message) }
            for (key, child) in node.children where !(isRoot && key.utf8.first == UInt8(ascii: "$")) {
                collect(child, levels, isRoot: false, now: now, into: &found)
            }
        case "+":
            for (key, child) in node.children where !(isRoot && key.utf8.first == UInt8(ascii: "$")) {
                collect(child, levels.dropFirst(), isRoot: false, now: now, into: &found)
            }
        default:
            guard let child = node.children[String(level)] else { return }
            collect(child, levels.dropFirst(), isRoot: false, now: now, into: &found)
        }
    }

    /// Every message.
    var all: [Message] {
        var found: [Message] = []
        RetainedMessages.collectAll(root, into: &found)
        return found
    }

    private static func collectAll(_ node: Node, into found: inout [Message]) {
        if let message = node.content.message { found.append(message) }
        for child in node.children.values { collectAll(child, into: &found) }
    }

    /// The topics whose messages have expired.
    mutating func expired(now: MonotonicTime) -> [String] {
        guard mayExpire else { return [] }
        var topics: [String] = []
        mayExpire = false
        RetainedMessages.collectExpired(root, now: now, into: &topics, others: &mayExpire)
        return topics
    }

    private static func collectExpired(
        _ node: Node, now: MonotonicTime, into topics: inout [String], others mayExpire: inout Bool
    ) {
        if let message = node.content.message {
            if message.expiresAt <= now {
                topics.append(message.topic)
            } else if message.expiresAt != .distantFuture {
                mayExpire = true
            }
        }
        for child in node.children.values { collectExpired(child, now: now, into: &topics, others: &mayExpire) }
    }
}
