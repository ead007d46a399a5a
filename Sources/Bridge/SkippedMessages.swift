public import Core

/// What a bridge has skipped because the upstream will not have it, or because a full route or a slow disk does not take it, added up by reason: how many
/// messages, published when.
public struct SkippedMessages: Sendable, Equatable {
    public enum Reason: String, Sendable, CaseIterable {
        /// The upstream refuses the message for good, or ends each connection over it.
        case refused
        /// It is larger than the upstream takes.
        case tooLarge = "too-large"
        /// Its route refuses what it has no room for, and whoever published it could not be told.
        case noRoom = "no-room"
        /// Too much waited for the disk already.
        case storage
    }

    public struct Span: Sendable, Equatable {
        public var messages: Int64
        /// The earliest and the latest `publishedAt` of the messages.
        public var oldest: Timestamp
        public var newest: Timestamp
    }

    public private(set) var spans: [Reason: Span] = [:]

    public init() {}

    public var isEmpty: Bool { spans.isEmpty }

    /// - Parameter reportTopic: of what the box itself reports of losses: that one of these was skipped is not told again.
    mutating func add(_ message: Message, _ reason: Reason, unless reportTopic: String?) {
        if message.isReport(at: reportTopic) { return }
        add(Span(messages: 1, oldest: message.publishedAt, newest: message.publishedAt), reason)
    }

    private mutating func add(_ span: Span, _ reason: Reason) {
        guard let before = spans[reason] else {
            spans[reason] = span
            return
        }
        spans[reason] = Span(
            messages: before.messages + span.messages, oldest: min(before.oldest, span.oldest), newest: max(before.newest, span.newest))
    }

    static func += (sum: inout SkippedMessages, other: SkippedMessages) {
        for (reason, span) in other.spans { sum.add(span, reason) }
    }
}
