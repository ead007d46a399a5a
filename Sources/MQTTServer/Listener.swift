import Core
public import NIOCore
import NIOPosix
public import Security

/// A place where MQTT clients connect: a TCP port or a Unix socket, which carry an ordered stream of bytes without loss
/// [MQTT-4.2.0-1].
public struct Listener: Sendable {
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
    public var settings: ListenerSettings
    /// nil for a listener that does not speak TLS.
    public var tls: TLSContext?

    public init(place: Place, settings: ListenerSettings, tls: TLSContext? = nil) {
        self.place = place
        self.settings = settings
        self.tls = tls
    }

    /// Opens it. To be called on the shared event loop, on whose group; connections belong to that loop.
    ///
    /// - Parameter port: the channel of a listener that was closed and goes on here: its connections are this one's from now
    ///   on. Also after a failure: what cannot be opened here can then be opened where it was.
    /// - Parameter isAccepting: false for a port whose clients wait until it is told to accept: by `autoRead`.
    /// - Throws: the system's error if the address or the file cannot be bound; ``UnixSocketError``.
    public func open(
        group: any EventLoopGroup, shared: ServerContext, inPlaceOf port: (any Channel)? = nil, isAccepting: Bool = true
    ) -> EventLoopFuture<any Channel> {
        let before = port.flatMap { port in shared.listeners.first { $0.channel === port } }
        let listener = before ?? OpenListener(place: place, settings: settings, tls: tls, shared: shared)
        // Before the first connection can come: it must not find the settings that hold elsewhere.
        listener.move(to: self)
        let bound = NIOLoopBound(listener, eventLoop: shared.eventLoop)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .serverChannelOption(.autoRead, value: isAccepting)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let listener = bound.value
                    let pause = AcceptPause(logger: listener.shared.logger, listener: listener.settings.name)
                    try channel.pipeline.syncOperations.addHandlers([Acceptor(listener: listener), pause])
                }
            }
        let opening: EventLoopFuture<any Channel>
        switch place {
        case .network(let address, let port):
            opening = bootstrap
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                // Latency: what is flushed is a whole batch already, so Nagle's algorithm could only delay it. Linux hands
                // the option on to the sockets that are accepted, which saves a system call for each.
                .serverChannelOption(.socketOption(.tcp_nodelay), value: 1)
                .bind(host: address, port: port)
        case .unix(let path, let mode):
            do throws(UnixSocketError) {
                let file = try UnixSocketFile(path: path, mode: mode)
                opening = bootstrap.withBoundSocket(file.descriptor)
                opening.whenComplete { result in
                    switch result {
                    case .success(let channel): channel.closeFuture.whenComplete { _ in file.remove() }
                    case .failure: file.remove()
                    }
                }
            } catch {
                return shared.eventLoop.makeFailedFuture(error)
            }
        }
        return opening.map { channel in
            bound.value.hasOpened(on: channel)
            return channel
        }
    }
}

extension OpenListener {
    /// The port or socket is there.
    fileprivate func hasOpened(on channel: any Channel) {
        self.channel = channel
        shared.add(self)
    }

    /// Makes a connection of an accepted channel.
    ///
    /// - Throws: ``ListenerIsFull``, after which the channel is closed.
    func prepare(_ channel: any Channel) throws {
        guard hasRoom() else { throw ListenerIsFull() }
        // An idle connection holds a small receive buffer; a busy one gets up to 256 KiB. Each option is dear to set: those
        // that only a busy one needs come with ``MQTTConnection/expectMuch()``.
        try channel.syncOptions?.setOption(
            .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 512, maximum: 262_144))
        let pipeline = channel.pipeline.syncOperations
        let connection = MQTTConnection(listener: self)
        if settings.hasProxy { try pipeline.addHandler(ProxyProtocolHandler(connection: connection)) }
        if let tls { try pipeline.addHandler(TLSHandler(context: tls)) }
        if case .webSocket(let path) = settings.transport {
            try pipeline.addHandler(WebSocketHandler(listener: self, path: path))
        }
        try pipeline.addHandler(connection)
    }
}

/// There are as many connections as the listener may have.
private struct ListenerIsFull: Error {}
