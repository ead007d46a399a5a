import Core
public import NIOCore

extension SubscribePacket {
    /// Decodes the body of a SUBSCRIBE (MQTT 5.0 §3.8). User properties are checked and dropped.
    public static func read(
        body: UnsafeRawBufferPointer, version: ProtocolVersion
    ) throws(DecodeError) -> SubscribePacket {
        var reader = BodyReader(body)
        var packet = SubscribePacket(packetIdentifier: try reader.readPacketIdentifier(), requests: [])
        if version == .v5 { packet.subscriptionIdentifier = try readProperties(from: &reader) }
        // [MQTT-3.8.3-2] at least one filter.
        guard !reader.isAtEnd else { throw .protocolError("SUBSCRIBE without a topic filter", at: reader.offset) }
        while !reader.isAtEnd {
            // [MQTT-3.8.3-1]
            let filter = try reader.readString("topic filter")
            let options = try SubscriptionOptions.read(from: &reader, version: version)
            // [MQTT-3.8.3-4] no No Local on a shared subscription.
            if options.noLocal, filter.hasPrefix("$share/") {
                throw .protocolError("No Local on a shared subscription", at: reader.offset - 1)
            }
            packet.requests.append(Request(filter: filter, options: options))
        }
        return packet
    }

    private static func readProperties(from reader: inout BodyReader) throws(DecodeError) -> UInt32? {
        var subscriptionIdentifier: UInt32?
        var list = try reader.readProperties(of: .subscribe)
        while let identifier = try list.next() {
            if identifier == .subscriptionIdentifier {
                subscriptionIdentifier = try list.reader.readSubscriptionIdentifier()
            } else {
                _ = try list.reader.skipForwardedValue(of: identifier)
            }
        }
        return subscriptionIdentifier
    }

    /// Appends the packet. Before MQTT 5.0 only the QoS of the options is said.
    public func write(version: ProtocolVersion, into buffer: inout ByteBuffer) throws(EncodeError) {
        var body = BodyWriter()
        body.write(packetIdentifier)
        if version == .v5 {
            var list = PropertyWriter(packet: .subscribe)
            list.write(.subscriptionIdentifier, variableByteInteger: subscriptionIdentifier)
            try body.write(properties: list.body)
        }
        for request in requests {
            try body.write(request.filter)
            body.write(request.options.encoded(version: version))
        }
        try body.finish(.subscribe, flags: 0b0010, into: &buffer)
    }
}

extension SubscriptionOptions {
    /// The options byte (MQTT 5.0 §3.8.3.1; §3.8.3 of MQTT 3.1.1, where all but the QoS is reserved).
    fileprivate static func read(
        from reader: inout BodyReader, version: ProtocolVersion
    ) throws(DecodeError) -> SubscriptionOptions {
        let byte = try reader.readUInt8("subscription options")
        let offset = reader.offset - 1
        // [MQTT-3.8.3-5], [MQTT-3.8.3-4 v3.1.1] reserved bits are 0; MQTT 3.1 does not use them.
        let reserved: UInt8 = version == .v5 ? 0b1100_0000 : version == .v311 ? 0b1111_1100 : 0
        guard byte & reserved == 0 else { throw .malformed("reserved bits of the subscription options", at: offset) }
        guard let qos = QoS(rawValue: byte & 0b11) else {
            // §3.8.3.1 of MQTT 5.0; before, the packet is malformed.
            throw version == .v5
                ? .protocolError("subscription with QoS 3", at: offset)
                : .malformed("subscription with QoS 3", at: offset)
        }
        guard version == .v5 else { return SubscriptionOptions(qos: qos) }
        guard let retainHandling = RetainHandling(rawValue: byte >> 4 & 0b11) else {
            throw .protocolError("subscription with Retain Handling 3", at: offset)
        }
        return SubscriptionOptions(
            qos: qos, noLocal: byte & 0b0100 != 0, retainAsPublished: byte & 0b1000 != 0,
            retainHandling: retainHandling)
    }

    fileprivate func encoded(version: ProtocolVersion) -> UInt8 {
        guard version == .v5 else { return qos.rawValue }
        return qos.rawValue | (noLocal ? 0b0100 : 0) | (retainAsPublished ? 0b1000 : 0) | retainHandling.rawValue << 4
    }
}
