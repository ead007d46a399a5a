import Broker
import Core
import Logging
import MQTTCodec
import NIOCore

// From the broker to the bytes of a client.
//
// What the broker gives is encoded at once into `output`, which leaves in one write at the end of the turn. While the channel
// takes nothing, or a turn has brought more than a chunk, it waits in the outbox instead, by reference, and is encoded from
// there when the channel takes more.
//
//     deliver, send ──┬──> output ──────────────┐
//                     └──> outbox ──> output ───┴──> flush: one write

extension MQTTConnection {
    /// Whether what comes now may be encoded now: nothing is to be sent before it.
    @inline(__always)
    var isDirect: Bool { isWritable && outbox.isEmpty && output.readableBytes < ServerContext.outputChunk }

    /// Writes what has been encoded, then from the outbox as far as the channel takes it, and ends a connection that has
    /// nothing more to say.
    func writeOutbox() {
        guard let context else { return }
        var isLast = endsAfterOutput
        while true {
            while output.readableBytes < ServerContext.outputChunk, isWritable, !isLast, let outbound = popOutbound() {
                isLast = encode(outbound)
            }
            guard output.readableBytes > 0 else { break }
            // Taken out first: within the write the channel may say that it takes more, and this is called again.
            let chunk = output
            output = ByteBuffer()
            shared.traffic.bytesSent &+= UInt64(chunk.readableBytes)
            if chunk.readableBytes >= MQTTConnection.muchWritten, !expectsMuch { expectMuch() }
            context.writeAndFlush(wrapOutboundOut(chunk), promise: nil)
            shared.giveBack(chunk)
            if outbox.isEmpty || isLast || !isWritable { break }
        }
        // An idle connection has no buffer.
        if output.capacity > 0, output.readableBytes == 0 {
            shared.giveBack(output)
            output = ByteBuffer()
        }
        if isLast || (isClosingWithoutPacket && outbox.isEmpty) {
            // [MQTT-3.14.4-2] after DISCONNECT the connection is closed.
            end()
        } else if session == nil, !closingIsTimed {
            // It is given up and does not take what is left to be said: it may not keep the connection open by that.
            closingIsTimed = true
            let bound = NIOLoopBound(self, eventLoop: shared.eventLoop)
            shared.eventLoop.scheduleTask(in: .seconds(5)) { bound.value.end() }
        }
    }

    /// The broker refused the connection: it ends with what the outbox holds, without DISCONNECT.
    private var isClosingWithoutPacket: Bool {
        if case .closed = phase { true } else { false }
    }

    // MARK: Encoding

    @inline(__always)
    func prepareOutput() {
        if output.capacity == 0 { output = shared.takeBuffer() }
    }

    /// Encodes a message that is being published.
    @inline(__always)
    func encode(_ publication: inout Publication, _ delivery: Delivery) {
        prepareOutput()
        shared.traffic.packetsSent &+= 1
        if publication.isWorthSharing, topicAliases == nil, delivery.subscriptionIdentifiers == nil {
            if let form = publication.form(version: version, qos: delivery.qos), form.count <= maximumPacketSize {
                output.append(form.count) {
                    form.write(
                        qos: delivery.qos, retain: delivery.retain, packetIdentifier: delivery.packetIdentifier, to: $0)
                }
                shared.traffic.countSent(delivery.qos, payload: publication.payload.count)
            } else {
                discard(delivery.packetIdentifier, delivery.qos, publication.topic)
            }
        } else {
            encode(
                topic: publication.topic, properties: publication.properties, payload: publication.payload,
                messageExpiryInterval: publication.messageExpiryInterval, packetIdentifier: delivery.packetIdentifier,
                qos: delivery.qos, retain: delivery.retain, duplicate: delivery.duplicate,
                subscriptionIdentifiers: delivery.subscriptionIdentifiers)
        }
    }

    /// - Returns: whether the connection ends after this.
    func encode(_ outbound: Outbound) -> Bool {
        prepareOutput()
        shared.traffic.packetsSent &+= 1
        switch outbound {
        case .publish(let publish): encode(publish)
        case .puback(let packet): return encode(packet, .puback, into: &output)
        case .pubrec(let packet): return encode(packet, .pubrec, into: &output)
        case .pubrel(let packet): return encode(packet, .pubrel, into: &output)
        case .pubcomp(let packet): return encode(packet, .pubcomp, into: &output)
        case .suback(let packet): return encode(packet, .suback, into: &output)
        case .unsuback(let packet): return encode(packet, .unsuback, into: &output)
        case .connack(let packet): return encode(packet, into: &output)
        case .pingresp: Ping.writeResponse(into: &output)
        case .disconnect(let reason):
            encodeDisconnect(reason, into: &output)
            log(.info, "closed", closingDetail ?? "", reason: reason)
            return true
        }
        return false
    }

    private func encode(_ publish: OutboundPublish) {
        guard let message = named(publish.message) else {
            publish.message.withTopic { discard(publish.packetIdentifier, publish.qos, $0) }
            return
        }
        var interval: UInt32?
        if version == .v5, message.expiresAt != .distantFuture {
            let now = SystemClock.monotonic()
            interval = message.remainingExpiryInterval(now: now)
            if publish.qos == .atMostOnce, message.expiresAt <= now {
                // [MQTT-3.3.2-5] its time passed while it waited to be written.
                shared.broker.discardExpired(publish, of: self)
                return
            }
        }
        message.withParts { topic, properties, payload in
            encode(
                topic: topic, properties: properties, payload: payload, messageExpiryInterval: interval,
                packetIdentifier: publish.packetIdentifier, qos: publish.qos, retain: publish.retain,
                duplicate: publish.duplicate, subscriptionIdentifiers: publish.subscriptionIdentifiers)
        }
    }

    private func encode(
        topic: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer,
        messageExpiryInterval: UInt32?, packetIdentifier: UInt16, qos: QoS, retain: Bool, duplicate: Bool,
        subscriptionIdentifiers: [UInt32]?
    ) {
        var sentTopic = topic
        var alias: UInt16?
        if let use = topicAliases?.use(of: topic) {
            alias = use.alias
            // The client knows the topic by its alias already.
            if !use.isNew { sentTopic = UnsafeRawBufferPointer(start: nil, count: 0) }
        }
        let isWritten: Bool
        if let subscriptionIdentifiers {
            isWritten = PublishEncoder.write(
                topic: sentTopic, properties: properties, payload: payload, packetIdentifier: packetIdentifier, qos: qos,
                retain: retain, dup: duplicate, version: version, messageExpiryInterval: messageExpiryInterval,
                topicAlias: alias, subscriptionIdentifiers: subscriptionIdentifiers, maximumPacketSize: maximumPacketSize,
                into: &output)
        } else {
            isWritten = PublishEncoder.write(
                topic: sentTopic, properties: properties, payload: payload, packetIdentifier: packetIdentifier, qos: qos,
                retain: retain, dup: duplicate, version: version, messageExpiryInterval: messageExpiryInterval,
                topicAlias: alias, maximumPacketSize: maximumPacketSize, into: &output)
        }
        if isWritten {
            shared.traffic.countSent(qos, payload: payload.count)
            if let alias, !sentTopic.isEmpty { topicAliases?.wasSent(alias) }
        } else {
            discard(packetIdentifier, qos, topic)
        }
    }

    /// [MQTT-3.1.2-25] what is too large for the client counts as delivered.
    private func discard(_ packetIdentifier: UInt16, _ qos: QoS, _ topic: UnsafeRawBufferPointer) {
        shared.broker.discard(
            packetIdentifier: packetIdentifier, qos: qos, topic: String(decoding: topic, as: UTF8.self), of: self,
            now: SystemClock.monotonic())
        // There is room for the next message, at the end of the turn.
        shared.turn()
    }
}
