import Broker
import Core
import Logging
import MQTTCodec
import NIOCore

/// One network client: reads packets in place from what the channel received, gives them to the broker, and writes what
/// the broker put into the outbox, all of it in one write per batch.
///
/// Belongs to the channel's event loop, which is the broker's.
final class MQTTConnection: Client, ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case awaitingConnect
        case connected
        /// Refused or ended: what arrives is ignored.
        case closed
    }

    private let shared: ServerContext
    private let listener: String
    private var phase = Phase.awaitingConnect
    private var context: ChannelHandlerContext?
    /// The start of a packet whose rest has not come.
    private var partial: ByteBuffer?
    /// Expiry and other properties make a run that is not contiguous in the packet; it is put together here.
    private var scratch: [UInt8] = []
    /// Topics that the client has given a number (MQTT 5.0 §3.3.2.3.4).
    private var aliases: [UInt16: [UInt8]] = [:]
    private var closingIsTimed = false
    /// The channel asked to read on while ``isBackedUp``.
    private var isReadHeld = false

    init(shared: ServerContext, listener: String) {
        self.shared = shared
        self.listener = listener
        super.init()
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        shared.expectConnect(self, now: SystemClock.monotonic())
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        shared.connectIsSettled(self)
        if session != nil {
            log(.info, "connection lost")
            shared.broker.connectionLost(self, now: SystemClock.monotonic(), wall: SystemClock.wall())
            shared.turn()
        }
        phase = .closed
        partial = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        log(.debug, "connection failed", "\(error)")
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, !outbox.isEmpty { flush() }
        if isReadHeld, !isBackedUp {
            isReadHeld = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        // What a client sends is answered: one that does not take the answers is not read any further.
        if isBackedUp { isReadHeld = true } else { context.read() }
    }

    /// Whether the client leaves so much unread that more would pile up without a bound.
    private var isBackedUp: Bool {
        guard let context else { return false }
        return !context.channel.isWritable && outbox.count >= ServerContext.maximumBackedUp
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .closed = phase { return }
        var buffer = unwrapInboundIn(data)
        let isContinued = partial != nil
        if var begun = partial {
            partial = nil
            begun.writeBuffer(&buffer)
            buffer = begun
        }
        let now = SystemClock.monotonic()
        let consumed = buffer.withUnsafeReadableBytes { process($0, now: now) }
        if case .closed = phase {
            shared.turn()
            return
        }
        if consumed == 0, isContinued {
            // Still the same packet, in a buffer that grows by doubling: drip-fed bytes are not copied again and again.
            partial = buffer
        } else if consumed < buffer.readableBytes {
            // A slice would keep the whole receive buffer alive; what is left is usually small.
            buffer.moveReaderIndex(forwardBy: consumed)
            var rest = ByteBuffer()
            rest.reserveCapacity(max(buffer.readableBytes, 512))
            rest.writeBuffer(&buffer)
            partial = rest
        }
        shared.turn()
    }

    // MARK: Input

    /// Handles the whole packets at the start of `bytes`.
    ///
    /// - Returns: how many bytes they took.
    private func process(_ bytes: UnsafeRawBufferPointer, now: MonotonicTime) -> Int {
        let wall = SystemClock.wall()
        touch(at: now)
        var at = 0
        while at < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
            switch FrameReader.read(rest, maximumPacketSize: shared.broker.limits.maximumPacketSize, version: version) {
            case .needMoreBytes:
                return at
            case .failure(let error):
                fail(error, now: now, wall: wall)
                return bytes.count
            case .frame(let frame):
                let body = UnsafeRawBufferPointer(rebasing: rest[frame.body])
                do throws(DecodeError) {
                    try handle(frame, body, now: now, wall: wall)
                } catch {
                    fail(error, now: now, wall: wall)
                }
                if isEnded { return bytes.count }
                at += frame.totalLength
            }
        }
        return at
    }

    /// Whether the broker has given up this connection.
    private var isEnded: Bool {
        switch phase {
        case .awaitingConnect: false
        case .connected: session == nil
        case .closed: true
        }
    }

    private func handle(
        _ frame: Frame, _ body: UnsafeRawBufferPointer, now: MonotonicTime, wall: Timestamp
    ) throws(DecodeError) {
        let broker = shared.broker
        guard case .connected = phase else {
            // [MQTT-3.1.0-1] the first packet is CONNECT.
            guard frame.type == .connect else { throw MQTTConnection.protocolError("the first packet is not CONNECT") }
            try connect(body, now: now, wall: wall)
            return
        }
        switch frame.type {
        case .publish:
            let view = try PublishView.read(body: body, flags: frame.flags, version: version)
            // [MQTT-3.3.4-6] subscription identifiers are for the way to a client only.
            if view.hasSubscriptionIdentifiers { throw MQTTConnection.protocolError("subscription identifier from a client") }
            if let alias = view.topicAlias {
                try publish(view, alias: alias, body, now: now, wall: wall)
            } else {
                publish(view, topic: UnsafeRawBufferPointer(rebasing: body[view.topic]), body, now: now, wall: wall)
            }
        case .puback:
            broker.puback(try AcknowledgementPacket.read(body: body, type: .puback, version: version), from: self, now: now)
        case .pubrec:
            broker.pubrec(try AcknowledgementPacket.read(body: body, type: .pubrec, version: version), from: self, now: now)
        case .pubrel:
            broker.pubrel(try AcknowledgementPacket.read(body: body, type: .pubrel, version: version), from: self)
        case .pubcomp:
            broker.pubcomp(try AcknowledgementPacket.read(body: body, type: .pubcomp, version: version), from: self, now: now)
        case .subscribe:
            broker.subscribe(try SubscribePacket.read(body: body, version: version), from: self, now: now, wall: wall)
        case .unsubscribe:
            broker.unsubscribe(try UnsubscribePacket.read(body: body, version: version), from: self)
        case .pingreq:
            try Ping.read(body: body)
            broker.ping(from: self)
        case .disconnect:
            let packet = try DisconnectPacket.read(body: body, version: version)
            log(.debug, "disconnected")
            broker.disconnect(self, packet: packet, now: now, wall: wall)
            // What is wrong with it, if anything, is said before the connection ends.
            if case .disconnect? = outbox.last { return }
            end()
        case .connect:
            // [MQTT-3.1.0-2] a second CONNECT.
            throw MQTTConnection.protocolError("second CONNECT")
        case .connack, .suback, .unsuback, .pingresp, .auth:
            throw MQTTConnection.protocolError("packet type \(frame.type) is not for a server")
        }
    }

    private func connect(
        _ body: UnsafeRawBufferPointer, now: MonotonicTime, wall: Timestamp
    ) throws(DecodeError) {
        let packet: ConnectPacket
        do throws(DecodeError) {
            packet = try ConnectPacket.read(body: body)
        } catch {
            refuse(error, version: ConnectPacket.version(of: body))
            return
        }
        phase = .connected
        shared.connectIsSettled(self)
        if shared.broker.connect(self, packet: packet, now: now, wall: wall) {
            log(.debug, "connected")
        } else {
            log(.notice, "connection refused", "client identifier \(packet.clientIdentifier)")
            phase = .closed
        }
    }

    /// A PUBLISH whose topic alias is set (with a topic) or used (without).
    private func publish(
        _ view: PublishView, alias: UInt16, _ body: UnsafeRawBufferPointer, now: MonotonicTime, wall: Timestamp
    ) throws(DecodeError) {
        // [MQTT-3.3.2-9] no alias above what we offered.
        guard alias <= shared.broker.limits.topicAliasMaximum else {
            throw DecodeError(reasonCode: .topicAliasInvalid, reason: "topic alias \(alias) is above the maximum", offset: 0)
        }
        if !view.topic.isEmpty {
            aliases[alias] = Array(body[view.topic])
        } else if aliases[alias] == nil {
            throw MQTTConnection.protocolError("topic alias \(alias) is not set")
        }
        aliases[alias]?.withUnsafeBytes { publish(view, topic: $0, body, now: now, wall: wall) }
    }

    @inline(__always)
    private func publish(
        _ view: PublishView, topic: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, now: MonotonicTime,
        wall: Timestamp
    ) {
        let payload = UnsafeRawBufferPointer(rebasing: body[view.payload])
        var publish = Broker.Publish(
            topic: topic, properties: UnsafeRawBufferPointer(start: nil, count: 0), payload: payload, qos: view.qos,
            retain: view.retain, packetIdentifier: view.packetIdentifier,
            messageExpiryInterval: view.messageExpiryInterval)
        if let forwarded = view.forwardedProperties {
            publish.properties = UnsafeRawBufferPointer(rebasing: body[forwarded])
            shared.broker.publish(publish, from: self, now: now, wall: wall)
        } else {
            // Properties of the hop stand between those that travel on.
            scratch.removeAll(keepingCapacity: true)
            view.appendForwardedProperties(of: body, to: &scratch)
            scratch.withUnsafeBytes { properties in
                publish.properties = properties
                shared.broker.publish(publish, from: self, now: now, wall: wall)
            }
        }
    }

    /// What arrived breaks a rule: the client is told as far as its version can be, and the connection ends.
    private func fail(_ error: DecodeError, now: MonotonicTime, wall: Timestamp) {
        switch phase {
        case .awaitingConnect:
            refuse(error, version: nil)
        case .connected:
            log(.notice, "closed a connection that broke the protocol", "\(error)")
            shared.broker.close(self, reason: error.reasonCode, now: now, wall: wall)
        case .closed:
            break
        }
    }

    /// The first packet is no CONNECT that can be accepted.
    ///
    /// - Parameter version: what it asks for; nil if even that cannot be read.
    private func refuse(_ error: DecodeError, version: ProtocolVersion?) {
        log(.notice, "refused a connection", "\(error)")
        var buffer = ByteBuffer()
        let packet = ConnackPacket(sessionPresent: false, reasonCode: error.reasonCode)
        // [MQTT-3.1.2-2] a version that we do not speak is told with the return code that all versions know.
        let answers = version ?? (error.reasonCode == .unsupportedProtocolVersion ? .v311 : nil)
        // Before MQTT 5.0 few reasons have a return code; the others get none.
        if let answers, let context, (try? packet.write(version: answers, into: &buffer)) != nil {
            context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        }
        end()
    }

    private static func protocolError(_ reason: String) -> DecodeError {
        DecodeError(reasonCode: .protocolError, reason: reason, offset: 0)
    }

    // MARK: Output

    override func flush() {
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
        switch outbound {
        case .publish(let publish):
            encode(publish, into: &buffer)
        case .puback(let packet): packet.write(type: .puback, version: version, into: &buffer)
        case .pubrec(let packet): packet.write(type: .pubrec, version: version, into: &buffer)
        case .pubrel(let packet): packet.write(type: .pubrel, version: version, into: &buffer)
        case .pubcomp(let packet): packet.write(type: .pubcomp, version: version, into: &buffer)
        case .suback(let packet): packet.write(version: version, into: &buffer)
        case .unsuback(let packet): packet.writeUnsuback(version: version, into: &buffer)
        case .connack(let packet): write { () throws(EncodeError) in try packet.write(version: version, into: &buffer) }
        case .pingresp: Ping.writeResponse(into: &buffer)
        case .disconnect(let reason):
            // Before MQTT 5.0 a server has no DISCONNECT to send.
            if version == .v5 {
                let packet = DisconnectPacket(reasonCode: reason)
                write { () throws(EncodeError) in try packet.write(version: .v5, into: &buffer) }
            }
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
                shared.broker.discardExpired()
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
        // [MQTT-3.1.2-25] what is too large for the client counts as delivered.
        if !isWritten { shared.broker.discard(publish, of: self, now: SystemClock.monotonic()) }
    }

    /// What this broker says by itself is within the limits of a packet.
    private func write(_ body: () throws(EncodeError) -> Void) {
        do throws(EncodeError) { try body() } catch { log(.error, "cannot encode a packet", "\(error)") }
    }

    private func end() {
        phase = .closed
        context?.close(promise: nil)
    }

    func dropUnconnected() {
        log(.info, "closed a connection that sent no CONNECT")
        end()
    }

    private func log(_ level: Logger.Level, _ message: StaticString, _ detail: @autoclosure () -> String = "") {
        guard shared.logger.logLevel <= level else { return }
        var metadata: Logger.Metadata = ["listener": "\(listener)"]
        if let address = context?.channel.remoteAddress { metadata["peer"] = "\(address)" }
        if let session { metadata["client"] = "\(session.clientIdentifier)" }
        let detail = detail()
        if !detail.isEmpty { metadata["detail"] = "\(detail)" }
        shared.logger.log(level: level, "\(message)", metadata: metadata)
    }
}
