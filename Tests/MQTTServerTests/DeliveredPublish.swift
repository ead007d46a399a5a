import MQTTCodec

/// A PUBLISH from the server, taken apart without the codec's help.
struct DeliveredPublish: Equatable, CustomStringConvertible {
    var qos: UInt8
    var retain: Bool
    var duplicate: Bool
    var packetIdentifier: UInt16 = 0
    var topic: String
    var payload: String
    /// Seconds.
    var messageExpiryInterval: UInt32?
    var subscriptionIdentifiers: [UInt32] = []
    var topicAlias: UInt16?
    /// The other properties as they came, in their order.
    var forwarded: [UInt8] = []

    init(qos: UInt8, retain: Bool, duplicate: Bool, packetIdentifier: UInt16, topic: String, payload: String) {
        self.qos = qos
        self.retain = retain
        self.duplicate = duplicate
        self.packetIdentifier = packetIdentifier
        self.topic = topic
        self.payload = payload
    }

    /// nil if it is no PUBLISH, or one that ends before its fields do.
    init?(_ packet: ReceivedPacket, version: ProtocolVersion) {
        guard packet.type == .publish else { return nil }
        var rest = packet.body[...]
        guard let topic = rest.takeField() else { return nil }
        qos = packet.flags >> 1 & 3
        retain = packet.flags & 1 == 1
        duplicate = packet.flags & 8 == 8
        self.topic = String(decoding: topic, as: UTF8.self)
        if qos > 0 {
            guard let number = rest.takeNumber(2) else { return nil }
            packetIdentifier = UInt16(number)
        }
        payload = ""
        if version == .v5 {
            guard let length = rest.takeVariable(), rest.count >= length else { return nil }
            var properties = rest.prefix(Int(length))
            rest = rest.dropFirst(Int(length))
            while !properties.isEmpty {
                guard readProperty(&properties) else { return nil }
            }
        }
        payload = String(decoding: rest, as: UTF8.self)
    }

    /// MQTT 5.0 §3.3.2.3
    private mutating func readProperty(_ rest: inout ArraySlice<UInt8>) -> Bool {
        let whole = rest
        switch rest.removeFirst() {
        case 0x02:
            guard messageExpiryInterval == nil, let seconds = rest.takeNumber(4) else { return false }
            messageExpiryInterval = seconds
            return true
        case 0x0B:
            guard let identifier = rest.takeVariable() else { return false }
            subscriptionIdentifiers.append(identifier)
            return true
        case 0x23:
            guard topicAlias == nil, let alias = rest.takeNumber(2), alias > 0 else { return false }
            topicAlias = UInt16(alias)
            return true
        case 0x01:
            guard rest.takeNumber(1) != nil else { return false }
        case 0x03, 0x08, 0x09:
            guard rest.takeField() != nil else { return false }
        case 0x26:
            guard rest.takeField() != nil, rest.takeField() != nil else { return false }
        default:
            return false
        }
        forwarded += whole.dropLast(rest.count)
        return true
    }

    var description: String {
        "QoS \(qos)\(retain ? " retain" : "")\(duplicate ? " dup" : "") \(packetIdentifier) \(topic) '\(payload)'"
            + " \(messageExpiryInterval.map { "expiry \($0) " } ?? "")\(subscriptionIdentifiers) \(forwarded)"
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func takeNumber(_ size: Int) -> UInt32? {
        guard count >= size else { return nil }
        defer { removeFirst(size) }
        return prefix(size).reduce(0) { $0 << 8 | UInt32($1) }
    }

    fileprivate mutating func takeField() -> [UInt8]? {
        guard let size = takeNumber(2), count >= size else { return nil }
        defer { removeFirst(Int(size)) }
        return Array(prefix(Int(size)))
    }

    fileprivate mutating func takeVariable() -> UInt32? {
        var value: UInt32 = 0
        for shift in stride(from: 0 as UInt32, to: 28, by: 7) {
            guard let digit = takeNumber(1) else { return nil }
            value |= (digit & 0x7F) << shift
            if digit < 0x80 { return value }
        }
        return nil
    }
}
