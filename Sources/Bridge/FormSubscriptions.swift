import DequeModule
import MQTTCodec

/// The SUBSCRIBEs that a form makes on one connection, each with a packet identifier of its own until it is answered
/// (MQTT 5.0 §2.2.1). When all identifiers are in use the next waits for one.
struct FormSubscriptions {
    /// Of no message.
    static let identifiers: ClosedRange<UInt16> = 65_501...65_520

    private var unanswered: [UInt16: [SubscribePacket.Request]] = [:]
    private var waiting = Deque<[SubscribePacket.Request]>()

    /// Adds a SUBSCRIBE behind those that wait.
    mutating func add(_ requests: [SubscribePacket.Request]) {
        if !requests.isEmpty { waiting.append(requests) }
    }

    /// The SUBSCRIBE that is to be sent now; nil if none waits, or no identifier is free.
    mutating func next() -> SubscribePacket? {
        guard !waiting.isEmpty, let free = Self.identifiers.first(where: { unanswered[$0] == nil }) else { return nil }
        let requests = waiting.removeFirst()
        unanswered[free] = requests
        return SubscribePacket(packetIdentifier: free, requests: requests)
    }

    /// A SUBACK came: what was asked for; nil if nothing has its identifier.
    mutating func answered(_ identifier: UInt16) -> [SubscribePacket.Request]? { unanswered.removeValue(forKey: identifier) }
}
