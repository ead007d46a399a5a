import Core

/// The numbers that stand for topics towards a client that takes them (MQTT 5.0 §3.3.2.3.4): the first topics that are sent
/// to it get one, for as long as the connection lasts.
struct TopicAliases {
    private struct Entry {
        let hash: UInt64
        let topic: [UInt8]
        var isKnown = false
    }

    /// [MQTT-3.1.2-26], [MQTT-3.1.2-27], [MQTT-3.3.2-11] no alias above what the client takes; [MQTT-3.3.2-8] none is 0.
    private let maximum: UInt16
    /// An entry's alias is its index and one.
    private var entries: [Entry] = []
    private static let hash = ByteHash()

    init(maximum: UInt16) { self.maximum = maximum }

    /// The alias of a topic; nil if it has none and all are given.
    ///
    /// - Returns: the alias, and whether the client has yet to be told the topic.
    mutating func use(of topic: UnsafeRawBufferPointer) -> (alias: UInt16, isNew: Bool)? {
        let hash = TopicAliases.hash(topic)
        for (index, entry) in entries.enumerated() where entry.hash == hash && entry.topic.elementsEqual(topic) {
            return (UInt16(index + 1), !entry.isKnown)
        }
        guard entries.count < Int(maximum) else { return nil }
        entries.append(Entry(hash: hash, topic: Array(topic)))
        return (UInt16(entries.count), true)
    }

    /// A PUBLISH with topic and alias is on its way.
    mutating func wasSent(_ alias: UInt16) { entries[Int(alias) - 1].isKnown = true }
}
