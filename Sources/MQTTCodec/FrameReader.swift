// Finding one packet at the start of received bytes, from its fixed header (MQTT 5.0 §2.1):
//
//     ┌──────┬───────┬──────────────────┬──────┐
//     │ type │ flags │ remaining length │ body │
//     │ 4 bit│ 4 bit │     1…4 bytes    │      │
//     └──────┴───────┴──────────────────┴──────┘
//
// Type, flags and length are judged as soon as they are there, so that a wrong or too large packet is refused before
// its body is received.

/// Where a packet's body lies in the bytes that ``FrameReader`` was given.
@frozen
public struct Frame: Equatable, Sendable {
    public let type: PacketType
    /// The low four bits of the first byte; valid for the type.
    public let flags: UInt8
    /// Bytes of the fixed header, 2…5.
    public let bodyOffset: Int
    /// The Remaining Length.
    public let bodyLength: Int

    @inlinable
    init(type: PacketType, flags: UInt8, bodyOffset: Int, bodyLength: Int) {
        self.type = type
        self.flags = flags
        self.bodyOffset = bodyOffset
        self.bodyLength = bodyLength
    }

    /// Bytes of the whole packet.
    @inlinable public var totalLength: Int { bodyOffset &+ bodyLength }
    /// Where the body lies.
    @inlinable public var body: Range<Int> { Range(uncheckedBounds: (bodyOffset, bodyOffset &+ bodyLength)) }

    /// The body.
    ///
    /// - Parameter bytes: what the frame was found in.
    @inlinable @inline(__always)
    public func body(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        precondition(totalLength <= bytes.count, "the frame was found in other bytes")
        return UnsafeRawBufferPointer(start: bytes.baseAddress.unsafelyUnwrapped + bodyOffset, count: bodyLength)
    }
}

/// What stands at the start of received bytes.
@frozen
public enum FrameResult: Equatable {
    /// Nothing is wrong so far, and the packet is not all there.
    case needMoreBytes
    /// The packet is all there.
    case frame(Frame)
    /// The connection is to be closed.
    case failure(DecodeError)
}

public enum FrameReader {
    /// The largest Remaining Length (MQTT 5.0 §2.1.4).
    public static let maximumRemainingLength = 268_435_455
    /// The largest packet: five bytes of fixed header and the largest Remaining Length.
    public static let maximumPacketSize = 268_435_460

    /// Finds the packet at the start of `bytes`.
    ///
    /// - Parameters:
    ///   - maximumPacketSize: the largest whole packet to accept in bytes; a larger one fails with
    ///     ``ReasonCode/packetTooLarge`` as soon as its length is known.
    ///   - version: the version of the connection; before CONNECT it is not known, and `.v311` is the one to give.
    ///     MQTT 3.1 leaves flags that it doesn't use unsaid, and only MQTT 5.0 forbids a length encoded in more bytes
    ///     than it needs, which some devices' fixed-size header buffers produce.
    @inlinable @inline(__always)
    public static func read(
        _ bytes: UnsafeRawBufferPointer, maximumPacketSize: Int, version: ProtocolVersion = .v311
    ) -> FrameResult {
        guard bytes.count >= 2, let base = bytes.baseAddress else { return .needMoreBytes }
        let first = base.load(as: UInt8.self)
        var bodyLength = Int(base.load(fromByteOffset: 1, as: UInt8.self))
        var bodyOffset = 2
        if bodyLength >= 0x80 {
            switch remainingLength(bytes, version: version) {
            case .needMoreBytes: return .needMoreBytes
            case .failure(let error): return .failure(error)
            case .frame(let frame):
                bodyLength = frame.bodyLength
                bodyOffset = frame.bodyOffset
            }
        }
        let flags = first & 0x0F
        let type: PacketType
        if first >> 4 == PacketType.publish.rawValue {
            // [MQTT-3.3.1-4] no QoS 3; [MQTT-3.3.1-2] no DUP with QoS 0.
            if (0b0011_1100_0011_1111 as UInt16) >> UInt16(flags) & 1 == 0 { return .failure(wrongPublishFlags(flags)) }
            type = .publish
        } else {
            switch otherType(first, version: version) {
            case .success(let other): type = other
            case .failure(let error): return .failure(error)
            }
        }
        // The length is at most 268,435,455: no overflow.
        let totalLength = bodyOffset &+ bodyLength
        if totalLength > maximumPacketSize { return .failure(tooLarge(totalLength)) }
        if totalLength > bytes.count { return .needMoreBytes }
        return .frame(Frame(type: type, flags: flags, bodyOffset: bodyOffset, bodyLength: bodyLength))
    }

    /// Bytes of the whole packet that begins in `bytes`; nil as long as its length is not there. Whether it may be as large, and
    /// what else is wrong with it, is for ``read(_:maximumPacketSize:version:)`` to say.
    public static func totalLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= 2 else { return nil }
        guard bytes[1] >= 0x80 else { return 2 + Int(bytes[1]) }
        guard case .frame(let frame) = remainingLength(bytes, version: .v311) else { return nil }
        return frame.totalLength
    }

    /// A Remaining Length of more than one byte; the frame's type and flags mean nothing.
    @usableFromInline
    static func remainingLength(_ bytes: UnsafeRawBufferPointer, version: ProtocolVersion) -> FrameResult {
        var value = 0
        for index in 1...4 {
            guard index < bytes.count else { return .needMoreBytes }
            let byte = bytes[index]
            value |= Int(byte & 0x7F) << (7 * (index - 1))
            if byte & 0x80 == 0 {
                // [MQTT-1.5.5-1] the encoding has the fewest bytes.
                if byte == 0, index > 1, version == .v5 {
                    return .failure(.malformed("remaining length is not encoded in the fewest bytes", at: 1))
                }
                return .frame(Frame(type: .connect, flags: 0, bodyOffset: index + 1, bodyLength: value))
            }
        }
        return .failure(.malformed("remaining length has more than four bytes", at: 1))
    }

    /// The type of a packet other than PUBLISH, if its flags are right.
    @usableFromInline
    static func otherType(_ first: UInt8, version: ProtocolVersion) -> Result<PacketType, DecodeError> {
        guard let type = PacketType(rawValue: first >> 4) else {
            return .failure(.malformed("packet type 0 is reserved", at: 0))
        }
        if type == .auth, version < .v5 {
            return .failure(.malformed("packet type 15 is reserved before MQTT 5.0", at: 0))
        }
        // [MQTT-2.1.3-1] flags are 0010 for these three, 0000 for the rest: [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1],
        // [MQTT-3.14.1-1], [MQTT-3.15.1-1].
        let expected: UInt8 = type == .pubrel || type == .subscribe || type == .unsubscribe ? 0b0010 : 0
        // MQTT 3.1 §2.1: DUP may be set in those three, and the others do not use their flags.
        guard first & 0x0F == expected || (version == .v31 && type != .connect) else {
            return .failure(.malformed("reserved flags of the fixed header are wrong", at: 0))
        }
        return .success(type)
    }

    @usableFromInline
    static func wrongPublishFlags(_ flags: UInt8) -> DecodeError {
        flags & 0b0110 == 0b0110
            ? .malformed("PUBLISH with QoS 3", at: 0)
            : .malformed("PUBLISH with DUP and QoS 0", at: 0)
    }

    @usableFromInline
    static func tooLarge(_ totalLength: Int) -> DecodeError {
        DecodeError(reasonCode: .packetTooLarge, reason: "packet of \(totalLength) bytes is too large", offset: 1)
    }
}
