import Core
import NIOCore
import Security
import TestSupport
import Testing

/// What a client says of a handshake that failed.
@Suite("TLS reasons")
struct TLSReasonTests {
    private func refusal(_ fixture: TLSFixture, serverName: String = "localhost") throws -> String {
        var pair = try fixture.pair(serverName: serverName)
        let error = #expect(throws: TLSError.self) { try pair.exchange() }
        return "\(try #require(error))"
    }

    @Test("an expired certificate is named with its time")
    func expired() throws {
        let fixture = TLSFixture()
        let old = fixture.authority.issue([("CN", "broker.example.com")], names: "DNS:localhost", valid: -7200 ... -1)
        fixture.server.certificate = fixture.files("old", old)
        // The server has had it for an hour.
        let before = Timestamp(milliseconds: SystemClock.wall().milliseconds - 3_600_000)
        let server = try TLSContext(server: fixture.server, now: before)
        var pair = TLSPair(
            server: try TLSEngine(context: server),
            client: try TLSEngine(context: fixture.clientContext(), serverName: "localhost"))
        let error = #expect(throws: TLSError.self) { try pair.exchange() }
        let text = "\(try #require(error))"
        #expect(text.contains("the server's certificate CN=broker.example.com has expired at"))
    }

    @Test("a certificate of another name is told with both names")
    func otherName() throws {
        let text = try refusal(TLSFixture(), serverName: "broker.example.com")
        #expect(text.hasSuffix("the name does not match: the server's certificate CN=server is for localhost, 127.0.0.1, not for broker.example.com"))
    }

    @Test("an authority that is not trusted is named")
    func otherAuthority() throws {
        let fixture = TLSFixture()
        fixture.client.trust = .file(fixture.folder.write("other.pem", TestAuthority("Other").pem))
        #expect(try refusal(fixture).contains("comes from an authority that is not trusted here, CN=Test Authority"))
    }

    @Test("without verification anybody is the server, with a warning")
    func unverified() throws {
        let fixture = TLSFixture()
        fixture.client.trust = .file(fixture.folder.write("other.pem", TestAuthority("Other").pem))
        fixture.client.verifiesCertificate = false
        var pair = try fixture.pair(serverName: "example.com")
        try pair.exchange()
        #expect(pair.client.state == .open)
        #expect(try fixture.clientContext().warnings.contains { $0.contains("without verification") })
    }

    @Test("a client hears that a certificate is wanted of it", arguments: [TLSVersion.v12, .v13])
    func certificateWanted(version: TLSVersion) throws {
        let fixture = TLSFixture()
        fixture.useClientCertificate()
        fixture.client.certificate = nil
        fixture.client.maximumVersion = version
        #expect(try fixture.clientRefusal().hasSuffix("the server wants a client certificate"))
    }

    @Test("a client hears that its certificate is not believed")
    func untrustedClient() throws {
        let fixture = TLSFixture()
        fixture.useClientCertificate()
        fixture.client.certificate = fixture.files("other", TestAuthority("Other").issue([("CN", "pump-7")]))
        #expect(try fixture.clientRefusal().hasSuffix("the server does not trust the authority of our certificate"))
    }

    @Test("a client hears that no version, protocol name or key is common to both")
    func nothingInCommon() throws {
        let versions = TLSFixture()
        versions.server.minimumVersion = .v13
        versions.client.maximumVersion = .v12
        #expect(try versions.clientRefusal().hasSuffix("the server speaks no version of TLS that we do"))
        let protocols = TLSFixture()
        protocols.server.alpn = ["mqtt"]
        protocols.client.alpn = ["h2"]
        #expect(try protocols.clientRefusal().hasSuffix("the server takes none of our application protocols (ALPN)"))
    }

    @Test("a server that does not speak TLS is told as such")
    func noTLS() throws {
        let client = try TLSEngine(context: TLSFixture().clientContext(), serverName: "localhost")
        try client.start()
        let error = #expect(throws: TLSError.self) { _ = try client.receive(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)) }
        #expect("\(try #require(error))".hasSuffix("the server does not speak TLS at this port"))
    }

    @Test("a key is found in its file by its identity")
    func keyFile() throws {
        let fixture = TLSFixture()
        let file = fixture.folder.write("psk", "meter-1:00112233445566778899aabbccddeeff\nmeter-2:ffeeddccbbaa99887766554433221100\n")
        fixture.server.certificate = nil
        fixture.server.pskFile = file
        fixture.client.preSharedKey = .init(identity: "meter-2", file: file)
        var pair = try fixture.pair()
        try pair.exchange()
        #expect(pair.server.peer?.pskIdentity == "meter-2")
        let other = fixture.folder.write("other", "meter-2:00000000000000000000000000000000\n")
        fixture.client.preSharedKey = .init(identity: "meter-2", file: other)
        #expect(try fixture.clientRefusal().hasSuffix("the server has another pre-shared key"))
        fixture.client.preSharedKey = .init(identity: "meter-3", file: file)
        #expect(throws: TLSError.configuration("\(file): holds no key of the identity \"meter-3\"")) { try fixture.clientContext() }
    }

    @Test("a secret is its file without the line end")
    func secret() throws {
        let folder = TestFolder()
        #expect(try SecretFile.read(folder.write("a", "secret\r\n")) == Array("secret".utf8))
        #expect(try SecretFile.read(folder.write("b", "secret\n\n")) == Array("secret\n".utf8))
        #expect(throws: SecretFile.Failure.self) { try SecretFile.read(folder.path + "/missing") }
        #expect(throws: SecretFile.Failure.self) { try SecretFile.read(folder.write("long", "1234567"), limit: 6) }
        #expect(try SecretFile.read(folder.write("fits", "123456\r\n"), limit: 6).count == 6)
    }

    @Test("a secret that everybody can read is worth a warning")
    func readableSecret() throws {
        let folder = TestFolder()
        #expect(SecretFile.warnings(folder.write("a", "x", mode: 0o644)).count == 1)
        #expect(SecretFile.warnings(folder.write("b", "x", mode: 0o600)).isEmpty)
    }
}

extension TLSFixture {
    /// What the client says when the server has refused it.
    fileprivate func clientRefusal() throws -> String {
        let pair = try pair()
        try pair.client.start()
        while let bytes = pair.client.takeOutput() {
            // The server's own reason is of no interest here, its alert is.
            _ = try? pair.server.receive(bytes.bytes)
            guard let answer = pair.server.takeOutput() else { break }
            do throws(TLSError) { _ = try pair.client.receive(answer.bytes) } catch { return error.description }
        }
        return ""
    }
}
