public import NIOCore

extension AcknowledgementPacket {
    /// Decodes the body of a PUBACK, PUBREC, PUBREL or PUBCOMP (MQTT 5.0 §3.4–3.7). Its properties (reason string and
    /// user properties) are checked and dropped.
    ///
    /// - Parameter type: one of the four.
    public static func read(
        body: UnsafeRawBufferPointer, type: PacketType, version: ProtocolVersion
    ) throws(DecodeError) -> AcknowledgementPacket {
        var reader = BodyReader(body)
        let packetIdentifier = try reader.readPacketIdentifier()
        // §3.4.2.1: a reason code of 0x00 without properties may be left out.
        if reader.isAtEnd { return AcknowledgementPacket(packetIdentifier: packetIdentifier) }
        guard version == .v5 else { throw .malformed("bytes follow the last field of the packet", at: 2) }
        let reasonCode = ReasonCode(rawValue: try reader.readUInt8("reason code"))
        guard reasonCode.isValid(in: type) else { throw .protocolError("reason code is not one of the packet", at: 2) }
        // §3.4.2.2.1: a Remaining Length below 4 means no properties.
        if !reader.isAtEnd {
            var properties = try reader.readProperties(of: PropertyContext(type))
            try properties.skipAll()
            try reader.expectEnd()
        }
        return AcknowledgementPacket(packetIdentifier: packetIdentifier, reasonCode: reasonCode)
    }

    /// Appends the packet. Before MQTT 5.0 the reason code is left out, and the receiver takes it for success.
    ///
    /// - Parameter type: PUBACK, PUBREC, PUBREL or PUBCOMP.
    @inlinable
    public func write(type: PacketType, version: ProtocolVersion, into buffer: inout ByteBuffer) {
        // [MQTT-3.6.1-1] PUBREL has flags 0010.
        let first = type.rawValue << 4 | (type == .pubrel ? 0b0010 : 0)
        let header = UInt32(first) << 24 | UInt32(packetIdentifier)
        if version == .v5, reasonCode != .success {
            buffer.writeMultipleIntegers(header | 3 << 16, reasonCode.rawValue)
        } else {
            buffer.writeInteger(header | 2 << 16)
        }
    }

    /// Appends an MQTT 5.0 packet with a Reason String.
    ///
    /// - Returns: false, with nothing written, if the packet would be larger than its receiver takes.
    public func write(
        type: PacketType, reasonString: String, maximumPacketSize: Int, into buffer: inout ByteBuffer
    ) -> Bool {
        var body = BodyWriter()
        body.write(packetIdentifier)
        body.write(reasonCode.rawValue)
        // [MQTT-3.6.1-1] PUBREL has flags 0010.
        return body.finish(
            type, flags: type == .pubrel ? 0b0010 : 0, reasonString: reasonString, maximumPacketSize: maximumPacketSize,
            into: &buffer)
    }
}
