public import Core

/// How a topic on one side of a bridge is called on the other.
///
/// Works on bytes and allocates nothing but room in the result, because every forwarded message passes through it.
public struct TopicMapping: Sendable, Equatable {
    private enum Part: Sendable, Equatable {
        case text([UInt8])
        /// A level of the topic, from 0.
        case level(Int)
    }

    private enum Form: Sendable, Equatable {
        case same
        case adding([UInt8])
        case removing([UInt8])
        case template([Part])
    }

    private let form: Form

    private init(form: Form) { self.form = form }

    /// The same name on both sides.
    public static let same = TopicMapping(form: .same)

    /// Puts `prefix` in front, byte for byte: `site/7` makes `site/7/sys/a` of `/sys/a`.
    ///
    /// - Parameter filter: what the topics match. A prefix that ends within a level is refused unless the filter's topics
    ///   start with `/`.
    public static func adding(prefix: String, to filter: TopicFilter) throws(BridgeError) -> TopicMapping {
        guard TopicName(prefix) != nil else { throw .topicInvalid(prefix) }
        guard prefix.hasSuffix("/") || filter.text.hasPrefix("/") else {
            throw .levelsJoined(prefix: prefix, filter: filter.text)
        }
        return TopicMapping(form: .adding(Array(prefix.utf8)))
    }

    /// Takes `prefix` away, byte for byte: `site/7` makes `/sys/a` of `site/7/sys/a`, `site/7/` makes `sys/a`.
    ///
    /// - Parameter filter: what the topics match; it must start with the prefix.
    public static func removing(prefix: String, from filter: TopicFilter) throws(BridgeError) -> TopicMapping {
        guard TopicName(prefix) != nil else { throw .topicInvalid(prefix) }
        guard filter.text.hasPrefix(prefix), prefix.hasSuffix("/") || filter.text.dropFirst(prefix.count).hasPrefix("/")
        else { throw .prefixNotInFilter(prefix: prefix, filter: filter.text) }
        return TopicMapping(form: .removing(Array(prefix.utf8)))
    }

    /// Makes a topic of fixed text and levels of the old one: `${topic[n]}` is level n, counted from 0. A topic that starts
    /// with `/` has an empty level 0.
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
    private static func level(of placeholder: Substring) -> Int? {
        guard placeholder.hasPrefix("${topic["), placeholder.hasSuffix("]}") else { return nil }
        let digits = placeholder.dropFirst(8).dropLast(2)
        guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return Int(digits)
    }

    /// The topic's name on the other side.
    ///
    /// - Parameter result: emptied and filled; its memory is used again.
    /// - Returns: false if there is none: the prefix to remove is not there, a level is missing, or the result is empty or
    ///   longer than 65,535 bytes.
    public func map(_ topic: UnsafeRawBufferPointer, into result: inout [UInt8]) -> Bool {
        result.removeAll(keepingCapacity: true)
        switch form {
        case .same:
            result.append(contentsOf: topic)
        case .adding(let prefix):
            result.append(contentsOf: prefix)
            result.append(contentsOf: topic)
        case .removing(let prefix):
            guard topic.count > prefix.count, topic.prefix(prefix.count).elementsEqual(prefix),
                prefix.last == UInt8(ascii: "/") || topic[prefix.count] == UInt8(ascii: "/")
            else { return false }
            result.append(contentsOf: topic[prefix.count...])
        case .template(let parts):
            for part in parts {
                switch part {
                case .text(let bytes):
                    result.append(contentsOf: bytes)
                case .level(let index):
                    guard let level = TopicMapping.level(index, of: topic) else { return false }
                    result.append(contentsOf: level)
                }
            }
        }
        return result.withUnsafeBytes { TopicName.isValid($0) }
    }

    private static func level(_ index: Int, of topic: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var start = 0
        var number = 0
        for at in 0...topic.count where at == topic.count || topic[at] == UInt8(ascii: "/") {
            if number == index { return UnsafeRawBufferPointer(rebasing: topic[start..<at]) }
            number += 1
            start = at + 1
        }
        return nil
    }

    /// As ``map(_:into:)``, for one topic at a time.
    public func callAsFunction(_ topic: TopicName) -> TopicName? {
        var text = topic.text
        var result: [UInt8] = []
        guard text.withUTF8({ map(UnsafeRawBufferPointer($0), into: &result) }) else { return nil }
        return TopicName(String(decoding: result, as: UTF8.self))
    }
}
