import Core
import MQTTClient
import NIOCore
import NIOPosix
import Security

/// Opening the way to the upstream without blocking the loop.
enum UpstreamBootstrap {
    /// What an attempt needs of the disk.
    struct Ready: Sendable {
        var password: [UInt8]?
        var endpoint: ClientEndpoint
        /// What can be used but should be mended, a sentence each.
        var warnings: [String] = []
    }

    /// Reads the password, certificates and keys on a thread for such work.
    ///
    /// - Returns: fails with ``UpstreamFailure``.
    static func prepare(
        _ configuration: BridgeConfiguration, server: ClientTransport, eventLoop: any EventLoop
    ) -> EventLoopFuture<Ready> {
        if configuration.passwordFile == nil, server.tls == nil {
            return eventLoop.makeSucceededFuture(
                Ready(password: nil, endpoint: endpoint(server, nil, configuration.connectTimeout)))
        }
        let (passwordFile, timeout) = (configuration.passwordFile, configuration.connectTimeout)
        return NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
            try read(passwordFile: passwordFile, server: server, connectTimeout: timeout)
        }
    }

    static func read(
        passwordFile: String?, server: ClientTransport, connectTimeout: Duration
    ) throws(UpstreamFailure) -> Ready {
        var password: [UInt8]?
        if let passwordFile {
            do throws(SecretFile.Failure) {
                password = try SecretFile.read(passwordFile)
            } catch {
                throw .passwordFile(error.description)
            }
        }
        do throws(TLSError) {
            let context = try server.tlsContext(now: SystemClock.wall())
            return Ready(
                password: password, endpoint: endpoint(server, context, connectTimeout),
                warnings: (passwordFile.map(SecretFile.warnings) ?? []) + (context?.warnings ?? []))
        } catch {
            throw .tls(error.description)
        }
    }

    private static func endpoint(_ server: ClientTransport, _ context: TLSContext?, _ timeout: Duration) -> ClientEndpoint {
        var endpoint = server.endpoint(context)
        endpoint.connectTimeout = timeout
        endpoint.webSocket?.timeout = timeout
        return endpoint
    }
}
