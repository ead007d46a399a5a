import NIOCore
import NIOHTTP1
import NIOWebSocket

/// MQTT in a WebSocket (MQTT 5.0 §6): what the opening handshake asks for.
public struct WebSocketRequest: Sendable, Equatable {
    /// The path of the request, `/mqtt` at most brokers.
    public var path: String
    /// The Host header: the broker's name as the user knows it.
    public var host: String
    /// Time for the handshake.
    public var timeout = Duration.seconds(10)

    public init(path: String = "/mqtt", host: String) {
        self.path = path
        self.host = host
    }

    /// Puts into the pipeline what makes the handshake, and after it what carries the connection.
    func prepare(_ channel: any Channel, for connection: NIOLoopBound<ClientConnection>) throws {
        let handshake = WebSocketHandshake(request: self, connection: connection.value)
        let boundHandshake = NIOLoopBound(handshake, eventLoop: channel.eventLoop)
        let upgrader = NIOWebSocketClientUpgrader(
            maxFrameSize: Int(UInt32.max), automaticErrorHandling: false,
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    boundHandshake.value.isDone = true
                    try channel.pipeline.syncOperations.addHandlers([WebSocketTransport(), connection.value])
                }
            })
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHTTPClientHandlers(
            leftOverBytesStrategy: .forwardBytes,
            withClientUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in
                    context.pipeline.syncOperations.removeHandler(boundHandshake.value, promise: nil)
                }
            ))
        try pipeline.addHandler(handshake)
    }
}

/// Asks for the WebSocket, and tells the connection if there will be none.
private final class WebSocketHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: WebSocketRequest
    private let connection: ClientConnection
    private var timer: Scheduled<Void>?
    var isDone = false

    init(request: WebSocketRequest, connection: ClientConnection) {
        self.request = request
        self.connection = connection
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { start(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    private func start(_ context: ChannelHandlerContext) {
        guard timer == nil else { return }
        // [MQTT-6.0.0-3] the subprotocol is mqtt.
        let headers: HTTPHeaders = ["Host": request.host, "Sec-WebSocket-Protocol": "mqtt"]
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: request.path, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(request.timeout)) { [weak self] in
            self?.fail("the WebSocket handshake was not answered", context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Only what is no upgrade comes here.
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        fail("the server answers \(head.status.code) \(head.status.reasonPhrase) to the WebSocket handshake", context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail("closed during the WebSocket handshake", context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let words = ClientEndpoint.words(error)
        fail(error is IOError ? "the WebSocket handshake failed: \(words)" : words, context)
    }

    private func fail(_ reason: String, _ context: ChannelHandlerContext) {
        guard !isDone else { return }
        isDone = true
        connection.transportFailed(reason)
        context.close(promise: nil)
    }
}

/// Between the frames of a WebSocket and the stream of MQTT packets.
private final class WebSocketTransport: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = WebSocketFrame

    private var hasSaidClose = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary, .continuation:
            // [MQTT-6.0.0-2] packets need not begin and end where frames do.
            context.fireChannelRead(wrapInboundOut(frame.unmaskedData))
        case .ping:
            send(.pong, frame.unmaskedData, context)
        case .connectionClose:
            sayClose(context)
            context.close(promise: nil)
        case .pong:
            break
        default:
            // [MQTT-6.0.0-1] MQTT goes in binary frames.
            context.close(promise: nil)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let frame = WebSocketFrame(fin: true, opcode: .binary, maskKey: .random(), data: unwrapOutboundIn(data))
        context.write(wrapOutboundOut(frame), promise: promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        sayClose(context)
        context.close(mode: mode, promise: promise)
    }

    private func sayClose(_ context: ChannelHandlerContext) {
        guard !hasSaidClose, context.channel.isActive else { return }
        hasSaidClose = true
        var reason = ByteBuffer()
        // 1000: normal closure.
        reason.writeInteger(1000 as UInt16)
        send(.connectionClose, reason, context)
    }

    private func send(_ opcode: WebSocketOpcode, _ data: ByteBuffer, _ context: ChannelHandlerContext) {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }
}
