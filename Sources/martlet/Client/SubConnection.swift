import Core
import Glibc
import MQTTClient
import MQTTCodec
import NIOCore

/// One connection of `sub`: subscribes and hands over what comes. Its session and what it has printed outlive it in ``SubRun``.
final class SubConnection: ClientConnection {
    private let run: SubRun
    /// Topics by the alias that the broker has given them.
    private var aliases: [UInt16: [UInt8]] = [:]
    /// How many aliases the broker may give.
    private let aliasMaximum: UInt16

    init(packet: ConnectPacket, answerTimeout: Duration, run: SubRun) {
        self.run = run
        aliasMaximum = packet.properties.topicAliasMaximum ?? 0
        super.init(packet: packet, answerTimeout: answerTimeout)
    }

    override func connected(_ packet: ConnackPacket) {
        run.connected(packet)
        do throws(EncodeError) {
            let plan = run.plan
            // Each in a packet of its own, so that none is refused because of the size of all.
            for filter in plan.filters {
                let packet = SubscribePacket(
                    packetIdentifier: run.session.request([filter]),
                    requests: [SubscribePacket.Request(filter: filter, options: plan.options)],
                    subscriptionIdentifier: plan.subscriptionIdentifier)
                try packet.write(version: version, into: &output)
            }
            for filter in plan.unsubscribed {
                try UnsubscribePacket(packetIdentifier: run.session.request([filter]), filters: [filter])
                    .write(version: version, into: &output)
            }
        } catch {
            return run.stop(.failure(.usage("a topic filter is longer than 65535 bytes")))
        }
        flush()
        run.answered()
    }

    override func receive(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        switch frame.type {
        case .publish:
            let view = try PublishView.read(body: body, flags: frame.flags, version: version)
            try receive(view, body)
        case .pubrel:
            let packet = try AcknowledgementPacket.read(body: body, type: .pubrel, version: version)
            run.session.release(packet).write(type: .pubcomp, version: version, into: &output)
        case .suback:
            run.granted(try SubackPacket.read(body: body, version: version), isUnsubscription: false)
        case .unsuback:
            run.granted(try SubackPacket.readUnsuback(body: body, version: version), isUnsubscription: true)
        default:
            throw unexpected(frame.type)
        }
    }

    private func receive(_ view: PublishView, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        // What is too much is not acknowledged: the broker keeps it for the session.
        guard !run.printer.isDone, !run.isStopped else { return }
        let topic = try topic(of: view, body)
        let answer: PacketType?
        switch run.session.receive(qos: view.qos, packetIdentifier: view.packetIdentifier) {
        case .use(let packet):
            answer = packet
            topic.withUnsafeBytes { run.received(message($0, view, body)) }
        case .known(let packet):
            answer = packet
        }
        if let answer {
            AcknowledgementPacket(packetIdentifier: view.packetIdentifier).write(type: answer, version: version, into: &output)
        }
    }

    private func message(_ topic: UnsafeRawBufferPointer, _ view: PublishView, _ body: UnsafeRawBufferPointer) -> ReceivedMessage {
        var message = ReceivedMessage(
            topic: topic, payload: UnsafeRawBufferPointer(rebasing: body[view.payload]), qos: view.qos, retain: view.retain,
            dup: view.dup, packetIdentifier: view.packetIdentifier)
        if version == .v5 {
            message.properties = MessageProperties(of: view, body)
            message.messageExpiryInterval = view.messageExpiryInterval
            message.topicAlias = view.topicAlias
            message.subscriptionIdentifiers = view.subscriptionIdentifiers(of: body)
        }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        message.receivedAt = Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
        return message
    }

    private func topic(of view: PublishView, _ body: UnsafeRawBufferPointer) throws(DecodeError) -> [UInt8] {
        let topic = Array(body[view.topic])
        guard let alias = view.topicAlias else { return topic }
        // [MQTT-3.1.2-26] [MQTT-3.3.2-9] not above the maximum that CONNECT has said.
        guard alias <= aliasMaximum else {
            throw DecodeError(reasonCode: .topicAliasInvalid, reason: "topic alias \(alias) above \(aliasMaximum)", offset: 0)
        }
        if !topic.isEmpty {
            aliases[alias] = topic
            return topic
        }
        guard let known = aliases[alias] else {
            throw DecodeError(reasonCode: .protocolError, reason: "topic alias \(alias) stands for nothing", offset: 0)
        }
        return known
    }

    override func turn() {
        // Acknowledged is what was written.
        run.flush()
        flush()
        run.checkEnd()
    }

    override func ended(_ failure: ConnectionFailure) { run.ended(failure) }
}
