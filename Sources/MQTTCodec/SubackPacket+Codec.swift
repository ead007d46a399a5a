public import NIOCore

extension SubackPacket {
    /// Decodes the body of a SUBACK (MQTT 5.0 §3.9). Its properties are checked and dropped.
    public static func read(body: UnsafeRawBufferPointer, version: ProtocolVersion) throws(DecodeError) -> SubackPacket {
        var reader = BodyReader(body)
        let packetIdentifier = try reader.readPacketIdentifier()
        if version == .v5 { try reader.skipProperties(of: .suback) }
        let codes = try reader.readReasonCodes { code in
            // §3.9.3 of MQTT 3.1.1: 0x00, 0x01, 0x02 and 0x80.
            code.isValid(in: .suback) && (version == .v5 || code.rawValue <= 2 || code == .unspecifiedError)
        }
        return SubackPacket(packetIdentifier: packetIdentifier, reasonCodes: codes)
    }

    /// Decodes the body of an UNSUBACK (MQTT 5.0 §3.11). Before MQTT 5.0 it has no reason codes. Its properties are
    /// checked and dropped.
    public static func readUnsuback(
        body: UnsafeRawBufferPointer, version: ProtocolVersion
    ) throws(DecodeError) -> SubackPacket {
        var reader = BodyReader(body)
        let packetIdentifier = try reader.readPacketIdentifier()
        guard version == .v5 else {
            try reader.expectEnd()
            return SubackPacket(packetIdentifier: packetIdentifier, reasonCodes: [])
        }
        try reader.skipProperties(of: .unsuback)
        let codes = try reader.readReasonCodes { $0.isValid(in: .unsuback) }
        return SubackPacket(packetIdentifier: packetIdentifier, reasonCodes: codes)
    }

    /// Appends a SUBACK. Before MQTT 5.0 every failure is 0x80.
    ///
    /// There is a reason code for each filter of the SUBSCRIBE, so the packet is smaller than that one was; more of them
    /// than the Remaining Length can say are a programmer's error.
    public func write(version: ProtocolVersion, into buffer: inout ByteBuffer) {
        var body = BodyWriter()
        body.write(packetIdentifier)
        if version == .v5 { body.write(0 as UInt8) }
        for code in reasonCodes {
            // [MQTT-3.9.3-2 v3.1.1]
            body.write(version < .v5 && code.isError ? ReasonCode.unspecifiedError.rawValue : code.rawValue)
        }
        body.finishChecked(.suback, into: &buffer)
    }

    /// Appends an UNSUBACK, as above. Before MQTT 5.0 the reason codes are left out.
    public func writeUnsuback(version: ProtocolVersion, into buffer: inout ByteBuffer) {
        var body = BodyWriter()
        body.write(packetIdentifier)
        if version == .v5 {
            body.write(0 as UInt8)
            for code in reasonCodes { body.write(code.rawValue) }
        }
        body.finishChecked(.unsuback, into: &buffer)
    }
}

extension SubackPacket {
    /// Appends an MQTT 5.0 SUBACK or UNSUBACK with a Reason String.
    ///
    /// - Parameter type: one of the two.
    /// - Returns: false, with nothing written, if the packet would be larger than its receiver takes.
    public func write(
        type: PacketType, reasonString: String, maximumPacketSize: Int, into buffer: inout ByteBuffer
    ) -> Bool {
        var body = BodyWriter()
        body.write(packetIdentifier)
        return body.finish(
            type, reasonString: reasonString, then: reasonCodes, maximumPacketSize: maximumPacketSize, into: &buffer)
    }
}

extension BodyReader {
    fileprivate mutating func skipProperties(of type: PacketType) throws(DecodeError) {
        var list = try readProperties(of: PropertyContext(type))
        try list.skipAll()
    }

    /// The reason codes that fill the rest of the body, at least one.
    fileprivate mutating func readReasonCodes(_ isValid: (ReasonCode) -> Bool) throws(DecodeError) -> [ReasonCode] {
        guard !isAtEnd else { throw .protocolError("the packet has no reason code", at: offset) }
        var codes: [ReasonCode] = []
        codes.reserveCapacity(remaining)
        while !isAtEnd {
            let code = ReasonCode(rawValue: try readUInt8("reason code"))
            guard isValid(code) else { throw .protocolError("reason code is not one of the packet", at: offset - 1) }
            codes.append(code)
        }
        return codes
    }
}

extension BodyWriter {
    /// As `finish` for a body that cannot be too large.
    fileprivate func finishChecked(_ type: PacketType, into buffer: inout ByteBuffer) {
        do throws(EncodeError) {
            try finish(type, into: &buffer)
        } catch {
            preconditionFailure("more reason codes than a packet can carry")
        }
    }
}
