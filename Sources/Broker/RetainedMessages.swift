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
    /// No message expires before this: until then nobody has to look.
    private var earliestExpiry = MonotonicTime.distantFuture

    func message(of topic: UnsafeRawBufferPointer) -> Message? { root.find(TopicPath(topic))?.content.message }

    /// Puts a message in, in place of an older one of its topic.
    mutating func put(_ message: Message) {
        earliestExpiry = min(earliestExpiry, message.expiresAt)
        let node = message.withTopic { root.make(TopicPath($0)) }
        if let old = node.content.message {
            byteCount -= old.byteCount
        } else {
            count += 1
        }
        byteCount += message.byteCount
        node.content.message = message
    }

    /// Removes the message of a topic; false if there was none.
    mutating func remove(_ topic: UnsafeRawBufferPointer) -> Bool {
        let old = root.take(TopicPath(topic)) { content in
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
        filter.withTopicBytes { RetainedMessages.collect(root, TopicPath($0), isRoot: true, now: now, into: &found) }
        return found
    }

    private static func collect(
        _ node: Node, _ path: TopicPath, isRoot: Bool, now: MonotonicTime, into found: inout [Message]
    ) {
        var rest = path
        guard let level = rest.next() else {
            if let message = node.content.message, message.expiresAt > now { found.append(message) }
            return
        }
        switch level.count == 1 ? level[0] : 0 {
        case UInt8(ascii: "#"):
            if let message = node.content.message, message.expiresAt > now { found.append(message) }
            // [MQTT-4.7.2-1]
            node.children.forEach { child in
                if isRoot, child.isReserved { return }
                collect(child, path, isRoot: false, now: now, into: &found)
            }
        case UInt8(ascii: "+"):
            node.children.forEach { child in
                if isRoot, child.isReserved { return }
                collect(child, rest, isRoot: false, now: now, into: &found)
            }
        default:
            if let child = node.child(level) { collect(child, rest, isRoot: false, now: now, into: &found) }
        }
    }

    /// Every message.
    var all: [Message] {
        var found: [Message] = []
        RetainedMessages.forEach(root) { found.append($0) }
        return found
    }

    var hasDeadNodes: Bool { root.hasDeadNodes }

    private static func forEach(_ node: Node, _ body: (Message) -> Void) {
        if let message = node.content.message { body(message) }
        node.children.forEach { forEach($0, body) }
    }

    /// The messages that have expired.
    mutating func expired(now: MonotonicTime) -> [Message] {
        guard earliestExpiry <= now else { return [] }
        var gone: [Message] = []
        var earliest = MonotonicTime.distantFuture
        RetainedMessages.forEach(root) { message in
            if message.expiresAt <= now { gone.append(message) } else { earliest = min(earliest, message.expiresAt) }
        }
        earliestExpiry = earliest
        return gone
    }
}
