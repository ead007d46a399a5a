public import Core
public import MQTTCodec
import Store

extension Broker {
    /// PUBACK: a QoS 1 message has arrived, or was refused. [MQTT-4.4.0-2], [MQTT-4.8.2-6] either way it is over.
    public func puback(_ packet: AcknowledgementPacket, from client: Client, now: MonotonicTime) {
        guard let session = client.session else { return }
        guard let finished = session.queue.acknowledge(packet.packetIdentifier, qos: .atLeastOnce) else { return }
        finish(finished, of: session)
        goOn(with: session, now: now)
    }

    /// PUBREC: a QoS 2 message has arrived, or was refused.
    public func pubrec(_ packet: AcknowledgementPacket, from client: Client, now: MonotonicTime) {
        guard let session = client.session else { return }
        if packet.reasonCode.isError {
            // [MQTT-4.3.3-4], [MQTT-4.4.0-2], [MQTT-4.8.2-6] a refused message is over, also for others of a group.
            guard let finished = session.queue.acknowledge(packet.packetIdentifier, qos: .exactlyOnce) else { return }
            finish(finished, of: session)
            goOn(with: session, now: now)
            return
        }
        // [MQTT-2.2.1-5]
        var answer = AcknowledgementPacket(packetIdentifier: packet.packetIdentifier)
        guard let (sequence, isNew) = session.queue.release(packet.packetIdentifier) else {
            answer.reasonCode = .packetIdentifierNotFound
            acknowledge(.pubrel(answer), to: client, after: 0)
            return
        }
        if isNew, session.isPersistent {
            operations.append(.setReleased(session: session.number, sequence: sequence))
        }
        acknowledge(.pubrel(answer), to: client, after: session.isPersistent ? batch : 0)
    }

    /// PUBREL: the sender of a QoS 2 message will not send it again.
    public func pubrel(_ packet: AcknowledgementPacket, from client: Client) {
        guard let session = client.session else { return }
        var answer = AcknowledgementPacket(packetIdentifier: packet.packetIdentifier)
        // [MQTT-4.3.3-12] the packet identifier is free again; [MQTT-4.3.3-11] PUBCOMP in any case.
        if session.received.remove(packet.packetIdentifier) {
            if session.isPersistent {
                operations.append(
                    .deleteReceived(session: session.number, packetIdentifier: packet.packetIdentifier))
            }
        } else {
            answer.reasonCode = .packetIdentifierNotFound
        }
        acknowledge(.pubcomp(answer), to: client, after: session.isPersistent ? batch : 0)
    }

    /// PUBCOMP: a QoS 2 message is over.
    public func pubcomp(_ packet: AcknowledgementPacket, from client: Client, now: MonotonicTime) {
        guard let session = client.session else { return }
        guard let finished = session.queue.acknowledge(packet.packetIdentifier, qos: .exactlyOnce) else { return }
        finish(finished, of: session)
        goOn(with: session, now: now)
    }

    /// PINGREQ [MQTT-3.12.4-1].
    public func ping(from client: Client) { append(.pingresp, to: client) }

    /// A QoS 0 message's time passed in an outbox.
    public func discardExpired(_ publish: OutboundPublish, of client: Client) {
        drop(.expired, for: client.session, topic: publish.message.topic)
    }

    /// A message turned out to be larger than its client takes: it counts as delivered and acknowledged.
    public func discard(packetIdentifier: UInt16, qos: QoS, topic: @autoclosure () -> String, of client: Client, now: MonotonicTime) {
        drop(.tooLarge, for: client.session, topic: topic())
        guard let session = client.session, qos != .atMostOnce,
            let finished = session.queue.acknowledge(packetIdentifier, qos: qos)
        else { return }
        finish(finished, of: session)
        // Not from here: what comes next may be too large as well, and this is within its being sent.
        roomMade.append((session, now))
    }
}
