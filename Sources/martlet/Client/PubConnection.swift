import Core
import MQTTClient
import MQTTCodec
import NIOCore

/// What `pub` sends.
struct PubPlan {
    var topic: String
    var qos: QoS
    var retain: Bool
    /// Encoded, without their length.
    var properties: [UInt8] = []
    var messageExpiryInterval: UInt32?
    var topicAlias: UInt16?
    var window: Int
    var disconnect = DisconnectPacket()
}

/// Publishes what a source gives, waits until all of it is acknowledged, and leaves.
final class PubConnection: ClientConnection {
    private let plan: PubPlan
    private let source: MessageSource
    private let log: (String) -> Void
    private var completion: ((Result<Void, ClientError>) -> Void)?
    private var session: ClientSession
    private var maximumPacketSize = FrameReader.maximumPacketSize
    private var hasSaidAlias = false
    private var isLeaving = false
    /// Messages that the broker did not take, and why the last one.
    private var refused = (count: 0, reason: ReasonCode.success)

    /// - Parameters:
    ///   - log: is told what happens.
    ///   - completion: called once.
    init(
        packet: ConnectPacket, answerTimeout: Duration, plan: PubPlan, source: MessageSource,
        log: @escaping (String) -> Void, completion: @escaping (Result<Void, ClientError>) -> Void
    ) {
        self.plan = plan
        self.source = source
        self.log = log
        self.completion = completion
        session = ClientSession(window: plan.window)
        super.init(packet: packet, answerTimeout: answerTimeout)
        source.onMore = { [weak self] in self?.publish() }
    }

    override func connected(_ packet: ConnackPacket) {
        log("connected" + (packet.sessionPresent ? ", with the session of before" : ""))
        session.connected(packet, window: plan.window)
        // [MQTT-3.2.2-11] no more than the Maximum QoS.
        if let maximum = packet.properties.maximumQoS, maximum < plan.qos.rawValue {
            return refuse("the broker takes QoS \(maximum) at most: -q \(maximum)")
        }
        // [MQTT-3.2.2-14] no RETAIN if the server does not keep messages.
        if plan.retain, packet.properties.retainAvailable == false { return refuse("the broker does not keep retained messages") }
        // [MQTT-3.2.2-17] no alias above the maximum.
        if let alias = plan.topicAlias, alias > packet.properties.topicAliasMaximum ?? 0 {
            return refuse("the broker takes topic aliases up to \(packet.properties.topicAliasMaximum ?? 0)")
        }
        if let size = packet.properties.maximumPacketSize { maximumPacketSize = Int(size) }
        publish()
    }

    /// Sends what can be sent now.
    private func publish() {
        guard isUp, !isLeaving else { return }
        while isWritable, plan.qos == .atMostOnce || session.window.available > 0 {
            let payload: [UInt8]
            switch source.next() {
            case .message(let bytes): payload = bytes
            case .later: return flush()
            case .end: return session.window.unacknowledged > 0 ? flush() : leave()
            }
            let identifier = plan.qos == .atMostOnce ? 0 : session.send(plan.qos) ?? 0
            guard write(payload, identifier: identifier) else {
                return refuse("a packet would have more than the \(maximumPacketSize) bytes that the broker takes")
            }
        }
        flush()
    }

    private func write(_ payload: [UInt8], identifier: UInt16) -> Bool {
        // [MQTT-3.3.2-8] the topic is said once, then its alias is enough.
        var topic = plan.topicAlias != nil && hasSaidAlias ? "" : plan.topic
        hasSaidAlias = true
        log("publishing \(payload.count) bytes" + (identifier > 0 ? ", packet identifier \(identifier)" : ""))
        return topic.withUTF8 { topic in
            plan.properties.withUnsafeBytes { properties in
                payload.withUnsafeBytes { payload in
                    PublishEncoder.write(
                        topic: UnsafeRawBufferPointer(topic), properties: properties, payload: payload,
                        packetIdentifier: identifier, qos: plan.qos, retain: plan.retain, version: version,
                        messageExpiryInterval: plan.messageExpiryInterval, topicAlias: plan.topicAlias,
                        maximumPacketSize: maximumPacketSize, into: &output)
                }
            }
        }
    }

    override func receive(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        switch frame.type {
        case .puback, .pubrec, .pubcomp:
            let packet = try AcknowledgementPacket.read(body: body, type: frame.type, version: version)
            switch session.acknowledge(frame.type, packet) {
            case .arrived(let identifier):
                log("acknowledged: packet identifier \(identifier), \(packet.reasonCode)")
            case .release(let identifier):
                AcknowledgementPacket(packetIdentifier: identifier).write(type: .pubrel, version: version, into: &output)
            case .refused(_, let reason):
                refused = (refused.count + 1, reason)
            case .unexpected:
                throw DecodeError(reasonCode: .protocolError, reason: "\(frame.type) that nothing waits for", offset: 0)
            }
        case .publish, .pubrel:
            // A session of before may have subscriptions. What comes for them stays at the broker, unacknowledged.
            break
        default:
            throw unexpected(frame.type)
        }
    }

    override func turn() { publish() }

    override func ended(_ failure: ConnectionFailure) { complete(.failure(.connection(failure))) }

    /// The end, in good order: when everything has gone out.
    private func leave() {
        isLeaving = true
        let result: Result<Void, ClientError> =
            refused.count == 0
            ? .success(()) : .failure(.refused("\(refused.count) messages refused: \(refused.reason)"))
        disconnectWhenWritten(plan.disconnect) { [self] in complete(result) }
    }

    private func refuse(_ reason: String) {
        isLeaving = true
        complete(.failure(.refused(reason)))
        disconnect(plan.disconnect)
    }

    private func complete(_ result: Result<Void, ClientError>) {
        let notify = completion
        completion = nil
        source.onMore = nil
        notify?(result)
    }
}
