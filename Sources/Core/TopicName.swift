// Topic names and filters of MQTT 5.0 §4.7. The broker's data path checks raw bytes with the static functions and never
// makes one of these values; configuration, rules and bridge use the values.

/// A topic that a message is published to.
public struct TopicName: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    /// nil unless `text` is 1…65,535 bytes of UTF-8 without `+`, `#` and U+0000.
    public init?(_ text: String) {
        var text = text
        guard text.withUTF8({ TopicName.isValid(UnsafeRawBufferPointer($0)) }) else { return nil }
        self.text = text
    }

    public var description: String { text }

    /// Whether the bytes, already known to be UTF-8, are a topic name.
    public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // [MQTT-4.7.3-1] at least one character; [MQTT-4.7.3-3] at most 65,535 bytes.
        guard bytes.count > 0, bytes.count <= 65_535 else { return false }
        for byte in bytes where byte == UInt8(ascii: "+") || byte == UInt8(ascii: "#") || byte == 0 {
            // [MQTT-4.7.1-1] no wildcards in a topic name; [MQTT-4.7.3-2] no null character.
            return false
        }
        return true
    }
}

/// A pattern of topics that a subscription names.
public struct TopicFilter: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    /// nil unless `text` is a valid filter.
    public init?(_ text: String) {
        var text = text
        guard text.withUTF8({ TopicFilter.isValid(UnsafeRawBufferPointer($0)) }) else { return nil }
        self.text = text
    }

    public var description: String { text }

    /// Whether the bytes, already known to be UTF-8, are a topic filter.
    public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count > 0, bytes.count <= 65_535 else { return false }
        let slash = UInt8(ascii: "/")
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case 0:
                return false
            case UInt8(ascii: "+"):
                // [MQTT-4.7.1-2] `+` fills a whole level.
                if index > 0, bytes[index - 1] != slash { return false }
                if index + 1 < bytes.count, bytes[index + 1] != slash { return false }
            case UInt8(ascii: "#"):
                // [MQTT-4.7.1-1] `#` is the last character and fills a whole level.
                if index > 0, bytes[index - 1] != slash { return false }
                if index + 1 != bytes.count { return false }
            default:
                break
            }
        }
        return true
    }

    /// Whether a message published to `topic` belongs to this filter.
    public func matches(_ topic: TopicName) -> Bool { matches(topic.text) }

    /// As ``matches(_:)`` for a topic known to be valid.
    public func matches(_ topic: String) -> Bool {
        var topic = topic
        return topic.withUTF8 { matches(UnsafeRawBufferPointer($0)) }
    }

    /// As ``matches(_:)`` for the UTF-8 of a topic known to be valid.
    public func matches(_ topic: UnsafeRawBufferPointer) -> Bool {
        var filter = text
        return filter.withUTF8 { TopicFilter.matches(filter: UnsafeRawBufferPointer($0), topic: topic) }
    }

    /// Whether a topic belongs to a filter, both valid. Allocates nothing.
    public static func matches(filter: UnsafeRawBufferPointer, topic: UnsafeRawBufferPointer) -> Bool {
        let slash = UInt8(ascii: "/")
        // [MQTT-4.7.2-1] a filter that starts with a wildcard does not match a topic that starts with `$`.
        if topic.first == UInt8(ascii: "$"), filter.first == UInt8(ascii: "+") || filter.first == UInt8(ascii: "#") {
            return false
        }
        var f = 0
        var t = 0
        while f < filter.count {
            switch filter[f] {
            case UInt8(ascii: "#"):
                return true
            case UInt8(ascii: "+"):
                while t < topic.count, topic[t] != slash { t += 1 }
                f += 1
            default:
                // One level, character by character.
                while f < filter.count, filter[f] != slash {
                    guard t < topic.count, topic[t] == filter[f] else { return false }
                    f += 1
                    t += 1
                }
                if t < topic.count, topic[t] != slash { return false }
            }
            // Both stand at the end of a level.
            if f == filter.count { return t == topic.count }
            // `sport/#` matches `sport` too (MQTT 5.0 §4.7.1.2).
            if t == topic.count { return f + 2 == filter.count && filter[f + 1] == UInt8(ascii: "#") }
            f += 1
            t += 1
            // A topic ending in `/` has an empty last level, which only an empty level or a wildcard matches.
            if f == filter.count { return t == topic.count }
        }
        return t == topic.count
    }
}
