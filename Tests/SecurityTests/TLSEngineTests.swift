import Core
import NIOCore
import Security
import TestSupport
import Testing

/// Two engines that speak to each other without a network.
@Suite("TLS engine")
struct TLSEngineTests {
    @Test("both ends agree and exchange data, whatever the version", arguments: [TLSVersion.v12, .v13])
    func data(version: TLSVersion) throws {
        let fixture = TLSFixture()
        fixture.client.maximumVersion = version
        var pair = try fixture.pair()
        try pair.exchange()
        #expect(pair.server.state == .open && pair.client.state == .open)
        #expect(pair.server.peer?.version == version)
        #expect(pair.server.peer?.serverName == "localhost")
        #expect(pair.server.peer?.subject == nil)
        #expect(pair.client.peer?.commonName == "server")
        var random = SeededRandom(seed: 1)
        for count in [1, 100, 16_384, 16_385, 200_000] {
            let bytes = random.bytes(count)
            try pair.client.send(bytes)
            try pair.server.send(bytes)
            try pair.exchange(piece: 1000)
            #expect(pair.atServer == bytes)
            #expect(pair.atClient == bytes)
            (pair.atServer, pair.atClient) = ([], [])
        }
    }

    @Test("a handshake that comes byte by byte succeeds")
    func drip() throws {
        let fixture = TLSFixture()
        fixture.useClientCertificate()
        var pair = try fixture.pair()
        try pair.exchange(piece: 1)
        #expect(pair.server.peer?.commonName == "pump-7")
        try pair.client.send([1, 2, 3])
        try pair.exchange(piece: 1)
        #expect(pair.atServer == [1, 2, 3])
    }

    @Test("one side's goodbye ends the other")
    func goodbye() throws {
        var pair = try TLSFixture().pair()
        try pair.exchange()
        try pair.client.send([7])
        pair.client.close()
        try pair.exchange()
        #expect(pair.atServer == [7])
        #expect(pair.server.state == .closed)
        #expect(throws: TLSError.self) { try pair.server.send([1]) }
        // What comes afterwards is ignored.
        #expect(try pair.server.receive([1, 2, 3]) == [])
    }

    // MARK: Certificates

    @Test("a client certificate is told with its names")
    func clientCertificate() throws {
        let fixture = TLSFixture()
        fixture.useClientCertificate()
        var pair = try fixture.pair()
        try pair.exchange()
        let peer = try #require(pair.server.peer)
        #expect(peer.subject == "CN=pump-7,O=Works")
        #expect(peer.commonName == "pump-7")
        #expect(
            peer.subjectAlternativeNames
                == [.dns("pump-7.example.com"), .email("pump@example.com"), .ip([192, 0, 2, 7])])
        #expect(peer.certificateFingerprint?.count == 32)
        #expect(peer.pskIdentity == nil)
    }

    @Test("without a certificate a client is refused where one is required, and told so")
    func requiredCertificate() throws {
        let fixture = TLSFixture()
        fixture.useClientCertificate()
        fixture.client.certificate = nil
        #expect(try refusal(fixture).contains("peer did not return a certificate"))
    }

    @Test("where a certificate is optional, one may be missing but not be wrong")
    func optionalCertificate() throws {
        let fixture = TLSFixture()
        fixture.useClientCertificate(.optional)
        let own = fixture.client.certificate
        fixture.client.certificate = nil
        var pair = try fixture.pair()
        try pair.exchange()
        #expect(pair.server.peer?.subject == nil)
        fixture.client.certificate = own
        pair = try fixture.pair()
        try pair.exchange()
        #expect(pair.server.peer?.commonName == "pump-7")
        fixture.client.certificate = fixture.files("other", TestAuthority("Other").issue([("CN", "pump-7")]))
        #expect(try refusal(fixture).contains("unable to get local issuer certificate"))
    }

    @Test("a client certificate that has expired since is refused by its name")
    func expiredClient() throws {
        let fixture = TLSFixture()
        fixture.useClientCertificate()
        fixture.client.certificate = fixture.files("client", fixture.authority.issue([("CN", "late")], valid: -3000 ... -10))
        // The client's clock is slow.
        let past = Timestamp(milliseconds: SystemClock.wall().milliseconds - 1_000_000)
        let client = try TLSContext(client: fixture.client, now: past)
        var pair = try TLSPair(
            server: TLSEngine(context: fixture.serverContext()), client: TLSEngine(context: client, serverName: "localhost"))
        let error = #expect(throws: TLSError.self) { try pair.exchange() }
        #expect("\(try #require(error))".contains("CN=late: certificate has expired"))
    }

    @Test("a revoked client certificate is refused, another one of the same authority is not")
    func revoked() throws {
        let fixture = TLSFixture()
        fixture.useClientCertificate()
        let other = fixture.authority.issue([("CN", "pump-8")])
        fixture.server.crlFile = fixture.folder.write("crl.pem", fixture.authority.revocationList(of: [other]))
        var pair = try fixture.pair()
        try pair.exchange()
        #expect(pair.server.peer?.commonName == "pump-7")
        fixture.client.certificate = fixture.files("client", other)
        #expect(try refusal(fixture).contains("CN=pump-8: certificate revoked"))
    }

    @Test("the certificate is chosen by the host name that the client asks for", arguments: [
        ("localhost", "server"), ("a.example.com", "a"), ("A.Example.com", "a"), ("b.example.com", "wild"),
        ("b.a.example.com", nil),
    ] as [(String, String?)])
    func serverNames(host: String, commonName: String?) throws {
        let fixture = TLSFixture()
        let named = fixture.authority.issue([("CN", "a")], names: "DNS:a.example.com")
        let wild = fixture.authority.issue([("CN", "wild")], names: "DNS:*.example.com")
        fixture.server.serverNames = [
            "a.example.com": fixture.files("a", named), "*.example.com": fixture.files("wild", wild),
        ]
        fixture.server.alpn = ["mqtt"]
        fixture.client.alpn = ["mqtt"]
        if let commonName {
            var pair = try fixture.pair(serverName: host)
            try pair.exchange()
            #expect(pair.client.peer?.commonName == commonName)
            #expect(pair.client.peer?.applicationProtocol == "mqtt")
        } else {
            #expect(try refusal(fixture, serverName: host).contains("the name does not match"))
        }
    }

    @Test("a client refuses a server of another name, address or authority")
    func wrongServer() throws {
        let fixture = TLSFixture()
        #expect(try refusal(fixture, serverName: "example.com").contains("the name does not match"))
        #expect(try refusal(fixture, serverName: "127.0.0.2").contains("the name does not match"))
        var pair = try fixture.pair(serverName: "127.0.0.1")
        try pair.exchange()
        #expect(pair.server.peer?.serverName == nil)
        #expect(throws: TLSError.self) { try fixture.pair(serverName: nil) }
        fixture.client.verifiesHost = false
        pair = try fixture.pair(serverName: "127.0.0.2")
        try pair.exchange()
        fixture.client.trust = .file(fixture.folder.write("other.pem", TestAuthority("Other").pem))
        #expect(try refusal(fixture).contains("not trusted"))
    }

    // MARK: Agreement

    @Test("what a client offers is agreed on in the server's order, or not at all")
    func protocols() throws {
        let fixture = TLSFixture()
        fixture.server.alpn = ["mqtt", "x"]
        fixture.client.alpn = ["x", "mqtt"]
        var pair = try fixture.pair()
        try pair.exchange()
        #expect(pair.server.peer?.applicationProtocol == "mqtt")
        fixture.client.alpn = []
        pair = try fixture.pair()
        try pair.exchange()
        #expect(pair.server.peer?.applicationProtocol == nil)
        fixture.client.alpn = ["h2"]
        #expect(try refusal(fixture).contains("application protocols"))
    }

    @Test("version and cipher are as configured")
    func versions() throws {
        let fixture = TLSFixture()
        fixture.server.cipherSuites = "TLS_CHACHA20_POLY1305_SHA256"
        var pair = try fixture.pair()
        try pair.exchange()
        #expect(pair.server.peer?.cipher == "TLS_CHACHA20_POLY1305_SHA256")
        fixture.client.cipherSuites = "TLS_AES_128_GCM_SHA256"
        fixture.client.minimumVersion = .v13
        #expect(try refusal(fixture).contains("no shared cipher"))
        fixture.server.minimumVersion = .v13
        fixture.client.minimumVersion = .v12
        fixture.client.maximumVersion = .v12
        #expect(try refusal(fixture).contains("unsupported protocol"))
    }

    // MARK: Pre-shared keys

    @Test("with a pre-shared key no certificate is needed", arguments: [TLSVersion.v12, .v13])
    func preSharedKey(version: TLSVersion) throws {
        let fixture = TLSFixture()
        fixture.client.maximumVersion = version
        fixture.server.certificate = nil
        fixture.server.pskFile = fixture.folder.write("psk", "# keys\nmeter-1:00112233445566778899aabbccddeeff\n")
        fixture.client.preSharedKey = .init(identity: "meter-1", key: (0..<16).map { UInt8($0 * 17) })
        var pair = try fixture.pair(serverName: nil)
        try pair.exchange()
        #expect(pair.server.peer?.pskIdentity == "meter-1")
        #expect(pair.server.peer?.version == version)
        // Of the key exchanges that look ahead this is the cheap one.
        if version == .v12 { #expect(pair.server.peer?.cipher.hasPrefix("ECDHE-PSK-") == true) }
        try pair.client.send([1])
        try pair.exchange()
        #expect(pair.atServer == [1])
    }

    @Test("a wrong key or an unknown identity is refused")
    func wrongPreSharedKey() throws {
        let fixture = TLSFixture()
        fixture.server.certificate = nil
        fixture.server.pskFile = fixture.folder.write("psk", "meter-1:00112233445566778899aabbccddeeff\n")
        fixture.client.preSharedKey = .init(identity: "meter-2", key: (0..<16).map { UInt8($0 * 17) })
        #expect(try refusal(fixture).contains("no pre-shared key has the identity \"meter-2\""))
        fixture.client.preSharedKey = .init(identity: "meter-1", key: [UInt8](repeating: 1, count: 16))
        #expect(try refusal(fixture).contains("binder does not verify"))
    }

    @Test("a server with a certificate serves clients with a pre-shared key too, and tells them apart")
    func bothKinds() throws {
        let fixture = TLSFixture()
        fixture.server.pskFile = fixture.folder.write("psk", "meter-1:00112233445566778899aabbccddeeff\n")
        var pair = try fixture.pair()
        try pair.exchange()
        #expect(pair.server.peer?.pskIdentity == nil)
        fixture.client.preSharedKey = .init(identity: "meter-1", key: (0..<16).map { UInt8($0 * 17) })
        pair = try fixture.pair()
        try pair.exchange()
        #expect(pair.server.peer?.pskIdentity == "meter-1")
        // Without its key the server shows its certificate, which such a client does not believe.
        fixture.client.preSharedKey = .init(identity: "meter-2", key: (0..<16).map { UInt8($0 * 17) })
        #expect(throws: TLSError.self) {
            var pair = try fixture.pair()
            try pair.exchange()
        }
    }

    /// Why the handshake of a new connection fails.
    private func refusal(_ fixture: TLSFixture, serverName: String? = "localhost") throws -> String {
        var pair = try fixture.pair(serverName: serverName)
        let error = #expect(throws: TLSError.self) { try pair.exchange() }
        return "\(try #require(error))"
    }
}
