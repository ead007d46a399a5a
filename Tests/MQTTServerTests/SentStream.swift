import Broker
import MQTTCodec
import NIOCore

/// What a server has to make of all that a client has sent.
enum SentStream: Equatable {
    /// Nothing is wrong so far.
    case valid
    /// The client ended it with DISCONNECT.
    case ended
    /// A packet that cannot be accepted whatever stands before it.
    case broken(ReasonCode)

    init(_ bytes: [UInt8], maximumPacketSize: Int) {
        self = bytes.withUnsafeBytes { SentStream.read($0, maximumPacketSize: maximumPacketSize) }
    }

    /// The version that the first packet asks for, if it is a CONNECT that says one.
    ///
    /// The rest of the packet need not be right, nor there: it is answered in the version that it says.
    static func version(of bytes: [UInt8]) -> ProtocolVersion? {
        guard let first = bytes.first, first >> 4 == PacketType.connect.rawValue else { return nil }
        let length = bytes.dropFirst().prefix(4)
        guard let end = length.firstIndex(where: { $0 < 0x80 }) else { return nil }
        return bytes[(end + 1)...].withUnsafeBytes { ConnectPacket.version(of: $0) }
    }

    private static func read(_ bytes: UnsafeRawBufferPointer, maximumPacketSize: Int) -> SentStream {
        var version: ProtocolVersion?
        var at = 0
        while at < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
            switch FrameReader.read(rest, maximumPacketSize: maximumPacketSize, version: version ?? .v311) {
            case .needMoreBytes: return .valid
            case .failure(let error): return .broken(error.reasonCode)
            case .frame(let frame):
                do throws(DecodeError) {
                    let end = try read(frame, UnsafeRawBufferPointer(rebasing: rest[frame.body]), &version)
                    if end { return .ended }
                } catch {
                    return .broken(error.reasonCode)
                }
                at += frame.totalLength
            }
        }
        return .valid
    }

    /// - Returns: whether it is DISCONNECT.
    private static func read(
        _ frame: Frame, _ body: UnsafeRawBufferPointer, _ version: inout ProtocolVersion?
    ) throws(DecodeError) -> Bool {
        let unexpected = DecodeError(reasonCode: .protocolError, reason: "unexpected", offset: 0)
        guard let known = version else {
            guard frame.type == .connect else { throw unexpected }
            version = try ConnectPacket.read(body: body).version
            return false
        }
        switch frame.type {
        case .publish: _ = try PublishView.read(body: body, flags: frame.flags, version: known)
        case .puback, .pubrec, .pubrel, .pubcomp:
            _ = try AcknowledgementPacket.read(body: body, type: frame.type, version: known)
        case .subscribe: _ = try SubscribePacket.read(body: body, version: known)
        case .unsubscribe: _ = try UnsubscribePacket.read(body: body, version: known)
        case .pingreq: try Ping.read(body: body)
        case .disconnect:
            _ = try DisconnectPacket.read(body: body, version: known)
            return true
        case .auth: _ = try AuthPacket.read(body: body)
        case .connect, .connack, .suback, .unsuback, .pingresp: throw unexpected
        }
        return false
    }
}
