public import NIOCore

extension ConnackPacket {
    /// Decodes the body of a CONNACK (MQTT 5.0 §3.2).
    ///
    /// A server that knows no MQTT 5.0 refuses it with a CONNACK of MQTT 3.1.1, which has no properties. Its return codes 1…5
    /// are no reason codes of MQTT 5.0, so it is read as what it is.
    public static func read(body: UnsafeRawBufferPointer, version: ProtocolVersion) throws(DecodeError) -> ConnackPacket {
        var reader = BodyReader(body)
        let flags = try reader.readUInt8("connect acknowledge flags")
        // [MQTT-3.2.2-1] bits 7…1 are reserved; in MQTT 3.1 the whole byte is.
        guard flags <= 1 || version == .v31 else { throw .malformed("reserved flags of CONNACK are set", at: 0) }
        let sessionPresent = version > .v31 && flags & 1 == 1
        let code = try reader.readUInt8("reason code")
        if version == .v5, body.count == 2, (1...5).contains(code), !sessionPresent, let reasonCode = ReasonCode(returnCode: code) {
            return ConnackPacket(sessionPresent: false, reasonCode: reasonCode)
        }
        let reasonCode = version == .v5 ? ReasonCode(rawValue: code) : ReasonCode(returnCode: code)
        guard let reasonCode, reasonCode.isValid(in: .connack) else {
            throw .protocolError("reason code is not one of CONNACK", at: 1)
        }
        // [MQTT-3.2.2-6] no session is present if the connection is refused.
        if sessionPresent, reasonCode != .success { throw .protocolError("session present in a refusal", at: 0) }
        let properties = version == .v5 ? try Properties.read(from: &reader, of: .connack) : Properties()
        try reader.expectEnd()
        return ConnackPacket(sessionPresent: sessionPresent, reasonCode: reasonCode, properties: properties)
    }

    /// Appends the packet. Before MQTT 5.0 the reason code becomes a return code and the properties are left out.
    ///
    /// Throws ``EncodeError/notRepresentable`` if no return code says it.
    public func write(version: ProtocolVersion, into buffer: inout ByteBuffer) throws(EncodeError) {
        var body = BodyWriter()
        body.write(sessionPresent && version > .v31 ? 1 as UInt8 : 0)
        if version == .v5 {
            body.write(reasonCode.rawValue)
            try properties.write(to: &body, of: .connack)
        } else {
            guard let returnCode = reasonCode.returnCode else { throw .notRepresentable }
            body.write(returnCode)
        }
        try body.finish(.connack, into: &buffer)
    }
}

extension ReasonCode {
    /// The connect return code of MQTT 3.1.1 §3.2.2.3 that says this, nil if none does.
    public var returnCode: UInt8? {
        switch self {
        case .success: 0
        case .unsupportedProtocolVersion: 1
        case .clientIdentifierNotValid: 2
        case .serverUnavailable, .serverBusy, .serverShuttingDown, .quotaExceeded, .useAnotherServer, .serverMoved,
            .connectionRateExceeded, .unspecifiedError, .implementationSpecificError:
            3
        case .badUserNameOrPassword: 4
        case .notAuthorized, .banned, .badAuthenticationMethod: 5
        default: nil
        }
    }

    /// The reason code for a connect return code of MQTT 3.1.1, nil for the reserved ones.
    public init?(returnCode: UInt8) {
        switch returnCode {
        case 0: self = .success
        case 1: self = .unsupportedProtocolVersion
        case 2: self = .clientIdentifierNotValid
        case 3: self = .serverUnavailable
        case 4: self = .badUserNameOrPassword
        case 5: self = .notAuthorized
        default: return nil
        }
    }
}
