import Glibc
import NIOCore
import NIOPosix

/// Opening the way to the upstream without blocking the loop.
enum UpstreamBootstrap {
    /// Reads the password file on a thread for such work; nil if there is none.
    static func password(_ configuration: BridgeConfiguration, eventLoop: any EventLoop) -> EventLoopFuture<[UInt8]?> {
        guard let path = configuration.passwordFile else { return eventLoop.makeSucceededFuture(nil) }
        return NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { try readPassword(path) }
    }

    /// MQTT's limit of a password.
    private static let maximumPasswordLength = 65_535

    static func readPassword(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count <= maximumPasswordLength + 2 {
            let count = read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { throw IOError(errnoCode: errno, reason: path) }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard bytes.count <= maximumPasswordLength else { throw IOError(errnoCode: EFBIG, reason: path) }
        return bytes
    }

    /// Resolves the name and connects; the connection is in the channel's pipeline when it becomes active.
    static func connect(
        _ configuration: BridgeConfiguration, _ connection: UpstreamConnection<Bridge>, eventLoop: any EventLoop,
        environment: BridgeEnvironment
    ) -> EventLoopFuture<any Channel> {
        let connection = NIOLoopBound(connection, eventLoop: eventLoop)
        let prepareTransport = environment.prepareTransport
        return ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 512, maximum: 65_536))
            .channelOption(
                .writeBufferWaterMark, value: ChannelOptions.Types.WriteBufferWaterMark(low: 64 * 1024, high: 256 * 1024))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try prepareTransport?(channel)
                    try channel.pipeline.syncOperations.addHandler(connection.value)
                }
            }
            .connect(host: configuration.host, port: configuration.port)
    }

    /// A failure to connect in words for a person.
    static func text(_ error: any Error) -> String {
        guard let error = error as? NIOConnectionError else { return "\(error)" }
        if let first = error.connectionErrors.first { return "\(first.target): \(first.error)" }
        if error.dnsAError != nil || error.dnsAAAAError != nil { return "\(error.host) does not resolve" }
        return "\(error.host):\(error.port) cannot be reached"
    }
}
