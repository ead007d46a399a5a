import Core
import MQTTCodec
import NIOCore
import NIOEmbedded

/// Packets as bytes and back, for the other end of a connection.
enum PacketBytes {
    /// A packet that the bridge has sent.
    struct Sent: Equatable {
        var type: PacketType
        var body: [UInt8]
        var flags: UInt8
    }

    static func connack(sessionPresent: Bool = false, _ reason: ReasonCode = .success, properties: Properties = Properties()) -> ByteBuffer {
        var buffer = ByteBuffer()
        try? ConnackPacket(sessionPresent: sessionPresent, reasonCode: reason, properties: properties)
            .write(version: .v5, into: &buffer)
        return buffer
    }

    static func acknowledgement(_ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode = .success) -> ByteBuffer {
        var buffer = ByteBuffer()
        AcknowledgementPacket(packetIdentifier: identifier, reasonCode: reason).write(type: type, version: .v5, into: &buffer)
        return buffer
    }

    static func publish(
        _ topic: String, _ payload: String, qos: QoS = .atLeastOnce, identifier: UInt16 = 1, dup: Bool = false, retain: Bool = false
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        let message = Message.create(topic: topic, payload: Array(payload.utf8), qos: qos, publishedAt: Timestamp(milliseconds: 0))
        _ = PublishEncoder.write(
            message, packetIdentifier: identifier, qos: qos, retain: retain, dup: dup, version: .v5, into: &buffer)
        return buffer
    }

    static func suback(_ identifier: UInt16, _ codes: [ReasonCode]) -> ByteBuffer {
        var buffer = ByteBuffer()
        SubackPacket(packetIdentifier: identifier, reasonCodes: codes).write(version: .v5, into: &buffer)
        return buffer
    }

    static func pingresp() -> ByteBuffer {
        var buffer = ByteBuffer()
        Ping.writeResponse(into: &buffer)
        return buffer
    }

    static func disconnect(_ reason: ReasonCode) -> ByteBuffer {
        var buffer = ByteBuffer()
        try? DisconnectPacket(reasonCode: reason).write(version: .v5, into: &buffer)
        return buffer
    }

    /// The packets in bytes that were sent; nil if they are not whole packets.
    static func parse(_ bytes: [UInt8]) -> [Sent]? {
        var found: [Sent] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let result = rest.withUnsafeBytes { FrameReader.read($0, maximumPacketSize: 1 << 20, version: .v5) }
            guard case .frame(let frame) = result else { return nil }
            let packet = Array(rest.prefix(frame.totalLength))
            found.append(Sent(type: frame.type, body: Array(packet[frame.body]), flags: frame.flags))
            rest = rest.dropFirst(frame.totalLength)
        }
        return found
    }
}

extension PacketBytes.Sent {
    /// A PUBLISH in short: `topic=payload`, with the identifier behind # and `dup` if it is one.
    var publish: String? {
        guard type == .publish else { return nil }
        return body.withUnsafeBytes { bytes in
            guard let view = try? PublishView.read(body: bytes, flags: flags, version: .v5) else { return nil }
            let topic = String(decoding: bytes[view.topic], as: UTF8.self)
            let payload = String(decoding: bytes[view.payload], as: UTF8.self)
            return "\(topic)=\(payload)" + (view.qos == .atMostOnce ? "" : " #\(view.packetIdentifier)") + (view.dup ? " dup" : "")
        }
    }

    /// The identifier of a PUBLISH; nil with QoS 0, and for other packets.
    var publishIdentifier: UInt16? {
        let parts = publish?.split(separator: "#") ?? []
        return parts.count == 2 ? parts[1].split(separator: " ").first.flatMap { UInt16($0) } : nil
    }

    /// The identifier of an acknowledgement.
    var identifier: UInt16 { body.count >= 2 ? UInt16(body[0]) << 8 | UInt16(body[1]) : 0 }
}

extension EmbeddedChannel {
    /// The writes since the last call, each one flush, as packets.
    func sentPackets() throws -> [[PacketBytes.Sent]] {
        var writes: [[PacketBytes.Sent]] = []
        while let buffer = try readOutbound(as: ByteBuffer.self) {
            writes.append(PacketBytes.parse(Array(buffer.readableBytesView)) ?? [])
        }
        return writes
    }
}
