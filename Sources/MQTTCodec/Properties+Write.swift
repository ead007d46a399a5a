extension Properties {
    /// Writes those properties that the packet may carry, length included; the others are left out.
    func write(to body: inout BodyWriter, of packet: PropertyContext) throws(EncodeError) {
        var list = PropertyWriter(packet: packet)
        list.write(.sessionExpiryInterval, sessionExpiryInterval)
        try list.write(.assignedClientIdentifier, assignedClientIdentifier)
        list.write(.serverKeepAlive, serverKeepAlive)
        try list.write(.authenticationMethod, authenticationMethod)
        try list.write(.authenticationData, authenticationData)
        list.write(.requestProblemInformation, requestProblemInformation)
        list.write(.requestResponseInformation, requestResponseInformation)
        try list.write(.responseInformation, responseInformation)
        try list.write(.serverReference, serverReference)
        try list.write(.reasonString, reasonString)
        list.write(.receiveMaximum, receiveMaximum)
        list.write(.topicAliasMaximum, topicAliasMaximum)
        list.write(.maximumQoS, maximumQoS)
        list.write(.retainAvailable, retainAvailable)
        for property in userProperties { try list.write(property) }
        list.write(.maximumPacketSize, maximumPacketSize)
        list.write(.wildcardSubscriptionAvailable, wildcardSubscriptionAvailable)
        list.write(.subscriptionIdentifierAvailable, subscriptionIdentifierAvailable)
        list.write(.sharedSubscriptionAvailable, sharedSubscriptionAvailable)
        try body.write(properties: list.body)
    }

    /// Whether there is any property, of whichever packet.
    var isEmpty: Bool { self == Properties() }
}

/// Puts properties together; what the packet may not carry is left out.
struct PropertyWriter {
    private(set) var body = BodyWriter()
    let packet: PropertyContext

    init(packet: PropertyContext) { self.packet = packet }

    private mutating func begin(_ identifier: PropertyIdentifier) -> Bool {
        guard identifier.packets.contains(packet) else { return false }
        body.write(identifier.rawValue)
        return true
    }

    mutating func write(_ identifier: PropertyIdentifier, _ value: Bool?) {
        if let value, begin(identifier) { body.write(value ? 1 as UInt8 : 0) }
    }

    mutating func write(_ identifier: PropertyIdentifier, _ value: UInt8?) {
        if let value, begin(identifier) { body.write(value) }
    }

    mutating func write(_ identifier: PropertyIdentifier, _ value: UInt16?) {
        if let value, begin(identifier) { body.write(value) }
    }

    mutating func write(_ identifier: PropertyIdentifier, _ value: UInt32?) {
        if let value, begin(identifier) { body.write(value) }
    }

    mutating func write(_ identifier: PropertyIdentifier, variableByteInteger value: UInt32?) {
        if let value, begin(identifier) { body.writeVariableByteInteger(Int(value)) }
    }

    mutating func write(_ identifier: PropertyIdentifier, _ value: String?) throws(EncodeError) {
        if let value, begin(identifier) { try body.write(value) }
    }

    mutating func write(_ identifier: PropertyIdentifier, _ value: [UInt8]?) throws(EncodeError) {
        if let value, begin(identifier) { try body.write(field: value) }
    }

    mutating func write(_ property: Properties.UserProperty) throws(EncodeError) {
        guard begin(.userProperty) else { return }
        try body.write(property.name)
        try body.write(property.value)
    }

    /// Properties that are encoded already.
    mutating func write(encoded: [UInt8]) { body.write(raw: encoded) }
}
