import ArgumentParser
import Glibc
import MQTTClient
import MQTTCodec
import NIOCore
import Security

extension BrokerOptions {
    private var parsedURL: BrokerURL? { url.flatMap { BrokerURL($0) } }

    /// The topic of the URL, if it has one.
    var topicOfURL: String? { parsedURL.flatMap { $0.scheme.usesWebSocket ? nil : $0.path } }

    /// The name or address to connect to.
    private var hostName: String { parsedURL?.host ?? host ?? "localhost" }

    /// The way to the broker.
    ///
    /// - Throws: ``ClientError`` if it cannot be one.
    func endpoint() throws(ClientError) -> ClientEndpoint {
        let url = parsedURL
        let isWebSocket = usesWebSocket || url?.scheme.usesWebSocket == true
        let isSecure = url?.scheme.usesTLS == true || tls.isWanted
        var endpoint: ClientEndpoint
        if let unixSocket {
            do {
                endpoint = try ClientEndpoint.unixSocket(unixSocket)
            } catch {
                throw .usage("--unix \(unixSocket): the path is too long for a Unix socket")
            }
        } else {
            let usual = isWebSocket ? (isSecure ? 443 : 80) : (isSecure ? 8883 : 1883)
            endpoint = ClientEndpoint(address: .host(hostName, port: url?.port ?? port ?? usual))
        }
        endpoint.connectTimeout = .seconds(connectTimeout)
        if isSecure {
            let (context, name) = (try tls.context(), hostName)
            endpoint.prepareTransport = { channel in
                try channel.pipeline.syncOperations.addHandler(TLSHandler(context: context, serverName: name))
            }
        }
        if isWebSocket {
            let path = webSocketPath ?? url?.path.map { "/" + $0 } ?? "/mqtt"
            let port = url?.port ?? self.port
            endpoint.webSocket = WebSocketRequest(path: path, host: hostName + (port.map { ":\($0)" } ?? ""))
        }
        return endpoint
    }

    /// The name that the broker is asked as; nil for none.
    var userName: String? { username ?? parsedURL?.userName }

    /// The password, from wherever it was given; nil for none.
    func readPassword() throws(ClientError) -> [UInt8]? {
        if let password { return Array(password.utf8) }
        if let passwordFile {
            var bytes = try FileContent.read(passwordFile, limit: 65_537)
            if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
            guard bytes.count <= 65_535 else { throw .usage("\(passwordFile): a password has at most 65535 bytes") }
            return bytes
        }
        if let url = parsedURL, let password = url.password { return Array(password.utf8) }
        return getenv("MARTLET_PASSWORD").map { Array(String(cString: $0).utf8) }
    }
}
