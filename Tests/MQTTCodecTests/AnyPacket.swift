import Core
import MQTTCodec
import NIOCore

/// A PUBLISH taken out of its view.
struct Publish: Equatable {
    var topic: [UInt8]
    var payload: [UInt8]
    var packetIdentifier: UInt16 = 0
    var qos: QoS = .atMostOnce
    var retain = false
    var dup = false
    var forwardedProperties: [UInt8] = []
    var messageExpiryInterval: UInt32?
    var topicAlias: UInt16?
    var subscriptionIdentifiers: [UInt32] = []

    init(topic: [UInt8], payload: [UInt8]) {
        self.topic = topic
        self.payload = payload
    }

    init(_ view: PublishView, of body: UnsafeRawBufferPointer) {
        topic = Array(body[view.topic])
        payload = Array(body[view.payload])
        packetIdentifier = view.packetIdentifier
        qos = view.qos
        retain = view.retain
        dup = view.dup
        view.appendForwardedProperties(of: body, to: &forwardedProperties)
        if let run = view.forwardedProperties { precondition(Array(body[run]) == forwardedProperties) }
        messageExpiryInterval = view.messageExpiryInterval
        topicAlias = view.topicAlias
        subscriptionIdentifiers = view.subscriptionIdentifiers(of: body)
    }

    var message: Message {
        topic.withUnsafeBytes { topic in
            forwardedProperties.withUnsafeBytes { properties in
                payload.withUnsafeBytes { payload in
                    Message.create(
                        topic: topic, properties: properties, payload: payload, qos: qos, retain: retain,
                        publishedAt: Timestamp(milliseconds: 0))
                }
            }
        }
    }

    /// Through a message where one can say it, else from the parts.
    func write(version: ProtocolVersion, into buffer: inout ByteBuffer) -> Bool {
        if topicAlias == nil {
            return PublishEncoder.write(
                message, packetIdentifier: packetIdentifier, qos: qos, retain: retain, dup: dup, version: version,
                messageExpiryInterval: messageExpiryInterval, subscriptionIdentifiers: subscriptionIdentifiers,
                into: &buffer)
        }
        return topic.withUnsafeBytes { topic in
            forwardedProperties.withUnsafeBytes { properties in
                payload.withUnsafeBytes { payload in
                    PublishEncoder.write(
                        topic: topic, properties: properties, payload: payload, packetIdentifier: packetIdentifier,
                        qos: qos, retain: retain, dup: dup, version: version,
                        messageExpiryInterval: messageExpiryInterval, topicAlias: topicAlias, into: &buffer)
                }
            }
        }
    }
}

/// Any packet, decoded and encoded through the public interface.
enum AnyPacket: Equatable {
    case connect(ConnectPacket)
    case connack(ConnackPacket)
    case publish(Publish)
    case acknowledgement(PacketType, AcknowledgementPacket)
    case subscribe(SubscribePacket)
    case suback(SubackPacket)
    case unsubscribe(UnsubscribePacket)
    case unsuback(SubackPacket)
    case pingreq
    case pingresp
    case disconnect(DisconnectPacket)
    case auth(AuthPacket)

    init(type: PacketType, flags: UInt8, body: UnsafeRawBufferPointer, version: ProtocolVersion) throws(DecodeError) {
        switch type {
        case .connect: self = .connect(try .read(body: body))
        case .connack: self = .connack(try .read(body: body, version: version))
        case .publish:
            self = .publish(Publish(try .read(body: body, flags: flags, version: version), of: body))
        case .puback, .pubrec, .pubrel, .pubcomp:
            self = .acknowledgement(type, try .read(body: body, type: type, version: version))
        case .subscribe: self = .subscribe(try .read(body: body, version: version))
        case .suback: self = .suback(try .read(body: body, version: version))
        case .unsubscribe: self = .unsubscribe(try .read(body: body, version: version))
        case .unsuback: self = .unsuback(try .readUnsuback(body: body, version: version))
        case .pingreq, .pingresp:
            try Ping.read(body: body)
            self = type == .pingreq ? .pingreq : .pingresp
        case .disconnect: self = .disconnect(try .read(body: body, version: version))
        case .auth: self = .auth(try .read(body: body))
        }
    }

    func encoded(version: ProtocolVersion) throws(EncodeError) -> [UInt8] {
        var buffer = ByteBuffer()
        switch self {
        case .connect(let packet): try packet.write(into: &buffer)
        case .connack(let packet): try packet.write(version: version, into: &buffer)
        case .publish(let packet): precondition(packet.write(version: version, into: &buffer))
        case .acknowledgement(let type, let packet): packet.write(type: type, version: version, into: &buffer)
        case .subscribe(let packet): try packet.write(version: version, into: &buffer)
        case .suback(let packet): packet.write(version: version, into: &buffer)
        case .unsubscribe(let packet): try packet.write(version: version, into: &buffer)
        case .unsuback(let packet): packet.writeUnsuback(version: version, into: &buffer)
        case .pingreq: Ping.writeRequest(into: &buffer)
        case .pingresp: Ping.writeResponse(into: &buffer)
        case .disconnect(let packet): try packet.write(version: version, into: &buffer)
        case .auth(let packet): try packet.write(version: version, into: &buffer)
        }
        return Array(buffer.readableBytesView)
    }
}

/// What decoding the start of some bytes gives.
enum Decoded: Equatable {
    case needMoreBytes
    case packet(AnyPacket, length: Int)
    case failure(DecodeError)

    init(
        _ bytes: UnsafeRawBufferPointer, version: ProtocolVersion,
        maximumPacketSize: Int = FrameReader.maximumPacketSize
    ) {
        switch FrameReader.read(bytes, maximumPacketSize: maximumPacketSize, version: version) {
        case .needMoreBytes: self = .needMoreBytes
        case .failure(let error): self = .failure(error)
        case .frame(let frame):
            let body = UnsafeRawBufferPointer(rebasing: bytes[frame.body])
            do throws(DecodeError) {
                let packet = try AnyPacket(type: frame.type, flags: frame.flags, body: body, version: version)
                self = .packet(packet, length: frame.totalLength)
            } catch {
                self = .failure(error)
            }
        }
    }

    init(_ bytes: [UInt8], version: ProtocolVersion, maximumPacketSize: Int = FrameReader.maximumPacketSize) {
        self = bytes.withUnsafeBytes { Decoded($0, version: version, maximumPacketSize: maximumPacketSize) }
    }

    var packet: AnyPacket? { if case .packet(let packet, _) = self { packet } else { nil } }
    var error: DecodeError? { if case .failure(let error) = self { error } else { nil } }
}
