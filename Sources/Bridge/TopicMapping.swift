public import Core

/// How a topic on one side of a bridge is called on the other.
///
/// Works on bytes and allocates nothing but room in the result, because every forwarded message passes through it.
public struct TopicMapping: Sendable, Equatable {
    private enum Part: Sendable, Equatable {
        case text([UInt8])
        /// A level of the topic, counted as ``Core/TopicLevels`` does.
        case level(Int64)
    }

    private enum Form: Sendable, Equatable {
        /// What is taken from the front, and what is then put there; either may be empty.
        case replacing([UInt8], with: [UInt8])
        case template([Part])
    }

    private let form: Form

    private init(form: Form) { self.form = form }

    /// The same name on both sides.
    public static let same = TopicMapping(form: .replacing([], with: []))

    /// Takes `removePrefix` from the front of a topic, then puts `prefix` there, both byte for byte: the prefix `site/7`
    /// makes `site/7/sys/a` of `/sys/a`; taking `site/7` away makes `/sys/a` of it again, and `site/7/` makes `sys/a`.
    ///
    /// - Parameter filter: what the topics match. It must start with what is taken away, up to the end of a level, and a
    ///   prefix that does not end with `/` is refused where it would melt into the level behind it.
    public static func replacing(
        _ removePrefix: String?, with prefix: String?, in filter: TopicFilter
    ) throws(BridgeError) -> TopicMapping {
        var rest = Substring(filter.text)
        if let removePrefix {
            guard TopicName(removePrefix) != nil else { throw .topicInvalid(removePrefix) }
            rest = rest.dropFirst(removePrefix.count)
            guard filter.text.hasPrefix(removePrefix), removePrefix.hasSuffix("/") || rest.hasPrefix("/") else {
                throw .prefixNotInFilter(prefix: removePrefix, filter: filter.text)
            }
        }
        if let prefix {
            guard TopicName(prefix) != nil else { throw .topicInvalid(prefix) }
            guard prefix.hasSuffix("/") || rest.hasPrefix("/") else {
                throw .levelsJoined(prefix: prefix, filter: String(rest))
            }
        }
        return TopicMapping(form: .replacing(Array((removePrefix ?? "").utf8), with: Array((prefix ?? "").utf8)))
    }

    /// Makes a topic of fixed text and levels of the old one: `${topic[n]}` is level n, counted from 1 without the
    /// empty one before a leading `/`: `${topic[2]}` of `/sys/meter/m1` is `meter`, `${topic[-1]}` the last level.
    public static func template(_ text: String) throws(BridgeError) -> TopicMapping {
        var parts: [Part] = []
        var literal: [UInt8] = []
        var rest = Substring(text)
        while let character = rest.first {
            guard rest.hasPrefix("${") else {
                literal.append(contentsOf: character.utf8)
                rest = rest.dropFirst()
                continue
            }
            guard let end = rest.firstIndex(of: "}"), let level = level(of: rest[rest.startIndex...end]) else {
                throw .placeholderInvalid(text)
            }
            if !literal.isEmpty { parts.append(.text(literal)) }
            literal = []
            parts.append(.level(level))
            rest = rest[rest.index(after: end)...]
        }
        if !literal.isEmpty { parts.append(.text(literal)) }
        guard !parts.isEmpty else { throw .topicInvalid(text) }
        for case .text(let bytes) in parts where !bytes.withUnsafeBytes({ TopicName.isValid($0) }) {
            throw .topicInvalid(text)
        }
        return TopicMapping(form: .template(parts))
    }

    /// n of `${topic[n]}`.
    private static func level(of placeholder: Substring) -> Int64? {
        guard placeholder.hasPrefix("${topic["), placeholder.hasSuffix("]}") else { return nil }
        guard let level = Int64(placeholder.dropFirst(8).dropLast(2)), level != 0 else { return nil }
        return level
    }

    /// Puts `prefix` in front, whatever is behind it.
    public static func prefixing(_ prefix: String) throws(BridgeError) -> TopicMapping {
        guard TopicName(prefix) != nil else { throw .topicInvalid(prefix) }
        return TopicMapping(form: .replacing([], with: Array(prefix.utf8)))
    }

    /// The topic's name on the other side.
    ///
    /// - Parameter result: emptied and filled; its memory is used again.
    /// - Returns: false if there is none: the prefix to remove is not there, a level is missing, or the result is empty or
    ///   longer than 65,535 bytes.
    public func map(_ topic: UnsafeRawBufferPointer, into result: inout [UInt8]) -> Bool {
        result.removeAll(keepingCapacity: true)
        switch form {
        case .replacing(let removed, let prefix):
            if !removed.isEmpty {
                guard topic.count > removed.count, topic.prefix(removed.count).elementsEqual(removed),
                    removed.last == UInt8(ascii: "/") || topic[removed.count] == UInt8(ascii: "/")
                else { return false }
            }
            result.append(contentsOf: prefix)
            result.append(contentsOf: topic[removed.count...])
        case .template(let parts):
            for part in parts {
                switch part {
                case .text(let bytes):
                    result.append(contentsOf: bytes)
                case .level(let number):
                    guard let level = TopicLevels.range(of: number, in: topic) else { return false }
                    result.append(contentsOf: topic[level])
                }
            }
        }
        return result.withUnsafeBytes { TopicName.isValid($0) }
    }

    /// As ``map(_:into:)``, for one topic at a time.
    public func callAsFunction(_ topic: TopicName) -> TopicName? {
        var text = topic.text
        var result: [UInt8] = []
        guard text.withUTF8({ map(UnsafeRawBufferPointer($0), into: &result) }) else { return nil }
        return TopicName(String(decoding: result, as: UTF8.self))
    }
}
