public import NIOCore

/// The handshake is complete: ``TLSHandler/peer`` says with whom. Fired as a user inbound event, before any data.
public struct TLSHandshakeCompleted: Sendable, Equatable {
    public init() {}
}

/// TLS in a channel's pipeline: ciphertext towards the channel, plaintext towards the handlers behind it.
///
/// Reading is the channel's and the handlers' affair: what they do not ask for stays in the system's buffers. What is
/// written leaves at `flush`, everything of one flush in one write. A handshake has no time-out of its own; the one who
/// waits for the first data has one. If the connection fails, its ``TLSError`` is fired as an error and the channel closes.
/// An idle connection holds no buffers.
public final class TLSHandler: ChannelDuplexHandler {
    public typealias InboundIn = ByteBuffer
    public typealias InboundOut = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    private let tlsContext: TLSContext
    private let serverName: String?
    private var engine: TLSEngine?
    /// Written, and not yet encrypted.
    private var pending: [(data: ByteBuffer, promise: EventLoopPromise<Void>?)] = []
    private(set) var pendingBytes = 0
    /// Flushed before the handshake was complete.
    private var isFlushHeld = false
    /// A `read` from behind that no data has answered yet.
    private var isReadWanted = false
    private var hasReceivedData = false
    /// Anything at all.
    private var hasReceived = false

    /// With so much waiting it is encrypted without a flush, so that the channel knows how much it has to send.
    private static let pendingLimit = 64 * 1024
    /// Bytes that may wait for the end of the handshake.
    private static let handshakeLimit = 1 << 20

    /// - Parameter serverName: for a client the host name or IP address of the server.
    public init(context: TLSContext, serverName: String? = nil) {
        tlsContext = context
        self.serverName = serverName
    }

    /// Who is on the other side; nil before the handshake is complete.
    public var peer: TLSPeer? { engine?.peer }

    // MARK: Life

    public func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { start(context) }
    }

    public func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        engine = nil
        failPending(ChannelError.ioOnClosedChannel)
    }

    public func channelInactive(context: ChannelHandlerContext) {
        let wasHandshaking = engine?.state == .handshaking
        let lacksCertificate = isEndedForWantOfCertificate
        engine?.close()
        failPending(ChannelError.ioOnClosedChannel)
        if lacksCertificate {
            context.fireErrorCaught(TLSError.handshake(TLSReason.certificateWanted))
        } else if wasHandshaking { context.fireErrorCaught(TLSError.handshake("the peer closed the connection")) }
        context.fireChannelInactive()
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isEndedForWantOfCertificate {
            context.fireErrorCaught(TLSError.handshake(TLSReason.certificateWanted))
        } else if error is IOError, engine?.state == .handshaking {
            context.fireErrorCaught(TLSError.handshake("the peer closed the connection"))
        } else {
            context.fireErrorCaught(error)
        }
    }

    /// With TLS 1.3 a client's handshake ends before the server looks at the certificate that it has not got, and the reset
    /// that follows may overtake the alert that would say so.
    private var isEndedForWantOfCertificate: Bool {
        guard let engine else { return false }
        return engine.lacksCertificate && !hasReceivedData && engine.state != .closed
    }

    private func start(_ context: ChannelHandlerContext) {
        guard engine == nil else { return }
        do throws(TLSError) {
            let engine = try TLSEngine(context: tlsContext, serverName: serverName)
            self.engine = engine
            try engine.start()
            sendOutput(engine, context)
        } catch {
            fail(error, context)
        }
    }

    // MARK: Inbound

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let engine, engine.state != .closed else { return }
        let wasHandshaking = engine.state == .handshaking
        let ciphertext = unwrapInboundIn(data)
        var plaintext = ByteBuffer()
        var failure: TLSError?
        do throws(TLSError) {
            try ciphertext.withUnsafeReadableBytes { (bytes) throws(TLSError) in
                try engine.receive(bytes, into: &plaintext)
            }
        } catch {
            failure = error
        }
        if failure != nil, wasHandshaking, !hasReceived, tlsContext.isServer,
            let words = ciphertext.withUnsafeReadableBytes({ ForeignProtocol($0)?.atTLSPort })
        {
            failure = .handshake(words)
        }
        hasReceived = true
        sendOutput(engine, context)
        if wasHandshaking, engine.isHandshakeComplete {
            context.fireUserInboundEventTriggered(TLSHandshakeCompleted())
            if isFlushHeld { flush(context: context) }
        }
        if plaintext.readableBytes > 0 {
            isReadWanted = false
            hasReceivedData = true
            context.fireChannelRead(wrapInboundOut(plaintext))
        }
        if let failure {
            fail(failure, context)
        } else if engine.state == .closed {
            // The peer has said goodbye.
            context.close(promise: nil)
        }
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // What came was no data: whoever waits for data still does.
        if isReadWanted { context.read() }
    }

    public func read(context: ChannelHandlerContext) {
        isReadWanted = true
        context.read()
    }

    // MARK: Outbound

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard engine?.state != .closed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let data = unwrapOutboundIn(data)
        pendingBytes += data.readableBytes
        pending.append((data, promise))
        if engine?.state == .open {
            if pendingBytes >= TLSHandler.pendingLimit { encryptPending(context) }
        } else if pendingBytes > TLSHandler.handshakeLimit {
            fail(.handshake("\(pendingBytes) bytes were written before its end"), context)
        }
    }

    public func flush(context: ChannelHandlerContext) {
        guard engine?.state == .open else {
            isFlushHeld = true
            return
        }
        isFlushHeld = false
        encryptPending(context)
        context.flush()
    }

    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode != .input, let engine, engine.state == .open {
            encryptPending(context)
            engine.close()
            sendOutput(engine, context)
        }
        if mode == .all { failPending(ChannelError.ioOnClosedChannel) }
        context.close(mode: mode, promise: promise)
    }

    /// Encrypts what was written into one buffer and writes it.
    private func encryptPending(_ context: ChannelHandlerContext) {
        guard let engine, !pending.isEmpty else { return }
        let writes = pending
        pending = []
        pendingBytes = 0
        // Small pieces share a record.
        var plaintext = writes[0].data
        for (data, _) in writes.dropFirst() { plaintext.writeImmutableBuffer(data) }
        do throws(TLSError) {
            try plaintext.withUnsafeReadableBytes { (bytes) throws(TLSError) in try engine.send(bytes) }
        } catch {
            for (_, promise) in writes { promise?.fail(error) }
            fail(error, context)
            return
        }
        let promises = writes.compactMap(\.promise)
        guard let ciphertext = engine.takeOutput() else {
            for promise in promises { promise.succeed() }
            return
        }
        var promise = promises.first
        if promises.count > 1 {
            promise = context.eventLoop.makePromise(of: Void.self)
            for other in promises { promise?.futureResult.cascade(to: other) }
        }
        context.write(wrapOutboundOut(ciphertext), promise: promise)
    }

    private func sendOutput(_ engine: TLSEngine, _ context: ChannelHandlerContext) {
        if let output = engine.takeOutput() { context.writeAndFlush(wrapOutboundOut(output), promise: nil) }
    }

    // MARK: End

    private func fail(_ error: TLSError, _ context: ChannelHandlerContext) {
        engine?.close()
        failPending(error)
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    private func failPending(_ error: any Error) {
        let writes = pending
        pending = []
        pendingBytes = 0
        for (_, promise) in writes { promise?.fail(error) }
    }
}
