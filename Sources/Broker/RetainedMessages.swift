import Core

/// The last retained message of each topic, found by topic or by filter.
struct RetainedMessages {
    private struct Content: TopicNodeContent {
        var message: Message?
        /// Greater than that of every message retained before it.
        var number: Int64 = 0
        var isLimited = true

        var isEmpty: Bool { message == nil }
    }

    private typealias Node = TopicNode<Content>

    private let root = Node()
    /// How many there are, and their bytes.
    private(set) var all = Tally()
    /// Of those, what the limits count.
    private(set) var limited = Tally()
    /// Number of the message that was retained last.
    private(set) var newestNumber: Int64 = 0
    /// No message expires before this: until then nobody has to look.
    private var earliestExpiry = MonotonicTime.distantFuture

    func message(of topic: UnsafeRawBufferPointer) -> Message? { root.find(TopicPath(topic))?.content.message }

    /// The message of a topic with its number.
    func numbered(_ topic: UnsafeRawBufferPointer) -> Numbered? {
        guard let content = root.find(TopicPath(topic))?.content, let message = content.message else { return nil }
        return Numbered(message: message, number: content.number)
    }

    /// Messages and their bytes.
    struct Tally: Equatable {
        private(set) var count = 0
        private(set) var byteCount = 0

        fileprivate mutating func add(_ message: Message) {
            count += 1
            byteCount += message.byteCount
        }

        fileprivate mutating func subtract(_ message: Message) {
            count -= 1
            byteCount -= message.byteCount
        }
    }

    /// A retained message and its place in the order in which all were retained.
    struct Numbered {
        let message: Message
        let number: Int64
    }

    /// Puts a message in, in place of an older one of its topic.
    ///
    /// - Parameter isLimited: whether it counts in ``limited``.
    mutating func put(_ message: Message, isLimited: Bool = true) {
        earliestExpiry = min(earliestExpiry, message.expiresAt)
        let node = message.withTopic { root.make(TopicPath($0)) }
        if let old = node.content.message { forget(old, isLimited: node.content.isLimited) }
        all.add(message)
        if isLimited { limited.add(message) }
        newestNumber += 1
        node.content = Content(message: message, number: newestNumber, isLimited: isLimited)
    }

    private mutating func forget(_ message: Message, isLimited: Bool) {
        all.subtract(message)
        if isLimited { limited.subtract(message) }
    }

    /// Removes the message of a topic; false if there was none.
    mutating func remove(_ topic: UnsafeRawBufferPointer) -> Bool {
        let old = root.take(TopicPath(topic)) { content -> (message: Message, isLimited: Bool)? in
            guard let message = content.message else { return nil }
            content.message = nil
            return (message, content.isLimited)
        }
        guard let old else { return false }
        forget(old.message, isLimited: old.isLimited)
        return true
    }

    /// The messages of the topics that a filter matches and that have not expired.
    func matching(_ filter: String, hiding hidden: HiddenLevel = .none, now: MonotonicTime) -> [Message] {
        var found: [Message] = []
        visit(filter, hiding: hidden, now: now) { message, _ in found.append(message) }
        return found
    }

    /// The first, in the order in which they were retained, of the messages that a filter matches, that have not expired and
    /// whose numbers are in a range.
    ///
    /// - Parameter count: the most that are returned; all that the call needs memory for is twice as many.
    func first(
        _ count: Int, matching filter: String, hiding hidden: HiddenLevel = .none, numbers: ClosedRange<Int64>,
        now: MonotonicTime
    ) -> [Numbered] {
        var found: [Numbered] = []
        var last = numbers.upperBound
        visit(filter, hiding: hidden, now: now) { message, number in
            guard number >= numbers.lowerBound, number <= last else { return }
            found.append(Numbered(message: message, number: number))
            if found.count == 2 * count {
                found.sort { $0.number < $1.number }
                found.removeSubrange(count...)
                last = found[count - 1].number
            }
        }
        found.sort { $0.number < $1.number }
        return found.count > count ? Array(found[..<count]) : found
    }

    private func visit(
        _ filter: String, hiding hidden: HiddenLevel, now: MonotonicTime, _ body: (Message, Int64) -> Void
    ) {
        filter.withTopicBytes { filter in
            guard !hidden.isNone else { return RetainedMessages.visit(root, TopicPath(filter), isRoot: true, now: now, body) }
            RetainedMessages.visit(root, TopicPath(filter), isRoot: true, now: now) { message, number in
                if !message.withTopic({ hidden.hides($0) }) { body(message, number) }
            }
        }
    }

    private static func visit(
        _ node: Node, _ path: TopicPath, isRoot: Bool, now: MonotonicTime, _ body: (Message, Int64) -> Void
    ) {
        var rest = path
        guard let level = rest.next() else {
            if let message = node.content.message, message.expiresAt > now { body(message, node.content.number) }
            return
        }
        switch level.count == 1 ? level[0] : 0 {
        case UInt8(ascii: "#"):
            if let message = node.content.message, message.expiresAt > now { body(message, node.content.number) }
            // [MQTT-4.7.2-1]
            node.children.forEach { child in
                if isRoot, child.isReserved { return }
                visit(child, path, isRoot: false, now: now, body)
            }
        case UInt8(ascii: "+"):
            node.children.forEach { child in
                if isRoot, child.isReserved { return }
                visit(child, rest, isRoot: false, now: now, body)
            }
        default:
            if let child = node.child(level) { visit(child, rest, isRoot: false, now: now, body) }
        }
    }

    /// Every message, and whether it counts in ``limited``.
    var contents: [(message: Message, isLimited: Bool)] {
        var found: [(message: Message, isLimited: Bool)] = []
        RetainedMessages.forEach(root) { found.append(($0, $1)) }
        return found
    }

    /// ``all`` and ``limited``, counted anew.
    var recount: (all: Tally, limited: Tally) {
        var all = Tally()
        var limited = Tally()
        for (message, isLimited) in contents {
            all.add(message)
            if isLimited { limited.add(message) }
        }
        return (all, limited)
    }

    var hasDeadNodes: Bool { root.hasDeadNodes }

    private static func forEach(_ node: Node, _ body: (Message, _ isLimited: Bool) -> Void) {
        if let message = node.content.message { body(message, node.content.isLimited) }
        node.children.forEach { forEach($0, body) }
    }

    /// The messages that have expired.
    mutating func expired(now: MonotonicTime) -> [Message] {
        guard earliestExpiry <= now else { return [] }
        var gone: [Message] = []
        var earliest = MonotonicTime.distantFuture
        RetainedMessages.forEach(root) { message, _ in
            if message.expiresAt <= now { gone.append(message) } else { earliest = min(earliest, message.expiresAt) }
        }
        earliestExpiry = earliest
        return gone
    }
}
