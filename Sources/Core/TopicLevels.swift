/// The levels of a topic as rules and templates count them: from 1, and the empty level before a leading slash does not
/// count, so that level 2 of `/sys/meter/m1` and of `sys/meter/m1` is `meter`. -1 is the last level, -2 the one before.
public enum TopicLevels {
    /// Where a level lies; nil if there is no such level.
    public static func range(of number: Int64, in topic: UnsafeRawBufferPointer) -> Range<Int>? {
        let slash = UInt8(ascii: "/")
        let start = topic.count > 0 && topic[0] == slash ? 1 : 0
        var number = number
        if number < 0 {
            var count: Int64 = 1
            for index in start..<topic.count where topic[index] == slash { count += 1 }
            number = number < -count ? 0 : number + count + 1
        }
        guard number >= 1 else { return nil }
        var level: Int64 = 1
        var from = start
        while true {
            var to = from
            while to < topic.count, topic[to] != slash { to += 1 }
            if level == number { return from..<to }
            guard to < topic.count else { return nil }
            level += 1
            from = to + 1
        }
    }

    /// How many levels a topic or filter has for MQTT, the empty one before a leading slash included.
    @inlinable
    public static func depth(_ topic: some Sequence<UInt8>) -> Int {
        topic.reduce(1) { $1 == UInt8(ascii: "/") ? $0 + 1 : $0 }
    }
}
