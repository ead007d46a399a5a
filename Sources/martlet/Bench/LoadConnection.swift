import Core
import MQTTCodec
import NIOCore

/// One client of the broker: connects, finds the packets in what arrives, and leaves those of an established connection
/// to a subclass. On its own it is a connection that does nothing.
///
/// Belongs to its channel's event loop.
class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case connecting, awaitingConnack, preparing, ready, closed
    }

    let clientIdentifier: String
    let version: ProtocolVersion
    /// Called once, when the connection is ready for its part in the run.
    var onReady: (() -> Void)?
    /// Called at most once, with the reason, if the connection ends before ``close()``.
    var onEnd: ((String) -> Void)?
    private(set) var context: ChannelHandlerContext?
    private var phase = Phase.connecting
    /// The start of a packet whose rest has not come.
    private var partial: ByteBuffer?

    /// Seconds that the broker is told; the run sends a PINGREQ more often.
    static let keepAlive: UInt16 = 60

    init(clientIdentifier: String, version: ProtocolVersion) {
        self.clientIdentifier = clientIdentifier
        self.version = version
    }

    // MARK: For subclasses

    /// The broker has accepted the connection. Call ``becomeReady()`` when nothing more has to be prepared.
    func established(_ connack: ConnackPacket) { becomeReady() }

    /// A packet of the established connection other than PINGRESP and DISCONNECT.
    func receive(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) { throw unexpected(frame) }

    /// What arrived is about to be looked at.
    func beginRead() {}

    /// All packets that arrived have been received.
    func endRead() {}

    final func becomeReady() {
        phase = .ready
        let notify = onReady
        onReady = nil
        notify?()
    }

    final func unexpected(_ frame: Frame) -> DecodeError {
        DecodeError(reasonCode: .protocolError, reason: "unexpected \(frame.type)", offset: 0)
    }

    final func send(_ buffer: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(buffer), promise: nil) }

    /// Ends the connection because of something that the broker did or said.
    final func fail(_ reason: String) {
        guard phase != .closed else { return }
        phase = .closed
        context?.close(promise: nil)
        let notify = onEnd
        onEnd = nil
        notify?("\(clientIdentifier): \(reason)")
    }

    /// Ends the connection in good order.
    final func close() {
        guard phase != .closed else { return }
        phase = .closed
        var buffer = ByteBuffer()
        encode { () throws(EncodeError) in try DisconnectPacket().write(version: version, into: &buffer) }
        send(buffer)
        context?.close(promise: nil)
    }

    final func ping() {
        guard phase == .ready else { return }
        var buffer = ByteBuffer()
        Ping.writeRequest(into: &buffer)
        send(buffer)
    }

    /// Packets that this program says by itself fit the protocol's limits.
    final func encode(_ body: () throws(EncodeError) -> Void) {
        do throws(EncodeError) {
            try body()
        } catch {
            preconditionFailure("a packet of the bench cannot be encoded: \(error)")
        }
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        phase = .awaitingConnack
        var buffer = ByteBuffer()
        let packet = ConnectPacket(
            version: version, clientIdentifier: clientIdentifier, cleanStart: true, keepAlive: LoadConnection.keepAlive)
        encode { () throws(EncodeError) in try packet.write(into: &buffer) }
        send(buffer)
    }

    func channelInactive(context: ChannelHandlerContext) { fail("the broker closed the connection") }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail("\(error)") }

    func channelWritabilityChanged(context: ChannelHandlerContext) {}

    final func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .closed else { return }
        var buffer = unwrapInboundIn(data)
        if var begun = partial {
            partial = nil
            begun.writeBuffer(&buffer)
            buffer = begun
        }
        beginRead()
        let consumed = buffer.withUnsafeReadableBytes { process($0) }
        if consumed < buffer.readableBytes {
            // Copied, since a slice would keep the whole receive buffer.
            buffer.moveReaderIndex(forwardBy: consumed)
            var rest = ByteBuffer()
            rest.writeBuffer(&buffer)
            partial = rest
        }
        endRead()
    }

    /// Handles the whole packets at the start of `bytes`.
    ///
    /// - Returns: how many bytes they took.
    private func process(_ bytes: UnsafeRawBufferPointer) -> Int {
        var at = 0
        while at < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
            switch FrameReader.read(rest, maximumPacketSize: FrameReader.maximumPacketSize, version: version) {
            case .needMoreBytes:
                return at
            case .failure(let error):
                fail("\(error)")
            case .frame(let frame):
                do throws(DecodeError) {
                    try handle(frame, frame.body(of: rest))
                } catch {
                    fail("\(error)")
                }
                at += frame.totalLength
            }
            if phase == .closed { return bytes.count }
        }
        return at
    }

    @inline(__always)
    private func handle(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        if phase == .ready, frame.type == .publish { return try receive(frame, body) }
        switch frame.type {
        case .connack:
            guard phase == .awaitingConnack else { throw unexpected(frame) }
            let connack = try ConnackPacket.read(body: body, version: version)
            guard connack.reasonCode == .success else { return fail("refused with \(connack.reasonCode.text)") }
            phase = .preparing
            established(connack)
        case .disconnect where version == .v5:
            fail("disconnected with \(try DisconnectPacket.read(body: body, version: version).reasonCode.text)")
        case .pingresp:
            try Ping.read(body: body)
        default:
            guard phase == .preparing || phase == .ready else { throw unexpected(frame) }
            try receive(frame, body)
        }
    }
}

extension ReasonCode {
    /// As the standard writes it.
    fileprivate var text: String { "reason code 0x\(String(rawValue, radix: 16, uppercase: true))" }
}
