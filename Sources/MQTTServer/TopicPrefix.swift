import Core
import MQTTCodec

// A listener's mount point. Its clients see the topics below it as if there were no others:
//
//     a client's   PUBLISH a/b          SUBSCRIBE +/b, $share/g/#            gets a/b
//     the broker's         site/7/a/b           site/7/+/b, $share/g/site/7/#     of site/7/a/b
//
// `$SYS` is the broker's own and the same for everybody. Any other topic that begins with `$` goes below the prefix like
// the rest, so that no client reaches beyond it.

/// The levels that a listener puts before the topics of its clients.
public struct TopicPrefix: Sendable, Equatable {
    /// With the `/` at the end.
    let bytes: [UInt8]
    private let text: String

    /// - Parameter levels: one level or more, without `/` at the end and without wildcards; at most 1,024 bytes.
    public init(levels: String) {
        text = levels + "/"
        bytes = Array(text.utf8)
    }

    private static let systemTopics = "$SYS/"
    private static let shared = "$share/"

    // MARK: From a client

    /// Writes the broker's name of a client's topic into `buffer`, in place of what is there.
    ///
    /// - Returns: false if the name would be too long.
    func write(_ topic: UnsafeRawBufferPointer, into buffer: inout [UInt8]) -> Bool {
        buffer.removeAll(keepingCapacity: true)
        if !topic.isEmpty, !topic.starts(with: TopicPrefix.systemTopics.utf8) {
            // [MQTT-4.7.3-3] what is stored has a length of two bytes too.
            guard bytes.count + topic.count <= 65_535 else { return false }
            buffer.append(contentsOf: bytes)
        }
        buffer.append(contentsOf: topic)
        return true
    }

    /// The broker's name of a client's topic. One that is too long or empty stays invalid.
    func added(to topic: String) -> String {
        topic.isEmpty || topic.hasPrefix(TopicPrefix.systemTopics) ? topic : text + topic
    }

    /// The broker's name of a client's filter; of a shared subscription (MQTT 5.0 §4.8.2) the filter within it.
    func added(toFilter filter: String) -> String {
        guard filter.hasPrefix(TopicPrefix.shared) else { return added(to: filter) }
        let rest = filter.utf8.dropFirst(TopicPrefix.shared.utf8.count)
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return filter }
        let start = filter.utf8.index(after: slash)
        return String(filter[..<start]) + added(to: String(filter[start...]))
    }

    /// Whether a client's filter, or the filter within its shared subscription, begins with a wildcard.
    static func beginsWithWildcard(_ filter: String) -> Bool {
        var rest = Substring(filter).utf8
        if filter.hasPrefix(shared) {
            guard let slash = rest.dropFirst(shared.utf8.count).firstIndex(of: UInt8(ascii: "/")) else { return false }
            rest = rest[slash...].dropFirst()
        }
        return rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "#")
    }

    // MARK: To a client

    /// The message as the client names it; nil for one from beyond the prefix, which the client has no name for: it is in the
    /// queue of a session that was used through another listener.
    func removed(from message: Message) -> Message? {
        message.withTopic { topic -> Message? in
            if topic.starts(with: TopicPrefix.systemTopics.utf8) { return message }
            guard topic.count > bytes.count, topic.starts(with: bytes) else { return nil }
            let rest = UnsafeRawBufferPointer(rebasing: topic[bytes.count...])
            return message.withProperties { properties in
                message.withPayload { payload in
                    let changed = ForwardedProperties.mapResponseTopic(of: properties) { name in
                        name.starts(with: bytes) ? Array(name.dropFirst(bytes.count)) : nil
                    }
                    func make(_ properties: UnsafeRawBufferPointer) -> Message {
                        Message.create(
                            topic: rest, properties: properties, payload: payload, qos: message.qos,
                            retain: message.retain, publisher: message.publisher, expiresAt: message.expiresAt,
                            publishedAt: message.publishedAt)
                    }
                    guard let changed else { return make(properties) }
                    return changed.withUnsafeBytes { make($0) }
                }
            }
        }
    }

    /// The properties of a client's message with the broker's name of its Response Topic; nil if nothing changes.
    func addedToResponseTopic(of properties: UnsafeRawBufferPointer) -> [UInt8]? {
        ForwardedProperties.mapResponseTopic(of: properties) { name in
            if name.isEmpty || name.starts(with: TopicPrefix.systemTopics.utf8) { return nil }
            return bytes.count + name.count <= 65_535 ? bytes + Array(name) : nil
        }
    }
}
