public import MQTTCodec
public import NIOCore

/// The client's end of an MQTT connection: CONNECT, keep-alive, packets in and out. What is sent, and when, a subclass knows;
/// on its own it is a connection that does nothing.
///
///     channelActive ──> CONNECT ──> CONNACK ──> up ──> closed
///                          │ time-out, refusal         ▲
///                          └───────────────────────────┘
///
/// It stands at the end of the pipeline, so that TLS and WebSocket can stand before it. It belongs to its channel's event
/// loop.
open class ClientConnection: ChannelInboundHandler {
    public typealias InboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

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
    private var phase = Phase.opening
    public final private(set) var context: ChannelHandlerContext?
    /// The start of a packet whose rest has not come.
    private var partial: ByteBuffer?
    /// What ``flush()`` sends.
    public final var output = ByteBuffer()
    private var keepAlive = KeepAlive()
    private var timer: Scheduled<Void>?
    /// PINGREQs sent on this connection, those of the keep-alive included.
    public final private(set) var sentPings: UInt64 = 0
    /// PINGREQs that were answered: the first so many, as the server answers in order.
    public final private(set) var answeredPings: UInt64 = 0

    public final var version: ProtocolVersion { packet.version }
    public final var clientIdentifier: String { packet.clientIdentifier }
    /// Whether CONNECT was accepted and the connection is there.
    public final var isUp: Bool { phase == .up }

    /// - Parameters:
    ///   - packet: the CONNECT to send.
    ///   - answerTimeout: time for the CONNACK.
    ///   - maximumPacketSize: bytes of the largest packet to accept.
    public init(
        packet: ConnectPacket, answerTimeout: Duration = .seconds(10),
        maximumPacketSize: Int = FrameReader.maximumPacketSize
    ) {
        self.packet = packet
        self.answerTimeout = TimeAmount(answerTimeout)
        self.maximumPacketSize = maximumPacketSize
    }

    // MARK: For subclasses

    /// CONNECT was sent.
    open func connectSent() {}

    /// CONNECT was accepted.
    open func connected(_ packet: ConnackPacket) {}

    /// What arrived is about to be looked at.
    open func beginRead() {}

    /// A packet of the established connection, other than PINGRESP and DISCONNECT.
    ///
    /// - Parameter body: valid during the call.
    open func receive(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) { throw unexpected(frame.type) }

    /// PINGRESP: the PINGREQ with the number ``answeredPings``, and so everything that was sent before it, has arrived.
    open func pong() {}

    /// Everything that one read brought has been received.
    open func turn() {}

    /// The connection takes more output again.
    open func writable() { turn() }

    /// The connection, which had begun, is over. The last call.
    open func ended(_ failure: ConnectionFailure) {}

    public final func unexpected(_ type: PacketType) -> DecodeError {
        DecodeError(reasonCode: .protocolError, reason: "\(type) is not expected from the server now", offset: 0)
    }

    // MARK: Channel

    public final func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start() }
    }

    public final func handlerRemoved(context: ChannelHandlerContext) {
        close(.lost)
        self.context = nil
    }

    public final func channelActive(context: ChannelHandlerContext) {
        start()
        context.fireChannelActive()
    }

    public final func channelInactive(context: ChannelHandlerContext) {
        close(.lost)
        context.fireChannelInactive()
    }

    public final func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if phase == .up { close(.lost) } else { transportFailed(ClientEndpoint.words(error)) }
    }

    /// A handshake below MQTT failed. Whoever opened the channel has been told that it is there.
    final func transportFailed(_ reason: String) {
        if phase == .opening { phase = .connecting }
        close(.unreachable(reason))
    }

    public final func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, phase == .up { writable() }
        context.fireChannelWritabilityChanged()
    }

    private func start() {
        guard phase == .opening else {
            // Given up meanwhile.
            if phase == .closed { context?.close(promise: nil) }
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
        connectSent()
        schedule(after: answerTimeout) { $0.close(.noAnswer) }
    }

    // MARK: Input

    public final func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .closed else { return }
        var buffer = unwrapInboundIn(data)
        if var begun = partial {
            partial = nil
            begun.writeBuffer(&buffer)
            buffer = begun
        }
        keepAlive.received()
        beginRead()
        let consumed = buffer.withUnsafeReadableBytes { process($0) }
        guard phase != .closed else { return }
        if consumed < buffer.readableBytes {
            // A slice would keep the whole receive buffer alive; what is left is usually small.
            buffer.moveReaderIndex(forwardBy: consumed)
            partial = ByteBuffer(bytes: buffer.readableBytesView)
        }
        if phase == .up { turn() }
    }

    /// Handles the whole packets at the start of `bytes`; returns how many bytes they took.
    private func process(_ bytes: UnsafeRawBufferPointer) -> Int {
        var at = 0
        while at < bytes.count, phase != .closed {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
            switch FrameReader.read(rest, maximumPacketSize: maximumPacketSize, version: packet.version) {
            case .needMoreBytes:
                return at
            case .failure(let error):
                fail(error)
            case .frame(let frame):
                do throws(DecodeError) {
                    try handle(frame, frame.body(of: rest))
                } catch {
                    fail(error)
                }
                at += frame.totalLength
            }
        }
        return at
    }

    @inline(__always)
    private func handle(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        guard phase == .up else {
            // [MQTT-3.2.0-1] the first packet from the server is CONNACK.
            guard frame.type == .connack else { throw unexpected(frame.type) }
            return accepted(try ConnackPacket.read(body: body, version: version))
        }
        switch frame.type {
        case .pingresp:
            try Ping.read(body: body)
            // One that was not asked for answers nothing.
            guard answeredPings < sentPings else { return }
            answeredPings += 1
            pong()
        case .disconnect where version == .v5:
            let packet = try DisconnectPacket.read(body: body, version: version)
            close(.disconnected(packet.reasonCode, packet.properties.reasonString))
        default:
            try receive(frame, body)
        }
    }

    private func accepted(_ packet: ConnackPacket) {
        timer?.cancel()
        guard packet.reasonCode == .success else {
            return close(.refused(packet.reasonCode, packet.properties.reasonString))
        }
        phase = .up
        // [MQTT-3.2.2-21] the server's keep-alive counts, except that 0 must not keep us from noticing a dead link.
        let asked = packet.properties.serverKeepAlive ?? 0
        let seconds = asked > 0 ? asked : self.packet.keepAlive
        if seconds > 0 { scheduleKeepAlive(every: .milliseconds(Int64(seconds) * 500)) }
        connected(packet)
    }

    private func fail(_ error: DecodeError) {
        if phase == .up { sendDisconnect(error.reasonCode) }
        close(.invalid(error))
    }

    // MARK: Output

    /// Whether more may be sent now. What is sent nevertheless is sent too.
    public final var isWritable: Bool {
        guard let context, phase == .up else { return false }
        return context.channel.isWritable && output.readableBytes < 128 * 1024
    }

    /// Sends what was added to ``output`` since the last time, in one write.
    public final func flush() {
        guard phase != .closed, output.readableBytes > 0 else { return }
        let bytes = output
        // The channel holds the memory until it is written; for the next turn there is other.
        output = ByteBuffer()
        send(bytes)
    }

    /// Sends a PINGREQ behind everything that was added to ``output`` (MQTT 5.0 §3.12).
    ///
    /// - Returns: its number on this connection, from 1; ``pong()`` is called when ``answeredPings`` has reached it.
    @discardableResult
    public final func ping() -> UInt64 {
        guard phase == .up else { return sentPings }
        sentPings += 1
        Ping.writeRequest(into: &output)
        flush()
        return sentPings
    }

    /// Sends packets that were put together elsewhere.
    public final func send(_ packets: ByteBuffer) {
        guard let context, phase != .closed else { return }
        keepAlive.sent()
        context.writeAndFlush(wrapOutboundOut(packets), promise: nil)
    }

    /// Ends the connection with DISCONNECT.
    public final func disconnect(_ packet: DisconnectPacket = DisconnectPacket()) {
        if phase == .up { send(packet) }
        close(.stopped)
    }

    /// Ends the connection with DISCONNECT when everything has left this program.
    ///
    /// - Parameter body: called before the connection is closed, unless it ends earlier.
    public final func disconnectWhenWritten(_ packet: DisconnectPacket, _ body: @escaping () -> Void) {
        guard let context, phase == .up else { return }
        do throws(EncodeError) {
            try packet.write(version: version, into: &output)
        } catch {
            // Without DISCONNECT, then.
        }
        let bytes = output
        output = ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(bytes)).assumeIsolated().whenComplete { [self] _ in
            guard phase != .closed else { return }
            body()
            close(.stopped)
        }
    }

    /// Sends a DISCONNECT and leaves the connection to be closed by the server.
    public final func sendDisconnect(_ reason: ReasonCode) { send(DisconnectPacket(reasonCode: reason)) }

    private func send(_ packet: DisconnectPacket) {
        do throws(EncodeError) {
            try packet.write(version: version, into: &output)
            flush()
        } catch {
            // Without DISCONNECT, then: the connection ends all the same.
        }
    }

    /// Ends the connection; ``ended(_:)`` is called, once, if it had begun.
    public final func close(_ failure: ConnectionFailure) {
        guard phase != .closed else { return }
        let hasStarted = phase != .opening
        phase = .closed
        timer?.cancel()
        partial = nil
        output.clear()
        context?.close(promise: nil)
        if hasStarted { ended(failure) }
    }

    // MARK: Time

    private func scheduleKeepAlive(every interval: TimeAmount) {
        schedule(after: interval) { connection in
            switch connection.keepAlive.tick() {
            case .nothing: break
            case .ping:
                connection.ping()
            case .dead:
                return connection.close(.silent)
            }
            connection.scheduleKeepAlive(every: interval)
        }
    }

    private func schedule(after delay: TimeAmount, _ body: @escaping (ClientConnection) -> Void) {
        guard let context, phase != .closed else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
            if let self, self.phase != .closed { body(self) }
        }
    }
}
