public import Core
public import MQTTCodec

/// A client's part of a session (MQTT 5.0 §4.1): what it has sent and is not acknowledged, the messages of QoS 2 that it has
/// received and that are not released, and the subscriptions that are not answered. Says what to send; sends nothing itself.
public struct ClientSession {
    /// What is to be done with a PUBLISH that came.
    public enum Reception: Equatable, Sendable {
        /// It is new: use it, then send the packet.
        case use(answer: PacketType?)
        /// It was used before; only the packet is to be sent.
        case known(answer: PacketType)
    }

    public private(set) var window: SendWindow
    /// Identifiers of QoS 2 messages that were used and are not released.
    private var received: Set<UInt16> = []
    private var nextRequest: UInt16 = 0
    /// The filters of SUBSCRIBE and UNSUBSCRIBE packets that are not answered.
    private var requests: [UInt16: [String]] = [:]

    /// Requests have the identifiers from here on, so that they never meet those of messages.
    private static let firstRequest: UInt16 = 60_000
    /// The largest window.
    public static let maximumWindow = Int(firstRequest) - 1

    /// - Parameter window: messages that may be unacknowledged, 1…``maximumWindow``.
    public init(window: Int) { self.window = SendWindow(size: window) }

    /// A connection was accepted. What was unacknowledged on an earlier one is forgotten: it is not sent again.
    ///
    /// - Parameter window: messages that may be unacknowledged, 1…``maximumWindow``; the server's Receive Maximum bounds it.
    public mutating func connected(_ packet: ConnackPacket, window size: Int) {
        window = SendWindow(size: max(1, min(size, Int(packet.properties.receiveMaximum ?? .max), Self.maximumWindow)))
        requests = [:]
        // [MQTT-3.2.2-5] without a session at the server there is none here.
        if !packet.sessionPresent { received = [] }
    }

    // MARK: Sending

    /// The identifier for a message of QoS 1 or 2; nil if none may be sent now.
    public mutating func send(_ qos: QoS) -> UInt16? { window.take(qos) }

    /// PUBACK, PUBREC or PUBCOMP has come.
    public mutating func acknowledge(_ type: PacketType, _ packet: AcknowledgementPacket) -> SendWindow.Step {
        window.acknowledge(type, packet)
    }

    // MARK: Receiving

    public mutating func receive(qos: QoS, packetIdentifier: UInt16) -> Reception {
        switch qos {
        case .atMostOnce: .use(answer: nil)
        case .atLeastOnce: .use(answer: .puback)
        // [MQTT-4.3.3-10] until PUBREL a repetition is not a new message.
        case .exactlyOnce: received.insert(packetIdentifier).inserted ? .use(answer: .pubrec) : .known(answer: .pubrec)
        }
    }

    /// PUBREL has come; the answer is PUBCOMP.
    public mutating func release(_ packet: AcknowledgementPacket) -> AcknowledgementPacket {
        let isKnown = received.remove(packet.packetIdentifier) != nil
        return AcknowledgementPacket(
            packetIdentifier: packet.packetIdentifier, reasonCode: isKnown ? .success : .packetIdentifierNotFound)
    }

    // MARK: Subscriptions

    /// The identifier for a SUBSCRIBE or UNSUBSCRIBE.
    public mutating func request(_ filters: [String]) -> UInt16 {
        repeat {
            nextRequest = nextRequest < Self.firstRequest || nextRequest == .max ? Self.firstRequest : nextRequest + 1
        } while requests[nextRequest] != nil
        requests[nextRequest] = filters
        return nextRequest
    }

    /// SUBACK or UNSUBACK has come.
    ///
    /// - Returns: each filter with what was said about it; nil if nothing waits for it, or it has not as many codes as filters.
    ///   Before MQTT 5.0 an UNSUBACK has no codes, which means success.
    public mutating func answer(_ packet: SubackPacket) -> [(filter: String, reasonCode: ReasonCode)]? {
        guard let filters = requests.removeValue(forKey: packet.packetIdentifier) else { return nil }
        if packet.reasonCodes.isEmpty { return filters.map { ($0, .success) } }
        guard packet.reasonCodes.count == filters.count else { return nil }
        return Array(zip(filters, packet.reasonCodes))
    }

    /// Whether every request was answered.
    public var isSettled: Bool { requests.isEmpty }
}
