import Core
import NIOCore
import NIOHTTP1

/// One HTTP/1.1 connection: collects a request, has it answered, and writes the response.
///
/// `HTTPServerPipelineHandler` stands before it, so there is one request at a time. Belongs to the channel's event loop.
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let router: HTTPRouter
    private let limits: HTTPLimits
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var isEnding = false
    private var deadline: Scheduled<Void>?
    /// Bytes that came since the last head was complete; counted by ``HeadLimit``.
    fileprivate var headBytes = 0

    init(router: HTTPRouter, limits: HTTPLimits) {
        self.router = router
        self.limits = limits
    }

    func channelActive(context: ChannelHandlerContext) {
        restartDeadline(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isEnding = true
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnding else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            headBytes = 0
            self.head = head
            body.clear()
        case .body(var part):
            headBytes = 0
            guard body.readableBytes + part.readableBytes <= limits.maximumBodySize else {
                return refuse(context, .payloadTooLarge)
            }
            body.writeBuffer(&part)
        case .end:
            headBytes = 0
            guard let head else { return }
            self.head = nil
            answer(HTTPRequest(head: head, body: body), keepAlive: head.isKeepAlive, context)
            body = ByteBuffer()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What cannot be parsed has been answered with 400 by NIO's handler.
        end(context)
    }

    /// Bytes that a head may have.
    fileprivate var maximumHeadSize: Int { limits.maximumHeadSize }

    /// A request is being answered: another response would come into it.
    fileprivate private(set) var isAnswering = false

    // MARK: Answer

    private func answer(_ request: HTTPRequest, keepAlive: Bool, _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((connection: self, context: context), eventLoop: context.eventLoop)
        let isHead = request.method == .HEAD
        isAnswering = true
        router.respond(to: request, on: context.eventLoop).hop(to: context.eventLoop).whenComplete { result in
            let (connection, context) = bound.value
            let response = (try? result.get()) ?? HTTPResponse(status: .internalServerError)
            connection.write(response, isHead: isHead, keepAlive: keepAlive, context)
        }
    }

    private func write(_ response: HTTPResponse, isHead: Bool, keepAlive: Bool, _ context: ChannelHandlerContext) {
        guard !isEnding else { return }
        isAnswering = false
        restartDeadline(context)
        var headers = response.headers
        headers.replaceOrAdd(name: "Content-Length", value: "\(response.body.count)")
        headers.replaceOrAdd(name: "Date", value: HTTPDate.text(SystemClock.wall()))
        headers.replaceOrAdd(name: "X-Content-Type-Options", value: "nosniff")
        // For HTTP/1.0, where to keep a connection is not what is done unless it is said.
        headers.replaceOrAdd(name: "Connection", value: keepAlive ? "keep-alive" : "close")
        let head = HTTPResponseHead(version: .http1_1, status: response.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead, !response.body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: response.body)))), promise: nil)
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
        guard !keepAlive else { return }
        isEnding = true
        let bound = NIOLoopBound((connection: self, context: context), eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in bound.value.connection.end(bound.value.context) }
    }

    /// The request cannot be taken: says so, and ends the connection without reading the rest.
    private func refuse(_ context: ChannelHandlerContext, _ status: HTTPResponseStatus) {
        guard !isEnding else { return }
        head = nil
        body = ByteBuffer()
        write(HTTPResponse(status: status), isHead: false, keepAlive: false, context)
    }

    private func end(_ context: ChannelHandlerContext) {
        isEnding = true
        deadline?.cancel()
        context.close(promise: nil)
    }

    private func restartDeadline(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let bound = NIOLoopBound((connection: self, context: context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: limits.timeout) {
            let (connection, context) = bound.value
            connection.end(context)
        }
    }
}

/// Counts the bytes before a request's head is complete, in front of the decoder, which would collect them without end.
///
/// Belongs to the channel's event loop.
final class HeadLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let connection: HTTPConnection
    private var isExceeded = false

    init(connection: HTTPConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isExceeded else { return }
        connection.headBytes += unwrapInboundIn(data).readableBytes
        context.fireChannelRead(data)
        guard connection.headBytes > connection.maximumHeadSize else { return }
        isExceeded = true
        if !connection.isAnswering {
            // Straight to the socket: to the handlers between there is no request yet that could be answered.
            let response = "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: response)), promise: nil)
        }
        context.close(promise: nil)
    }
}
