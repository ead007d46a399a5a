/// Why bytes from the network are not a packet.
///
/// MQTT 5.0 keeps two kinds apart (§1.2). A *Malformed Packet* (0x81) cannot be parsed; a *Protocol Error* (0x82) was
/// parsed and says something that the protocol does not allow. A few rules have a reason code of their own.
public struct DecodeError: Error, Equatable, CustomStringConvertible {
    /// What DISCONNECT or CONNACK tell the peer.
    public let reasonCode: ReasonCode
    /// What is wrong, for a log.
    public let reason: String
    /// Where, in bytes from the start of what was given to the decoder: the packet for ``FrameReader``, else the body.
    public let offset: Int

    public init(reasonCode: ReasonCode, reason: String, offset: Int) {
        self.reasonCode = reasonCode
        self.reason = reason
        self.offset = offset
    }

    public var description: String {
        "\(reason) (byte \(offset), reason code 0x\(String(reasonCode.rawValue, radix: 16, uppercase: true)))"
    }

    @inline(never) @usableFromInline
    static func malformed(_ reason: StaticString, at offset: Int) -> DecodeError {
        DecodeError(reasonCode: .malformedPacket, reason: "\(reason)", offset: offset)
    }

    @inline(never) @usableFromInline
    static func protocolError(_ reason: StaticString, at offset: Int) -> DecodeError {
        DecodeError(reasonCode: .protocolError, reason: "\(reason)", offset: offset)
    }

    /// A field that ends beyond its packet or its properties.
    @inline(never) @usableFromInline
    static func truncated(_ field: StaticString, at offset: Int) -> DecodeError {
        DecodeError(reasonCode: .malformedPacket, reason: "\(field) ends beyond the packet", offset: offset)
    }

    /// [MQTT-1.5.4-1] ill-formed UTF-8 and [MQTT-1.5.4-2] U+0000 make a packet malformed.
    @inline(never) @usableFromInline
    static func illFormed(_ field: StaticString, at offset: Int) -> DecodeError {
        DecodeError(
            reasonCode: .malformedPacket, reason: "\(field) is not well-formed UTF-8 without U+0000", offset: offset)
    }
}

/// Why a packet cannot be encoded.
public enum EncodeError: Error, Equatable {
    /// A string or binary field has more than the 65,535 bytes that its length field can say.
    case fieldTooLong(Int)
    /// The packet would exceed the Remaining Length of 268,435,455 bytes (MQTT 5.0 §2.1.4).
    case packetTooLarge(Int)
    /// The version has no encoding for this: AUTH before MQTT 5.0, or a CONNACK before MQTT 5.0 whose reason code has no
    /// return code; the network connection is then closed without one ([MQTT-3.2.2-6 v3.1.1]).
    case notRepresentable
}
