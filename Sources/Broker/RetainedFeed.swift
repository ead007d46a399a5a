import Core

// Retained messages that a subscription has brought and that there was no room for at once.
//
//     number of a retained message     1 … position … limit … newest
//                                      └─ sent ──┴─ due ──┴─ live ─┘
//
// What is retained is numbered in the order in which it came, and a message that takes another's place has a new number.
// So what was retained when the subscription was made is what has a number up to `limit`, less what has been replaced or
// removed since; and what replaced it has come to the subscriber as a live message. The feed needs no list of what is due: it
// looks for the next few whenever it has none.

/// What of the retained messages is still to be sent for one subscription.
final class RetainedFeed {
    let filter: String
    private let hiddenLevel: HiddenLevel
    /// Number of the newest message that was retained when the subscription was made.
    private let limit: Int64
    /// All up to this number have been sent.
    private var position: Int64 = 0
    /// Sent before their turn.
    private var ahead: Set<Int64> = []
    /// The next ones, the first of them last.
    private var next: [RetainedMessages.Numbered] = []

    /// Messages that are looked for at one time, and held until their turn though something may replace them meanwhile.
    static let pageCount = 1_024
    /// Bytes of those.
    private static let pageBytes = 1 << 20
    /// Messages that are sent before their turn at the most.
    static let maximumAhead = 4_096

    init(filter: String, hiding hiddenLevel: HiddenLevel, limit: Int64) {
        self.filter = filter
        self.hiddenLevel = hiddenLevel
        self.limit = limit
    }

    func isOf(_ filter: String) -> Bool { self.filter.utf8.elementsEqual(filter.utf8) }

    /// The message whose turn it is; nil if there is none any more.
    func peek(_ retained: RetainedMessages, now: MonotonicTime) -> Message? {
        while true {
            while let candidate = next.last {
                let isThere = candidate.message.withTopic { retained.numbered($0)?.number == candidate.number }
                if isThere, candidate.message.expiresAt > now, !ahead.contains(candidate.number) { return candidate.message }
                advance()
            }
            guard position < limit else { return nil }
            let found = retained.first(
                RetainedFeed.pageCount, matching: filter, hiding: hiddenLevel, numbers: position + 1...limit, now: now)
            if found.isEmpty { position = limit }
            var bytes = 0
            next = found.prefix { candidate in
                defer { bytes += candidate.message.byteCount }
                return bytes < RetainedFeed.pageBytes
            }.reversed()
        }
    }

    /// The message whose turn it was is sent.
    func advance() {
        guard let sent = next.popLast() else { return }
        position = sent.number
        ahead.remove(sent.number)
    }

    /// A live message of a topic is about to overtake what is retained of it and has not been sent.
    ///
    /// - Returns: what has to be sent before it, and counts as sent by this; nil if there is nothing.
    func takeAhead(_ topic: UnsafeRawBufferPointer, _ retained: RetainedMessages, now: MonotonicTime) -> Message? {
        guard ahead.count < RetainedFeed.maximumAhead, !hiddenLevel.hides(topic),
            filter.withTopicBytes({ TopicFilter.matches(filter: $0, topic: topic) }),
            let due = retained.numbered(topic), due.number > position, due.number <= limit, due.message.expiresAt > now,
            ahead.insert(due.number).inserted
        else { return nil }
        return due.message
    }
}
