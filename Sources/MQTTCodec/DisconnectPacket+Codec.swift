public import NIOCore

extension DisconnectPacket {
    /// Decodes the body of a DISCONNECT (MQTT 5.0 §3.14). Whether the sender may use a reason code or property, which
    /// differs between client and server, is left to the receiver.
    public static func read(
        body: UnsafeRawBufferPointer, version: ProtocolVersion
    ) throws(DecodeError) -> DisconnectPacket {
        var reader = BodyReader(body)
        // §3.14.2.1: a reason code of 0x00 without properties may be left out.
        if reader.isAtEnd { return DisconnectPacket() }
        guard version == .v5 else { throw .malformed("bytes follow the last field of the packet", at: 0) }
        var packet = DisconnectPacket(reasonCode: ReasonCode(rawValue: try reader.readUInt8("reason code")))
        guard packet.reasonCode.isValid(in: .disconnect) else {
            throw .protocolError("reason code is not one of DISCONNECT", at: 0)
        }
        if !reader.isAtEnd {
            packet.properties = try Properties.read(from: &reader, of: .disconnect)
            try reader.expectEnd()
        }
        return packet
    }

    /// Appends the packet. Before MQTT 5.0 it has no content, and only a client sends it.
    public func write(version: ProtocolVersion, into buffer: inout ByteBuffer) throws(EncodeError) {
        var body = BodyWriter()
        if version == .v5 {
            let hasProperties = !properties.isEmpty
            if reasonCode != .success || hasProperties { body.write(reasonCode.rawValue) }
            if hasProperties { try properties.write(to: &body, of: .disconnect) }
        }
        try body.finish(.disconnect, into: &buffer)
    }
}
