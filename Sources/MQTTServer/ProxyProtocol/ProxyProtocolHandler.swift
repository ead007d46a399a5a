import Logging
import NIOCore

/// Takes the PROXY header from the start of a connection and tells the connection where its client is; then it goes.
///
/// The time that it may take is part of the connect timeout. Belongs to the channel's event loop.
final class ProxyProtocolHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: MQTTConnection
    private var begun: ByteBuffer?
    private var isRefused = false

    init(connection: MQTTConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isRefused { return }
        var bytes = unwrapInboundIn(data)
        if var earlier = begun {
            earlier.writeBuffer(&bytes)
            bytes = earlier
        }
        switch bytes.withUnsafeReadableBytes({ ProxyHeader.read($0) }) {
        case .needMoreBytes:
            // Fewer than a header has at the most. A copy: what came is a part of the receive buffer.
            begun = ByteBuffer(bytes: bytes.readableBytesView)
        case .refused(let reason):
            isRefused = true
            connection.log(.notice, "refused a connection whose PROXY header is wrong", reason)
            context.close(promise: nil)
        case .read(let source, let length):
            begun = nil
            let address: SocketAddress? = if case .client(let address) = source { address } else { context.channel.remoteAddress }
            guard connection.comes(from: address) else { return context.close(promise: nil) }
            bytes.moveReaderIndex(forwardBy: length)
            if bytes.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(bytes)) }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
    }
}
