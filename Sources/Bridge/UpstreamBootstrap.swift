import Glibc
import MQTTClient
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
        var endpoint = ClientEndpoint(address: .host(configuration.host, port: configuration.port))
        endpoint.connectTimeout = configuration.connectTimeout
        endpoint.prepareTransport = environment.prepareTransport
        return endpoint.connect(connection, on: eventLoop)
    }
}
