import Broker
import Core
import Logging
import NIOCore
import Security

// MQTT over WebSocket (MQTT 5.0 §6), between the socket or TLS and the connection:
//
//     bytes ──> WebSocketHandshake ──> WebSocketFrameReader ──> bytes of MQTT ──> MQTTConnection
//     bytes <── one binary frame for each write <────────────── bytes of MQTT <──
//
// It is one small handler before and after the handshake, so that an idle connection costs little more than one over TCP.

/// The WebSocket of one connection. Belongs to the channel's event loop.
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// - The request as far as it has come.
        case handshake(ByteBuffer?)
        case open
        /// CLOSE has been sent, or never will be: nothing is read or written any more.
        case closed
    }

    private let shared: ServerContext
    private let settings: ListenerSettings
    private let path: String
    private var phase = Phase.handshake(nil)
    private var reader = WebSocketFrameReader()

    init(listener: OpenListener, path: String) {
        shared = listener.shared
        settings = listener.settings
        self.path = path
    }

    // MARK: From the client

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        switch phase {
        case .handshake(let begun): readRequest(begun, buffer, context)
        case .open: readFrames(buffer, context)
        case .closed: break
        }
    }

    private func readRequest(_ begun: ByteBuffer?, _ buffer: ByteBuffer, _ context: ChannelHandlerContext) {
        var request = begun ?? buffer
        if begun != nil { request.writeImmutableBuffer(buffer) }
        switch request.withUnsafeReadableBytes({ WebSocketHandshake.read($0, path: path) }) {
        case .needMoreBytes:
            // A copy: what came is a part of the receive buffer.
            phase = .handshake(begun == nil ? ByteBuffer(bytes: request.readableBytesView) : request)
        case .refused(let answer, let status):
            let words = request.withUnsafeReadableBytes { ForeignProtocol($0)?.atWebSocketPort }
            log(.notice, "refused to open a WebSocket", words ?? status, context)
            phase = .closed
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            context.close(promise: nil)
        case .accepted(let answer, let length):
            phase = .open
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            request.moveReaderIndex(forwardBy: length)
            if request.readableBytes > 0 { readFrames(request, context) }
        }
    }

    private func readFrames(_ buffer: ByteBuffer, _ context: ChannelHandlerContext) {
        var input = shared.takeInput()
        let outcome = buffer.withUnsafeReadableBytes { reader.read($0, into: &input) }
        if input.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(input)) }
        shared.giveBack(input: input)
        // RFC 6455 §5.5.3: the last one is enough; and none piles up for a client that takes nothing.
        if let ping = outcome.ping, context.channel.isWritable { send(.pong, ping, context) }
        switch outcome.end {
        case nil:
            break
        case .closed(let code):
            end(code, context)
        case .failed(let code, let reason):
            log(.notice, "closed a WebSocket that broke the protocol", reason, context)
            end(code, context)
        }
    }

    // MARK: To the client

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .open = phase else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let payload = unwrapOutboundIn(data)
        // [MQTT-6.0.0-1] binary.
        context.write(wrapOutboundOut(header(.binary, length: payload.readableBytes)), promise: nil)
        context.write(data, promise: promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if case .open = phase { sendClose(.normal, context) }
        phase = .closed
        context.close(mode: mode, promise: promise)
    }

    /// Answers CLOSE or a mistake, and ends the connection.
    private func end(_ code: WebSocketCloseCode, _ context: ChannelHandlerContext) {
        // MQTT has ended it already, within what came before.
        guard case .open = phase else { return }
        sendClose(code, context)
        phase = .closed
        context.close(promise: nil)
    }

    private func sendClose(_ code: WebSocketCloseCode, _ context: ChannelHandlerContext) {
        send(.close, [UInt8(truncatingIfNeeded: code.rawValue >> 8), UInt8(truncatingIfNeeded: code.rawValue)], context)
    }

    private func send(_ opcode: WebSocketOpcode, _ payload: [UInt8], _ context: ChannelHandlerContext) {
        guard case .open = phase else { return }
        var frame = header(opcode, length: payload.count)
        frame.writeBytes(payload)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    /// The header of a whole message in one frame, which a server does not mask.
    private func header(_ opcode: WebSocketOpcode, length: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(10)
        buffer.writeInteger(0x80 | opcode.rawValue)
        if length < 126 {
            buffer.writeInteger(UInt8(length))
        } else if length <= 65_535 {
            buffer.writeInteger(126 as UInt8)
            buffer.writeInteger(UInt16(length))
        } else {
            buffer.writeInteger(127 as UInt8)
            buffer.writeInteger(UInt64(length))
        }
        return buffer
    }

    private func log(_ level: Logger.Level, _ message: StaticString, _ detail: String, _ context: ChannelHandlerContext) {
        guard shared.logger.logLevel <= level else { return }
        let site = context.channel.remoteAddress.flatMap { NetworkAddress($0) }?.site
        let line = RefusalLog.Line(message: "\(message)", cause: detail, listener: settings.name, site: site)
        guard shared.refusalLog.admits(line, now: SystemClock.monotonic()) else { return }
        var metadata: Logger.Metadata = ["listener": "\(settings.name)", "detail": "\(detail)"]
        if let address = context.channel.remoteAddress?.endpoint { metadata["peer"] = "\(address)" }
        shared.logger.log(level: level, "\(message)", metadata: metadata)
    }
}
