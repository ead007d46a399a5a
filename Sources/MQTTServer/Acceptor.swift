import NIOCore

/// Makes connections of accepted channels, and hands them to the accepting channel at once.
///
/// The bootstrap has a handler of its own for that, which makes a chain of futures for each of them: half as dear again as
/// what it leads to. What is ready leaves behind that handler.
///
///     accepted ──> Acceptor ─┐  AcceptPause   the bootstrap's handler   ┌─> Exit ──> registered, active
///                            └──────────────────────────────────────────┘
///
/// Belongs to the server channel's event loop, which is that of the connections too.
final class Acceptor: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private final class Exit: ChannelInboundHandler {
        typealias InboundIn = any Channel

        private(set) var context: ChannelHandlerContext?

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }

        func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }
    }

    private let listener: OpenListener
    private let exit = Exit()

    init(listener: OpenListener) { self.listener = listener }

    func channelActive(context: ChannelHandlerContext) {
        // All the others are there by now, and nothing has been accepted yet.
        do {
            try context.pipeline.syncOperations.addHandler(exit)
        } catch {
            context.fireErrorCaught(error)
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = unwrapInboundIn(data)
        guard let exit = exit.context, (try? listener.prepare(channel)) != nil else { return channel.close(promise: nil) }
        exit.fireChannelRead(data)
    }
}
