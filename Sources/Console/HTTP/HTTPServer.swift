import Core
public import Logging
public import NIOCore
import NIOHTTP1
import NIOPosix

/// A small HTTP/1.1 server: metrics now, and what else the box shows on the web.
public struct HTTPServer: Sendable {
    public var address: String
    /// 1…65,535, or 0 for one that the system chooses.
    public var port: Int
    public var router: HTTPRouter
    public var limits: HTTPLimits
    private let logger: Logger

    public init(address: String, port: Int, router: HTTPRouter, limits: HTTPLimits = HTTPLimits(), logger: Logger) {
        self.address = address
        self.port = port
        self.router = router
        self.limits = limits
        self.logger = logger
    }

    /// Opens the port; connections belong to loops of the group.
    ///
    /// - Throws: the system's error if the address cannot be bound.
    public func open(group: any EventLoopGroup) -> EventLoopFuture<any Channel> {
        let server = self
        let gate = ConnectionGate(maximum: limits.maximumConnections)
        return ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(logger: server.logger))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // One more than there may be is closed before anything of it is read.
                    guard gate.enter() else { throw TooManyConnections() }
                    channel.closeFuture.whenComplete { _ in gate.leave() }
                    try server.configure(channel.pipeline.syncOperations)
                }
            }
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .bind(host: address, port: port)
    }

    /// Puts the handlers of a connection into its pipeline.
    func configure(_ pipeline: ChannelPipeline.SynchronousOperations) throws {
        let connection = HTTPConnection(router: router, limits: limits)
        try pipeline.addHandler(HeadLimit(connection: connection))
        try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: true)
        try pipeline.addHandler(connection)
    }
}

private struct TooManyConnections: Error {}
