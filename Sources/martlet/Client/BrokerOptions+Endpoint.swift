import ArgumentParser
import Core
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
        var transport = ClientTransport(host: hostName, port: url?.port ?? port)
        if url?.scheme.usesTLS == true || tls.isWanted { transport.tls = tls.configuration }
        if usesWebSocket || url?.scheme.usesWebSocket == true {
            transport.webSocketPath = webSocketPath ?? url?.path.map { "/" + $0 } ?? "/mqtt"
        }
        let context: TLSContext?
        do throws(TLSError) {
            context = try transport.tlsContext(now: SystemClock.wall())
        } catch {
            throw .file("\(error)")
        }
        var endpoint = transport.endpoint(context)
        if let unixSocket {
            do {
                endpoint.address = try ClientEndpoint.unixSocket(unixSocket).address
            } catch {
                throw .usage("--unix \(unixSocket): the path is too long for a Unix socket")
            }
        }
        endpoint.connectTimeout = .seconds(connectTimeout)
        return endpoint
    }

    /// The name that the broker is asked as; nil for none.
    var userName: String? { username ?? parsedURL?.userName }

    /// The password, from wherever it was given; nil for none.
    func readPassword() throws(ClientError) -> [UInt8]? {
        if let password { return Array(password.utf8) }
        if let passwordFile {
            do throws(SecretFile.Failure) {
                return try SecretFile.read(passwordFile)
            } catch {
                throw .file(error.description)
            }
        }
        if let url = parsedURL, let password = url.password { return Array(password.utf8) }
        return getenv("MARTLET_PASSWORD").map { Array(String(cString: $0).utf8) }
    }
}
