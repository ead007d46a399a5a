import Core
import MQTTCodec
import NIOCore

/// Who is told what comes from the upstream. All calls come on the event loop.
protocol UpstreamOwner: AnyObject {
    /// CONNECT was accepted.
    func upstreamConnected(_ packet: ConnackPacket)
    func upstreamSubscribed(_ packet: SubackPacket)
    /// PUBACK.
    func upstreamAcknowledged(_ packet: AcknowledgementPacket)
    /// - Parameter body: where the view's ranges lie; valid during the call.
    func upstreamPublished(_ view: PublishView, _ body: UnsafeRawBufferPointer)
    /// PUBREL.
    func upstreamReleased(_ packet: AcknowledgementPacket)
    /// Everything that one read brought has been told, or the connection takes more output again.
    func upstreamTurn()
    /// The connection is over. The last call.
    func upstreamClosed(_ failure: UpstreamFailure)
}

/// The client's end of an MQTT connection: CONNECT, keep-alive, packets in and out. What is sent, and when, its owner knows.
///
///     channelActive ──> CONNECT ──> CONNACK ──> up ──> closed
///                          │ time-out, refusal         ▲
///                          └───────────────────────────┘
///
/// It stands at the end of the pipeline, so that a TLS handler can stand before it.
final class UpstreamConnection<Owner: UpstreamOwner>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// The channel is not active yet: whoever opens it learns if that fails.
        case opening
        /// CONNECT sent.
        case connecting
        case up
        case closed
    }

    private let packet: ConnectPacket
    private let answerTimeout: TimeAmount
    private let maximumPacketSize: Int
    private unowned let owner: Owner
    private var phase = Phase.opening
    private var context: ChannelHandlerContext?
    /// The start of a packet whose rest has not come.
    private var partial: ByteBuffer?
    private var output = ByteBuffer()
    private var keepAlive = KeepAlive()
    private var timer: Scheduled<Void>?

    var version: ProtocolVersion { packet.version }

    /// - Parameters:
    ///   - packet: the CONNECT to send.
    ///   - answerTimeout: time for the CONNACK.
    ///   - maximumPacketSize: bytes of the largest packet to accept.
    init(packet: ConnectPacket, answerTimeout: Duration, maximumPacketSize: Int, owner: Owner) {
        self.packet = packet
        self.answerTimeout = TimeAmount(answerTimeout)
        self.maximumPacketSize = maximumPacketSize
        self.owner = owner
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        close(.lost)
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        start()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        close(.lost)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(phase == .up ? .lost : .unreachable("\(error)"))
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, phase == .up { owner.upstreamTurn() }
        context.fireChannelWritabilityChanged()
    }

    private func start() {
        guard phase == .opening else {
            // Given up meanwhile.
            context?.close(promise: nil)
            return
        }
        phase = .connecting
        do throws(EncodeError) {
            try packet.write(into: &output)
        } catch {
            close(.unreachable("CONNECT cannot be encoded: \(error)"))
            return
        }
        flush()
        schedule(after: answerTimeout) { $0.close(.noAnswer) }
    }

    // MARK: Input

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .closed else { return }
        var buffer = unwrapInboundIn(data)
        if var begun = partial {
            partial = nil
            begun.writeBuffer(&buffer)
            buffer = begun
        }
        keepAlive.received()
        let consumed = buffer.withUnsafeReadableBytes { process($0) }
        guard phase != .closed else { return }
        if consumed < buffer.readableBytes {
            // A slice would keep the whole receive buffer alive; what is left is usually small.
            buffer.moveReaderIndex(forwardBy: consumed)
            partial = ByteBuffer(bytes: buffer.readableBytesView)
        }
        if phase == .up { owner.upstreamTurn() }
    }

    /// Handles the whole packets at the start of `bytes`; returns how many bytes they took.
    private func process(_ bytes: UnsafeRawBufferPointer) -> Int {
        var at = 0
        while at < bytes.count, phase != .closed {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
            switch FrameReader.read(rest, maximumPacketSize: maximumPacketSize, version: version) {
            case .needMoreBytes:
                return at
            case .failure(let error):
                fail(error)
            case .frame(let frame):
                do throws(DecodeError) {
                    try handle(frame, UnsafeRawBufferPointer(rebasing: rest[frame.body]))
                } catch {
                    fail(error)
                }
                at += frame.totalLength
            }
        }
        return at
    }

    private func handle(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        guard phase == .up else {
            // [MQTT-3.2.0-1] the first packet from the server is CONNACK.
            guard frame.type == .connack else { throw unexpected(frame.type) }
            return connected(try ConnackPacket.read(body: body, version: version))
        }
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
        case .pingresp:
            try Ping.read(body: body)
        case .disconnect where version == .v5:
            close(.disconnected(try DisconnectPacket.read(body: body, version: version).reasonCode))
        default:
            throw unexpected(frame.type)
        }
    }

    private func unexpected(_ type: PacketType) -> DecodeError {
        DecodeError(reasonCode: .protocolError, reason: "\(type) is not expected from the upstream now", offset: 0)
    }

    private func connected(_ packet: ConnackPacket) {
        timer?.cancel()
        guard packet.reasonCode == .success else { return close(.refused(packet.reasonCode)) }
        // [MQTT-3.2.2-11] we could send nothing that is acknowledged.
        if packet.properties.maximumQoS == 0 { return close(.qosNotSupported) }
        phase = .up
        // [MQTT-3.2.2-21] the server's keep-alive counts, except that 0 must not keep us from noticing a dead link.
        let asked = packet.properties.serverKeepAlive ?? 0
        let seconds = asked > 0 ? asked : self.packet.keepAlive
        if seconds > 0 { scheduleKeepAlive(every: .milliseconds(Int64(seconds) * 500)) }
        owner.upstreamConnected(packet)
    }

    private func fail(_ error: DecodeError) {
        if phase == .up { sendDisconnect(error.reasonCode) }
        close(.invalid(error))
    }

    // MARK: Output

    /// Whether more may be sent now. What is sent nevertheless is sent too.
    var isWritable: Bool {
        guard let context, phase == .up else { return false }
        return context.channel.isWritable && output.readableBytes < 128 * 1024
    }

    /// Adds a PUBLISH to what ``flush()`` sends.
    func send(_ publish: LanePublish, retain: Bool) {
        let message = publish.message
        _ = PublishEncoder.write(
            message, packetIdentifier: publish.packetIdentifier, qos: message.qos, retain: retain,
            dup: publish.duplicate, version: version, messageExpiryInterval: publish.messageExpiryInterval,
            into: &output)
    }

    /// Adds an acknowledgement to what ``flush()`` sends.
    func send(_ packet: AcknowledgementPacket, type: PacketType) {
        packet.write(type: type, version: version, into: &output)
    }

    /// Adds a SUBSCRIBE to what ``flush()`` sends.
    func send(_ packet: SubscribePacket) throws(EncodeError) { try packet.write(version: version, into: &output) }

    /// Sends what was added since the last time, in one write.
    func flush() {
        guard let context, phase != .closed, output.readableBytes > 0 else { return }
        keepAlive.sent()
        let bytes = output
        // The channel holds the memory until it is written; for the next turn there is other.
        output = ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    /// Ends the connection with DISCONNECT.
    func disconnect() {
        if phase == .up { sendDisconnect(.success) }
        close(.stopped)
    }

    private func sendDisconnect(_ reason: ReasonCode) {
        do throws(EncodeError) {
            try DisconnectPacket(reasonCode: reason).write(version: version, into: &output)
            flush()
        } catch {
            // Without DISCONNECT, then: the connection ends all the same.
        }
    }

    /// Ends the connection; the owner is told, once, if it had begun.
    func close(_ failure: UpstreamFailure) {
        guard phase != .closed else { return }
        let hasStarted = phase != .opening
        phase = .closed
        timer?.cancel()
        partial = nil
        output.clear()
        context?.close(promise: nil)
        if hasStarted { owner.upstreamClosed(failure) }
    }

    // MARK: Time

    private func scheduleKeepAlive(every interval: TimeAmount) {
        schedule(after: interval) { connection in
            switch connection.keepAlive.tick() {
            case .nothing: break
            case .ping:
                Ping.writeRequest(into: &connection.output)
                connection.flush()
            case .dead:
                return connection.close(.silent)
            }
            connection.scheduleKeepAlive(every: interval)
        }
    }

    private func schedule(after delay: TimeAmount, _ body: @escaping (UpstreamConnection) -> Void) {
        guard let context, phase != .closed else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
            if let self, self.phase != .closed { body(self) }
        }
    }
}
