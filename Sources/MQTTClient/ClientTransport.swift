public import Core
import NIOCore
public import Security

/// How a broker is reached, as a person says it: what the command line and the bridges have in common.
public struct ClientTransport: Sendable, Equatable {
    /// Name or address.
    public var host: String
    /// nil for the one that is usual: 1883, 8883 with TLS, 80 and 443 with WebSocket.
    public var port: Int?
    /// nil for no TLS.
    public var tls: TLSClientConfiguration?
    /// The name that the server's certificate has to be for, and that the server is told; nil for the host.
    public var serverName: String?
    /// Where the WebSocket is; nil for MQTT without one.
    public var webSocketPath: String?

    public init(host: String, port: Int? = nil) {
        self.host = host
        self.port = port
    }

    /// The port to connect to.
    public var usedPort: Int {
        port ?? (webSocketPath == nil ? (tls == nil ? 1883 : 8883) : (tls == nil ? 80 : 443))
    }

    /// What all connections to the broker have in common; nil without TLS. Reads the files anew, so it may wait for a disk.
    ///
    /// - Throws: ``Security/TLSError/configuration(_:)``, which names the file and what to do.
    public func tlsContext(now: Timestamp) throws(TLSError) -> TLSContext? {
        guard let tls else { return nil }
        return try TLSContext(client: tls, now: now)
    }

    /// The way to the broker.
    ///
    /// - Parameter context: of ``tlsContext(now:)``.
    public func endpoint(_ context: TLSContext?) -> ClientEndpoint {
        var endpoint = ClientEndpoint(address: .host(host, port: usedPort))
        if let context {
            let name = serverName ?? host
            endpoint.prepareTransport = { channel in
                try channel.pipeline.syncOperations.addHandler(TLSHandler(context: context, serverName: name))
            }
        }
        if let path = webSocketPath {
            let name = host.contains(":") ? "[\(host)]" : host
            // RFC 9112 §3.2: without the port if it is the scheme's.
            let isUsual = usedPort == (tls == nil ? 80 : 443)
            endpoint.webSocket = WebSocketRequest(path: path, host: isUsual ? name : "\(name):\(usedPort)")
        }
        return endpoint
    }
}
