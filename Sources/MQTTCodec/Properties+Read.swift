extension Properties {
    /// Reads the properties of a packet that is decoded into values, length included.
    ///
    /// Who may send a property, where that depends on the direction (DISCONNECT's session expiry interval and server
    /// reference), is left to the receiver.
    static func read(from body: inout BodyReader, of packet: PropertyContext) throws(DecodeError) -> Properties {
        var properties = Properties()
        var list = try body.readProperties(of: packet)
        while let identifier = try list.next() {
            try properties.readValue(of: identifier, from: &list.reader)
        }
        // §3.1.2.11.10: authentication data without a method is a Protocol Error.
        if properties.authenticationData != nil, properties.authenticationMethod == nil {
            throw .protocolError("authentication data without an authentication method", at: list.reader.offset)
        }
        return properties
    }

    private mutating func readValue(
        of identifier: PropertyIdentifier, from reader: inout BodyReader
    ) throws(DecodeError) {
        switch identifier {
        case .sessionExpiryInterval: sessionExpiryInterval = try reader.readUInt32("session expiry interval")
        case .assignedClientIdentifier:
            assignedClientIdentifier = try reader.readString("assigned client identifier")
        case .serverKeepAlive: serverKeepAlive = try reader.readUInt16("server keep alive")
        case .authenticationMethod: authenticationMethod = try reader.readString("authentication method")
        case .authenticationData: authenticationData = try reader.readBytes("authentication data")
        case .requestProblemInformation:
            requestProblemInformation = try reader.readBool("request problem information")
        case .requestResponseInformation:
            requestResponseInformation = try reader.readBool("request response information")
        case .responseInformation: responseInformation = try reader.readString("response information")
        case .serverReference: serverReference = try reader.readString("server reference")
        case .reasonString: reasonString = try reader.readString("reason string")
        case .receiveMaximum:
            let value = try reader.readUInt16("receive maximum")
            guard value > 0 else { throw .protocolError("receive maximum is zero", at: reader.offset - 2) }
            receiveMaximum = value
        case .topicAliasMaximum: topicAliasMaximum = try reader.readUInt16("topic alias maximum")
        case .maximumQoS: maximumQoS = try reader.readBool("maximum QoS") ? 1 : 0
        case .retainAvailable: retainAvailable = try reader.readBool("retain available")
        case .userProperty:
            let name = try reader.readString("name of a user property")
            let value = try reader.readString("value of a user property")
            userProperties.append(UserProperty(name: name, value: value))
        case .maximumPacketSize:
            let value = try reader.readUInt32("maximum packet size")
            guard value > 0 else { throw .protocolError("maximum packet size is zero", at: reader.offset - 4) }
            maximumPacketSize = value
        case .wildcardSubscriptionAvailable:
            wildcardSubscriptionAvailable = try reader.readBool("wildcard subscription available")
        case .subscriptionIdentifierAvailable:
            subscriptionIdentifierAvailable = try reader.readBool("subscription identifiers available")
        case .sharedSubscriptionAvailable:
            sharedSubscriptionAvailable = try reader.readBool("shared subscription available")
        case .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData,
            .subscriptionIdentifier, .willDelayInterval, .topicAlias:
            // `PropertyReader` lets these pass in PUBLISH, the will and SUBSCRIBE only, which have readers of their own.
            throw .malformed("the packet cannot have this property", at: reader.offset - 1)
        }
    }
}
