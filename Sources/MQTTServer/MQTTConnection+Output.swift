import Broker
import Core
import Logging
import MQTTCodec
import NIOCore

/// From the broker's outbox to the bytes of a client.
extension MQTTConnection {
    /// Encodes the outbox into as few writes as the channel takes, and ends a connection that has nothing more to say.
    func writeOutbox() {
        guard let context, context.channel.isActive else { return }
        var buffer = shared.takeBuffer()
        var isLast = false
        while context.channel.isWritable, !isLast {
            buffer.clear()
            while buffer.readableBytes < ServerContext.outputChunk, let outbound = popOutbound() {
                if encode(outbound, into: &buffer) {
                    isLast = true
                    break
                }
            }
            if buffer.readableBytes == 0 { break }
            shared.traffic.bytesSent &+= UInt64(buffer.readableBytes)
            context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
            if outbox.isEmpty { break }
        }
        shared.giveBack(buffer)
        if isLast || (isClosingWithoutPacket && outbox.isEmpty) {
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

    /// - Returns: whether the connection ends after this.
    private func encode(_ outbound: Outbound, into buffer: inout ByteBuffer) -> Bool {
        shared.traffic.packetsSent &+= 1
        switch outbound {
        case .publish(let publish):
            encode(publish, into: &buffer)
        case .puback(let packet): return encode(packet, .puback, into: &buffer)
        case .pubrec(let packet): return encode(packet, .pubrec, into: &buffer)
        case .pubrel(let packet): return encode(packet, .pubrel, into: &buffer)
        case .pubcomp(let packet): return encode(packet, .pubcomp, into: &buffer)
        case .suback(let packet): return encode(packet, .suback, into: &buffer)
        case .unsuback(let packet): return encode(packet, .unsuback, into: &buffer)
        case .connack(let packet): return encode(packet, into: &buffer)
        case .pingresp: Ping.writeResponse(into: &buffer)
        case .disconnect(let reason):
            encodeDisconnect(reason, into: &buffer)
            log(.info, "closed", "reason \(reason.rawValue)")
            return true
        }
        return false
    }

    @inline(__always)
    private func encode(_ publish: OutboundPublish, into buffer: inout ByteBuffer) {
        let message = publish.message
        var expiry: UInt32?
        if version == .v5, message.expiresAt != .distantFuture {
            // [MQTT-3.3.2-6] what is left of the interval, rounded up so that 0 is only sent for what has just expired.
            let left = message.expiresAt - SystemClock.monotonic()
            if left <= .zero, publish.qos == .atMostOnce {
                // [MQTT-3.3.2-5] its time passed while it waited to be written.
                shared.broker.discardExpired(publish, of: self)
                return
            }
            expiry = UInt32(clamping: max(0, (left.wholeMilliseconds + 999) / 1000))
        }
        let isWritten: Bool
        if let identifiers = publish.subscriptionIdentifiers {
            isWritten = PublishEncoder.write(
                message, packetIdentifier: publish.packetIdentifier, qos: publish.qos, retain: publish.retain,
                dup: publish.duplicate, version: version, messageExpiryInterval: expiry,
                subscriptionIdentifiers: identifiers, maximumPacketSize: maximumPacketSize, into: &buffer)
        } else {
            isWritten = PublishEncoder.write(
                message, packetIdentifier: publish.packetIdentifier, qos: publish.qos, retain: publish.retain,
                dup: publish.duplicate, version: version, messageExpiryInterval: expiry,
                maximumPacketSize: maximumPacketSize, into: &buffer)
        }
        if isWritten {
            shared.traffic.publishesSent.count(publish.qos)
            shared.traffic.publishBytesSent &+= UInt64(message.payloadLength)
        } else {
            // [MQTT-3.1.2-25] what is too large for the client counts as delivered.
            shared.broker.discard(publish, of: self, now: SystemClock.monotonic())
        }
    }
}
