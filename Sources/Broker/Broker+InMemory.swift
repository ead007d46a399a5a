import Core
import Store

// Topics that say how the program is now: what was true before a restart is not worth keeping, and there is always more of it.

extension Broker {
    /// Whether messages of a topic are never stored, retained or not: `$SYS/…` and `$events/…`.
    static func isInMemoryOnly(_ topic: UnsafeRawBufferPointer) -> Bool {
        guard topic.first == UInt8(ascii: "$") else { return false }
        return topic.starts(with: "$SYS/".utf8) || topic.starts(with: "$events/".utf8)
    }

    /// Keeps a message as its topic's retained one until the program ends. The limits do not count here: only the program
    /// itself publishes such topics.
    func retainInMemory(_ message: Message) {
        if message.payloadLength == 0 {
            _ = message.withTopic { retained.remove($0) }
        } else {
            retained.put(message, isLimited: false)
        }
    }

    /// Whether a message of this topic would reach anybody now. For parts of the program that have something to say only
    /// then.
    public func hasSubscribers(_ topic: String) -> Bool {
        var topic = topic
        return topic.withUTF8 { !subscriptions.route(UnsafeRawBufferPointer($0)).leadsNowhere }
    }
}
