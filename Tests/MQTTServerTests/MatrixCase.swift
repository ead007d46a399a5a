import Broker
import Core
import MQTTCodec
import Testing

@testable import MQTTServer

/// One way of a message from a client to another, and what has to come of it.
struct MatrixCase: CustomStringConvertible {
    /// How the message comes to its receiver.
    enum Way: CaseIterable {
        /// It is subscribed and there.
        case live
        /// It subscribes when the message has been published.
        case retained
        /// It is subscribed, and away while the message is published.
        case offline
        /// It got the message, and its connection broke before it acknowledged.
        case redelivered
    }

    var sender: ProtocolVersion
    var receiver: ProtocolVersion
    var published: QoS
    var subscribed: QoS
    var retain: Bool
    var way: Way
    /// As the sender's will instead of PUBLISH.
    var isWill = false
    var hasProperties = false
    var retainAsPublished = false

    /// [MQTT-3.8.4-8] the smaller of the two.
    var granted: QoS { min(published, subscribed) }

    var description: String {
        "\(isWill ? "will" : "PUBLISH") \(sender) QoS \(published.rawValue)\(retain ? " retain" : "")"
            + "\(hasProperties ? " with properties" : ""), \(way), \(receiver) QoS \(subscribed.rawValue)"
            + (retainAsPublished ? " retain as published" : "")
    }

    /// All that make sense between two versions.
    static func all(sender: ProtocolVersion, receiver: ProtocolVersion) -> [MatrixCase] {
        var cases: [MatrixCase] = []
        for published in QoS.allCases {
            for subscribed in QoS.allCases {
                for retain in [false, true] {
                    for way in Way.allCases {
                        cases.append(
                            MatrixCase(
                                sender: sender, receiver: receiver, published: published, subscribed: subscribed,
                                retain: retain, way: way))
                    }
                }
            }
        }
        cases.removeAll { $0.way == .redelivered && $0.granted == .atMostOnce }
        cases += cases.filter { $0.way != .redelivered }.map { $0.with(\.isWill) }
        if sender == .v5 { cases += cases.map { $0.with(\.hasProperties) } }
        if receiver == .v5 { cases += cases.map { $0.with(\.retainAsPublished) } }
        return cases
    }

    private func with(_ trait: WritableKeyPath<MatrixCase, Bool>) -> MatrixCase {
        var copy = self
        copy[keyPath: trait] = true
        return copy
    }

    // MARK: What is sent

    static let topic = "m/é/t"
    private static let expiry: UInt32 = 100
    /// Payload format, content type, response topic, correlation data, and three user properties of two names.
    private static let forwarded: [UInt8] = {
        func user(_ name: String, _ value: String) -> [UInt8] { [0x26] + Packets.field(name) + Packets.field(value) }
        return user("b", "1") + [0x01, 1] + [0x03] + Packets.field("text/plain") + user("a", "2") + [0x08]
            + Packets.field("answer/here") + [0x09, 0, 3, 0, 1, 2] + user("b", "3")
    }()
    private static let expiryProperty: [UInt8] = [0x02, 0, 0, 0, UInt8(expiry)]
    private static let aliasProperty: [UInt8] = [0x23, 0, 3]

    /// Sent twice: where there are properties the second time by the alias that the first set.
    func publish(_ payload: String, _ packetIdentifier: UInt16) -> [UInt8] {
        // What belongs to the hop stands in the middle of what travels on.
        let user = Self.forwarded.prefix(7)
        let properties =
            hasProperties ? user + Self.expiryProperty + Self.aliasProperty + Self.forwarded.dropFirst(7) : []
        var bytes = Packets.publish(
            hasProperties && packetIdentifier > 1 ? "" : Self.topic, payload, qos: published,
            packetIdentifier: packetIdentifier, properties: Array(properties), version: sender)
        if retain { bytes[0] |= 1 }
        // Half of them claim to have been sent before.
        if published != .atMostOnce, !retain { bytes[0] |= 8 }
        return bytes
    }

    var will: Will? {
        guard isWill else { return nil }
        return Will(
            topic: Self.topic, payload: Array("one".utf8), qos: published, retain: retain,
            forwardedProperties: hasProperties ? Self.forwarded : [],
            messageExpiryInterval: hasProperties ? Self.expiry : nil)
    }

    // MARK: What is to arrive

    /// The payloads that reach the receiver.
    var arriving: [String] {
        switch way {
        case .live, .redelivered: isWill ? ["one"] : ["one", "two"]
        case .retained: retain ? [isWill ? "one" : "two"] : []
        // QoS 0 is not kept for who is away.
        case .offline: granted == .atMostOnce ? [] : isWill ? ["one"] : ["one", "two"]
        }
    }

    /// A delivery with this payload and packet identifier; the expiry has been judged apart.
    func delivery(_ payload: String, _ packetIdentifier: UInt16, duplicate: Bool) -> DeliveredPublish {
        var delivery = DeliveredPublish(
            qos: granted.rawValue,
            // [MQTT-3.3.1-8 v3.1.1] set on what is sent at a subscription; [MQTT-3.3.1-12], [MQTT-3.3.1-13] else only by wish.
            retain: way == .retained || (retain && retainAsPublished), duplicate: duplicate,
            packetIdentifier: packetIdentifier, topic: Self.topic, payload: payload)
        if receiver == .v5 {
            // [MQTT-3.3.2-4], [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-18], [MQTT-3.3.2-20]
            if hasProperties { delivery.forwarded = Self.forwarded }
            // [MQTT-3.3.4-3]
            delivery.subscriptionIdentifiers = [Self.subscriptionIdentifier]
        }
        return delivery
    }

    static let subscriptionIdentifier: UInt32 = 16_384

    /// [MQTT-3.3.2-6] what is left of the interval; a machine that is busy may take some of it.
    func hasRightExpiry(_ delivery: DeliveredPublish) -> Bool {
        guard hasProperties, receiver == .v5 else { return delivery.messageExpiryInterval == nil }
        return delivery.messageExpiryInterval.map { Self.expiry - 30...Self.expiry ~= $0 } ?? false
    }
}
