import Core
import NIOCore
import Security
import TestSupport
import Testing

/// An authority, a server certificate and a client certificate in files, and the settings that use them.
final class TLSFixture {
    let folder = TestFolder()
    let authority = TestAuthority()
    let clientCertificate: TestCertificate
    let authorityFile: String
    var server: TLSServerConfiguration
    var client: TLSClientConfiguration

    init() {
        authorityFile = folder.write("ca.pem", authority.pem)
        clientCertificate = authority.issue(
            [("O", "Works"), ("CN", "pump-7")], names: "DNS:pump-7.example.com,email:pump@example.com,IP:192.0.2.7")
        server = TLSServerConfiguration()
        client = TLSClientConfiguration(trust: .file(authorityFile))
        server.certificate = files("server", authority.issue([("CN", "server")], names: "DNS:localhost,IP:127.0.0.1"))
    }

    /// Writes a certificate and its key.
    func files(_ name: String, _ certificate: TestCertificate) -> TLSCertificateFiles {
        TLSCertificateFiles(
            certificateFile: folder.write("\(name).pem", certificate.pem),
            keyFile: folder.write("\(name).key", certificate.keyPEM))
    }

    func useClientCertificate(_ mode: TLSServerConfiguration.ClientCertificate = .required) {
        server.clientCAFile = authorityFile
        server.clientCertificate = mode
        client.certificate = files("client", clientCertificate)
    }

    func serverContext() throws(TLSError) -> TLSContext { try TLSContext(server: server, now: SystemClock.wall()) }

    func clientContext() throws(TLSError) -> TLSContext { try TLSContext(client: client, now: SystemClock.wall()) }

    /// Both ends of one connection, before the handshake.
    func pair(serverName: String? = "localhost") throws -> TLSPair {
        try TLSPair(
            server: TLSEngine(context: serverContext()), client: TLSEngine(context: clientContext(), serverName: serverName))
    }

    /// The reason why a server is refused; fails if it is not.
    func serverMistake(_ location: SourceLocation = #_sourceLocation) -> String {
        do throws(TLSError) {
            _ = try serverContext()
            Issue.record("the settings were taken", sourceLocation: location)
            return ""
        } catch {
            guard case .configuration(let text) = error else {
                Issue.record("\(error)", sourceLocation: location)
                return ""
            }
            return text
        }
    }
}

/// Two engines, and what is under way between them.
struct TLSPair {
    let server: TLSEngine
    let client: TLSEngine
    /// What each has received.
    var atServer: [UInt8] = []
    var atClient: [UInt8] = []

    init(server: TLSEngine, client: TLSEngine) {
        self.server = server
        self.client = client
    }

    /// Carries bytes both ways until neither has more to say.
    ///
    /// - Parameter piece: bytes that arrive at once.
    mutating func exchange(piece: Int = .max) throws(TLSError) {
        try client.start()
        var isIdle = false
        while !isIdle {
            isIdle = true
            if let output = client.takeOutput() {
                isIdle = false
                for part in output.bytes.pieces(of: min(piece, output.readableBytes)) { atServer += try server.receive(part) }
            }
            if let output = server.takeOutput() {
                isIdle = false
                for part in output.bytes.pieces(of: min(piece, output.readableBytes)) { atClient += try client.receive(part) }
            }
        }
    }
}

extension ByteBuffer {
    var bytes: [UInt8] { Array(readableBytesView) }
}

extension TLSEngine {
    func receive(_ bytes: [UInt8]) throws(TLSError) -> [UInt8] {
        var plaintext = ByteBuffer()
        var failure: TLSError?
        bytes.withUnsafeBytes { bytes in
            do throws(TLSError) { try receive(bytes, into: &plaintext) } catch { failure = error }
        }
        if let failure { throw failure }
        return plaintext.bytes
    }

    func send(_ bytes: [UInt8]) throws(TLSError) {
        var failure: TLSError?
        bytes.withUnsafeBytes { bytes in
            do throws(TLSError) { try send(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
