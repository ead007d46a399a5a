public import NIOCore

extension AuthPacket {
    /// Decodes the body of an AUTH (MQTT 5.0 §3.15).
    public static func read(body: UnsafeRawBufferPointer) throws(DecodeError) -> AuthPacket {
        var reader = BodyReader(body)
        // §3.15.2.1: a reason code of 0x00 without properties may be left out.
        if reader.isAtEnd { return AuthPacket(reasonCode: .success) }
        var packet = AuthPacket(reasonCode: ReasonCode(rawValue: try reader.readUInt8("reason code")))
        guard packet.reasonCode.isValid(in: .auth) else {
            throw .protocolError("reason code is not one of AUTH", at: 0)
        }
        if !reader.isAtEnd { packet.properties = try Properties.read(from: &reader, of: .auth) }
        try reader.expectEnd()
        // §3.15.2.2.2: to leave out the method is a Protocol Error, other than in the packet without content.
        guard packet.properties.authenticationMethod != nil else {
            throw .protocolError("AUTH without an authentication method", at: reader.offset)
        }
        return packet
    }

    /// Appends the packet. Throws ``EncodeError/notRepresentable`` before MQTT 5.0.
    public func write(version: ProtocolVersion, into buffer: inout ByteBuffer) throws(EncodeError) {
        guard version == .v5 else { throw .notRepresentable }
        var body = BodyWriter()
        if reasonCode != .success || !properties.isEmpty {
            body.write(reasonCode.rawValue)
            try properties.write(to: &body, of: .auth)
        }
        try body.finish(.auth, into: &buffer)
    }
}
