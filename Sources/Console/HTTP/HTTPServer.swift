import Core
public import Logging
public import NIOCore
import NIOHTTP1
import NIOPosix

/// A small HTTP/1.1 server: metrics now, and what else the box shows on the web.
public struct HTTPServer: Sendable {
    public enum Place: Sendable, Equatable, CustomStringConvertible {
        /// - port: 1…65,535, or 0 for one that the system chooses.
        case network(address: String, port: Int)
        /// - mode: permissions of the socket's file.
        case unix(path: String, mode: UInt32)

        public var description: String {
            switch self {
            case .network(let address, let port): "\(address):\(port)"
            case .unix(let path, _): path
            }
        }
    }

    public var place: Place
    public var router: HTTPRouter
    public var limits: HTTPLimits
    private let logger: Logger

    public init(place: Place, router: HTTPRouter, limits: HTTPLimits = HTTPLimits(), logger: Logger) {
        self.place = place
        self.router = router
        self.limits = limits
        self.logger = logger
    }

    /// Opens the port or the socket; connections belong to loops of the group.
    ///
    /// - Throws: the system's error if the address or the file cannot be bound; ``Core/UnixSocketError``.
    public func open(group: any EventLoopGroup) -> EventLoopFuture<any Channel> {
        let server = self
        let gate = ConnectionGate(maximum: limits.maximumConnections)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
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
        switch place {
        case .network(let address, let port):
            return bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
                .bind(host: address, port: port)
        case .unix(let path, let mode):
            do throws(UnixSocketError) {
                let file = try UnixSocketFile(path: path, mode: mode)
                let opening = bootstrap.withBoundSocket(file.descriptor)
                opening.whenComplete { result in
                    switch result {
                    case .success(let channel): channel.closeFuture.whenComplete { _ in file.remove() }
                    case .failure: file.remove()
                    }
                }
                return opening
            } catch {
                return group.next().makeFailedFuture(error)
            }
        }
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
