import Glibc
public import NIOCore
import NIOPosix

/// Where a broker is, and how it is reached.
public struct ClientEndpoint: Sendable {
    public enum Address: Sendable, Equatable {
        case host(String, port: Int)
        /// What a name resolved to, or the path of a Unix socket.
        case socket(SocketAddress)
    }

    public var address: Address
    /// Time for the transport to be there.
    public var connectTimeout = Duration.seconds(10)
    /// Bytes of the first receive buffer; it grows to 64 KiB with what arrives.
    public var receiveBuffer = 512
    /// Bytes that may wait to be written before the connection is not writable; it is again at a quarter of them.
    public var writeBuffer = 256 * 1024
    /// What stands in the pipeline between the socket and the rest, a TLS handler for instance.
    public var prepareTransport: (@Sendable (_ channel: any Channel) throws -> Void)?
    /// MQTT goes in a WebSocket; nil for MQTT right in the transport.
    public var webSocket: WebSocketRequest?

    public init(address: Address) { self.address = address }

    public static func unixSocket(_ path: String) throws -> ClientEndpoint {
        ClientEndpoint(address: .socket(try SocketAddress(unixDomainSocketPath: path)))
    }

    /// Resolves the name, if it is one, and connects; the connection is in the channel's pipeline when it can send. It is
    /// told what happens from then on, and the future what happens before.
    ///
    /// To be called on the event loop. The future fails with whatever was in the way; ``text(_:)`` says it in words.
    public func connect(_ connection: ClientConnection, on eventLoop: any EventLoop) -> EventLoopFuture<any Channel> {
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        let (prepareTransport, webSocket) = (prepareTransport, webSocket)
        var bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(connectTimeout))
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 256, initial: max(256, min(receiveBuffer, 65_536)), maximum: 65_536)
            )
            .channelOption(
                .writeBufferWaterMark,
                value: ChannelOptions.Types.WriteBufferWaterMark(low: max(1, writeBuffer / 4), high: max(4, writeBuffer)))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try prepareTransport?(channel)
                    if let webSocket {
                        try webSocket.prepare(channel, for: bound)
                    } else {
                        try channel.pipeline.syncOperations.addHandler(bound.value)
                    }
                }
            }
        if case .socket(.unixDomainSocket) = address {} else {
            bootstrap =
                bootstrap
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .channelOption(.socketOption(.so_keepalive), value: 1)
        }
        return switch address {
        case .host(let name, let port): bootstrap.connect(host: name, port: port)
        case .socket(let address): bootstrap.connect(to: address)
        }
    }

    /// Connects and closes the connection at once, without a word to the server: whether anybody is there.
    public func probe(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(TimeAmount(connectTimeout))
        let channel =
            switch address {
            case .host(let name, let port): bootstrap.connect(host: name, port: port)
            case .socket(let address): bootstrap.connect(to: address)
            }
        return channel.flatMap { $0.close() }
    }

    /// A failure to connect in words for a person.
    public static func text(_ error: any Error) -> String {
        guard let error = error as? NIOConnectionError else { return words(error) }
        if let first = error.connectionErrors.first {
            let place = first.target.ipAddress.map { "\($0):\(first.target.port ?? error.port)" } ?? "\(first.target)"
            return "\(place): \(words(first.error))"
        }
        if error.dnsAError != nil || error.dnsAAAAError != nil { return "\(error.host) does not resolve" }
        return "\(error.host):\(error.port) cannot be reached"
    }

    /// What the system says, without where in this program it was noticed.
    static func words(_ error: any Error) -> String {
        if let error = error as? IOError, error.errnoCode != 0 { return String(cString: strerror(error.errnoCode)) }
        if let error = error as? ChannelError, case .connectTimeout = error { return "no answer in time" }
        return "\(error)"
    }
}
