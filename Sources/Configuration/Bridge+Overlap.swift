internal import Core

// Whether what a bridge sends is also what it receives.

extension MartletConfiguration.Bridge {
    /// Whether a message may go up by a forward under a name that a receive of the bridge matches. False with a form, which has
    /// names of its own.
    public var receivesWhatItSends: Bool { firstReturning != nil }

    /// The first receive that matches what a forward sends.
    private var firstReturning: Receive? {
        guard !hasForm else { return nil }
        let sent = forward.filter { $0.source.isSound("filter", "topic", "prefix", "remove-prefix") }.map(\.upstreamFilter)
        return receive.first { receive in
            receive.source.isSound("filter") && sent.contains { TopicFilter.overlap($0, receive.filter) }
        }
    }

    /// Without user properties nothing tells a message that comes back from a new one.
    func checkLoops(_ findings: inout Findings) {
        guard self.protocol == .v311, source.isSound("protocol", "bridge-bit"), let receive = firstReturning else { return }
        let filter = receive.filter.quotedForMessage
        if bridgeBit {
            findings.warn(
                receive.source["filter"],
                "the bridge also sends what \(filter) matches: if the upstream has a bridge to this box as well, each message goes round "
                    + "without end, which only protocol = \"5.0\" prevents")
        } else {
            findings.warn(
                receive.source["filter"],
                "the bridge also sends what \(filter) matches, and with bridge-bit = false it comes back and is taken for a new message: "
                    + "leave out bridge-bit, or keep the filters apart")
        }
    }
}

extension MartletConfiguration.Bridge.Forward {
    /// A filter of all names that its messages may have upstream.
    var upstreamFilter: String {
        guard let topic else {
            let rest = filter.utf8.dropFirst(removePrefix?.utf8.count ?? 0)
            return (prefix ?? "") + String(decoding: rest, as: UTF8.self)
        }
        // A level that is filled in may be anything.
        return topic.split(separator: "/", omittingEmptySubsequences: false).map { $0.contains("${") ? "+" : $0 }.joined(separator: "/")
    }
}

extension TopicFilter {
    /// Whether there is a topic that both of two valid filters match.
    static func overlap(_ one: String, _ other: String) -> Bool {
        let one = one.split(separator: "/", omittingEmptySubsequences: false)
        let other = other.split(separator: "/", omittingEmptySubsequences: false)
        for (a, b) in zip(one, other) {
            if a == "#" || b == "#" { return true }
            if a != b, a != "+", b != "+" { return false }
        }
        // `sport/#` matches `sport` too (MQTT 5.0 §4.7.1.2).
        let (shorter, longer) = one.count < other.count ? (one, other) : (other, one)
        return shorter.count == longer.count || longer.count == shorter.count + 1 && longer.last == "#"
    }
}
