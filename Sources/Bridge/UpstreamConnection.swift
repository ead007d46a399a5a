import Core
import MQTTClient
import MQTTCodec
import NIOCore

/// Who is told what comes from the upstream. All calls come on the event loop.
protocol UpstreamOwner: AnyObject {
    /// CONNECT was sent.
    func upstreamConnectSent()
    /// CONNECT was accepted.
    func upstreamConnected(_ packet: ConnackPacket)
    func upstreamSubscribed(_ packet: SubackPacket)
    /// PUBACK.
    func upstreamAcknowledged(_ packet: AcknowledgementPacket)
    /// - Parameter body: where the view's ranges lie; valid during the call.
    func upstreamPublished(_ view: PublishView, _ body: UnsafeRawBufferPointer)
    /// PINGRESP.
    func upstreamPong()
    /// PUBREL.
    func upstreamReleased(_ packet: AcknowledgementPacket)
    /// Everything that one read brought has been told, or the connection takes more output again.
    func upstreamTurn()
    /// The connection is over. The last call.
    func upstreamClosed(_ failure: UpstreamFailure)
}

/// The bridge's connection to its upstream: reads the packets and tells its owner, who knows what is sent, and when.
final class UpstreamConnection<Owner: UpstreamOwner>: ClientConnection {
    private unowned let owner: Owner
    /// Why the bridge itself has ended the connection.
    private var ownReason: UpstreamFailure?

    /// - Parameters:
    ///   - packet: the CONNECT to send.
    ///   - answerTimeout: time for the CONNACK.
    ///   - maximumPacketSize: bytes of the largest packet to accept.
    init(packet: ConnectPacket, answerTimeout: Duration, maximumPacketSize: Int, owner: Owner) {
        self.owner = owner
        super.init(packet: packet, answerTimeout: answerTimeout, maximumPacketSize: maximumPacketSize)
    }

    // MARK: Input

    override func connectSent() { owner.upstreamConnectSent() }

    override func connected(_ packet: ConnackPacket) {
        // [MQTT-3.2.2-11] we could send nothing that is acknowledged.
        if packet.properties.maximumQoS == 0 { return close(.qosNotSupported) }
        owner.upstreamConnected(packet)
    }

    override func receive(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        switch frame.type {
        case .publish:
            let view = try PublishView.read(body: body, flags: frame.flags, version: version)
            // [MQTT-3.3.2-9] we offer no topic aliases.
            if view.topicAlias != nil {
                throw DecodeError(reasonCode: .topicAliasInvalid, reason: "topic alias not offered", offset: 0)
            }
            owner.upstreamPublished(view, body)
        case .puback:
            owner.upstreamAcknowledged(try AcknowledgementPacket.read(body: body, type: .puback, version: version))
        case .pubrel:
            owner.upstreamReleased(try AcknowledgementPacket.read(body: body, type: .pubrel, version: version))
        case .suback:
            owner.upstreamSubscribed(try SubackPacket.read(body: body, version: version))
        default:
            throw unexpected(frame.type)
        }
    }

    override func pong() { owner.upstreamPong() }

    override func turn() { owner.upstreamTurn() }

    override func ended(_ failure: ConnectionFailure) { owner.upstreamClosed(ownReason ?? .connection(failure)) }

    // MARK: Output

    /// Adds a PUBLISH to what ``flush()`` sends.
    func send(
        _ message: Message, packetIdentifier: UInt16, duplicate: Bool, messageExpiryInterval: UInt32?, retain: Bool
    ) {
        _ = PublishEncoder.write(
            message, packetIdentifier: packetIdentifier, qos: message.qos, retain: retain, dup: duplicate, version: version,
            messageExpiryInterval: messageExpiryInterval, into: &output)
    }

    /// Adds a form's PUBLISH to what ``flush()`` sends; QoS 2 counts as 1.
    func send(_ publish: FormPublish, packetIdentifier: UInt16, duplicate: Bool, retains: Bool) {
        publish.topic.withUnsafeBytes { topic in
            publish.properties.withUnsafeBytes { properties in
                publish.payload.withUnsafeBytes { payload in
                    _ = PublishEncoder.write(
                        topic: topic, properties: properties, payload: payload, packetIdentifier: packetIdentifier,
                        qos: min(publish.qos, .atLeastOnce), retain: publish.retain && retains, dup: duplicate, version: version,
                        messageExpiryInterval: nil, subscriptionIdentifiers: EmptyCollection(),
                        maximumPacketSize: FrameReader.maximumPacketSize, into: &output)
                }
            }
        }
    }

    /// Adds a PUBLISH of the bridge's own to what ``flush()`` sends.
    func send(_ message: Message, packetIdentifier: UInt16) {
        _ = PublishEncoder.write(
            message, packetIdentifier: packetIdentifier, qos: message.qos, retain: message.retain, dup: false,
            version: version, into: &output)
    }

    /// Adds an acknowledgement to what ``flush()`` sends.
    func send(_ packet: AcknowledgementPacket, type: PacketType) {
        packet.write(type: type, version: version, into: &output)
    }

    /// Adds a SUBSCRIBE to what ``flush()`` sends.
    func send(_ packet: SubscribePacket) throws(EncodeError) { try packet.write(version: version, into: &output) }

    /// Ends the connection for a reason of the bridge's own.
    func close(_ reason: UpstreamFailure) {
        ownReason = reason
        close(ConnectionFailure.stopped)
    }
}
