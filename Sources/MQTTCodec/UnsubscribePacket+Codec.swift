public import NIOCore

extension UnsubscribePacket {
    /// Decodes the body of an UNSUBSCRIBE (MQTT 5.0 §3.10). User properties are checked and dropped.
    public static func read(
        body: UnsafeRawBufferPointer, version: ProtocolVersion
    ) throws(DecodeError) -> UnsubscribePacket {
        var reader = BodyReader(body)
        var packet = UnsubscribePacket(packetIdentifier: try reader.readPacketIdentifier(), filters: [])
        if version == .v5 {
            var list = try reader.readProperties(of: .unsubscribe)
            while let identifier = try list.next() { _ = try list.reader.skipForwardedValue(of: identifier) }
        }
        // [MQTT-3.10.3-2] at least one filter.
        guard !reader.isAtEnd else { throw .protocolError("UNSUBSCRIBE without a topic filter", at: reader.offset) }
        // [MQTT-3.10.3-1] text.
        while !reader.isAtEnd { packet.filters.append(try reader.readString("topic filter")) }
        return packet
    }

    /// Appends the packet.
    public func write(version: ProtocolVersion, into buffer: inout ByteBuffer) throws(EncodeError) {
        var body = BodyWriter()
        body.write(packetIdentifier)
        if version == .v5 { body.write(0 as UInt8) }
        for filter in filters { try body.write(filter) }
        try body.finish(.unsubscribe, flags: 0b0010, into: &buffer)
    }
}
