import Core
public import NIOCore
import NIOPosix

/// A TCP port on which MQTT clients connect.
public struct Listener: Sendable {
    public var name: String
    public var address: String
    /// 1…65,535, or 0 for one that the system chooses.
    public var port: Int

    public init(name: String, address: String, port: Int) {
        self.name = name
        self.address = address
        self.port = port
    }

    /// Opens the port. To be called on the shared event loop's group; connections belong to that loop.
    ///
    /// - Throws: the system's error if the address cannot be bound.
    public func open(group: any EventLoopGroup, shared: ServerContext) -> EventLoopFuture<any Channel> {
        let bound = NIOLoopBound(shared, eventLoop: shared.eventLoop)
        let name = self.name
        return ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pause = AcceptPause(logger: bound.value.logger, listener: name)
                    try channel.pipeline.syncOperations.addHandler(pause)
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = MQTTConnection(shared: bound.value, listener: name)
                    try channel.pipeline.syncOperations.addHandler(connection)
                }
            }
            // Latency: what is flushed is a whole batch already, so Nagle's algorithm could only delay it.
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: false)
            // An idle connection holds no receive buffer; a busy one gets up to 64 KiB.
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 512, maximum: 65_536))
            .childChannelOption(
                .writeBufferWaterMark, value: ChannelOptions.Types.WriteBufferWaterMark(low: 64 * 1024, high: 256 * 1024))
            .bind(host: address, port: port)
    }
}
