import Core

/// Local topics that bridges send under a name that they also receive. Where the upstream is bridged back to this box, such
/// messages would go round and round. Belongs to the event loop.
public final class ReturningTopics {
    private let bridges: [(forwards: [BridgeConfiguration.Forward], receives: [TopicFilter])]
    private var upstream: [UInt8] = []

    public init(_ bridges: [BridgeConfiguration]) {
        self.bridges = bridges.filter { $0.form == nil && !$0.forwards.isEmpty && !$0.receives.isEmpty }
            .map { ($0.forwards, $0.receives.map(\.filter)) }
    }

    /// Whether no topic is one.
    public var isEmpty: Bool { bridges.isEmpty }

    public func contains(_ topic: UnsafeRawBufferPointer) -> Bool {
        for bridge in bridges {
            for forward in bridge.forwards where forward.filter.matches(topic) && forward.mapping.map(topic, into: &upstream) {
                if upstream.withUnsafeBytes({ name in bridge.receives.contains { $0.matches(name) } }) { return true }
            }
        }
        return false
    }
}
