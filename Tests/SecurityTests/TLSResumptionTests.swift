import Core
import NIOCore
import TestSupport
import Testing

@testable import Security

/// Clients that come back with a ticket.
@Suite("TLS resumption")
struct TLSResumptionTests {
    @Test("a client comes back without a full handshake, and is the same to the server", arguments: [TLSVersion.v12, .v13])
    func resumes(version: TLSVersion) throws {
        let fixture = TLSFixture()
        fixture.useClientCertificate()
        fixture.client.maximumVersion = version
        let session = try ticket(fixture, server: fixture.serverContext())
        let peer = try comeBack(fixture, with: session, to: fixture.serverContext())
        #expect(peer.isResumed)
        #expect(peer.commonName == "pump-7" && peer.subject == "CN=pump-7,O=Works")
        #expect(peer.subjectAlternativeNames.count == 3)
    }

    @Test("tickets outlive a new server certificate", arguments: [TLSVersion.v12, .v13])
    func reload(version: TLSVersion) throws {
        let fixture = TLSFixture()
        fixture.client.maximumVersion = version
        let session = try ticket(fixture, server: fixture.serverContext())
        fixture.server.certificate = fixture.files("new", fixture.authority.issue([("CN", "new")], names: "DNS:localhost"))
        #expect(try comeBack(fixture, with: session, to: fixture.serverContext()).isResumed)
    }

    @Test("a revoked client does not come back with the ticket that it got before", arguments: [TLSVersion.v12, .v13])
    func revoked(version: TLSVersion) throws {
        let fixture = TLSFixture()
        fixture.useClientCertificate()
        fixture.client.maximumVersion = version
        fixture.server.crlFile = fixture.folder.write("crl.pem", fixture.authority.revocationList(of: []))
        let session = try ticket(fixture, server: fixture.serverContext())
        #expect(try comeBack(fixture, with: session, to: fixture.serverContext()).isResumed)
        fixture.server.crlFile = fixture.folder.write(
            "crl.pem", fixture.authority.revocationList(of: [fixture.clientCertificate]))
        #expect(throws: TLSError.self) { try comeBack(fixture, with: session, to: fixture.serverContext()) }
    }

    @Test("a ticket of a listener without client certificates is worth nothing at one that requires them", arguments: [
        TLSVersion.v12, .v13,
    ])
    func otherListener(version: TLSVersion) throws {
        let fixture = TLSFixture()
        fixture.client.maximumVersion = version
        let session = try ticket(fixture, server: fixture.serverContext())
        fixture.useClientCertificate()
        fixture.client.certificate = nil
        #expect(throws: TLSError.self) { try comeBack(fixture, with: session, to: fixture.serverContext()) }
    }

    @Test("a client with a pre-shared key that comes back with a ticket has its identity still", arguments: [
        TLSVersion.v12, .v13,
    ])
    func identity(version: TLSVersion) throws {
        let fixture = TLSFixture()
        fixture.client.maximumVersion = version
        fixture.server.pskFile = fixture.folder.write("psk", "meter-1:00112233445566778899aabbccddeeff\n")
        fixture.client.preSharedKey = .init(identity: "meter-1", key: (0..<16).map { UInt8($0 * 17) })
        let session = try ticket(fixture, server: fixture.serverContext())
        #expect(try comeBack(fixture, with: session, to: fixture.serverContext()).pskIdentity == "meter-1")
        // The key is taken back: so is the ticket.
        fixture.server.pskFile = fixture.folder.write("psk", "meter-2:00112233445566778899aabbccddeeff\n")
        #expect(throws: TLSError.self) { try comeBack(fixture, with: session, to: fixture.serverContext()) }
    }

    @Test("the key of tickets changes, and the one before is good for as long as its tickets")
    func keys() {
        var ring = TicketKeyRing()
        let lifetime = Duration.seconds(TicketKeyRing.lifetime)
        let start = MonotonicTime.zero + .seconds(100)
        let first = ring.current(now: start)
        #expect(ring.current(now: start + (lifetime - .seconds(1))) == first)
        let second = ring.current(now: start + lifetime)
        #expect(second != first)
        #expect(ring.find(first.name, now: start + lifetime)?.isCurrent == false)
        #expect(ring.find(first.name, now: start + lifetime)?.key == first)
        #expect(ring.find(second.name, now: start + lifetime)?.isCurrent == true)
        #expect(ring.find(first.name, now: start + lifetime + lifetime) == nil)
        #expect(ring.find(secureRandom(16), now: start) == nil)
        _ = ring.current(now: start + lifetime + lifetime)
        #expect(ring.find(first.name, now: start) == nil)
    }

    private func ticket(_ fixture: TLSFixture, server: TLSContext) throws -> TLSSession {
        var pair = try TLSPair(
            server: TLSEngine(context: server), client: TLSEngine(context: fixture.clientContext(), serverName: "localhost"))
        try pair.exchange()
        #expect(pair.server.peer?.isResumed == (fixture.client.preSharedKey != nil && pair.server.peer?.version == .v13))
        return try #require(pair.client.session)
    }

    private func comeBack(_ fixture: TLSFixture, with session: TLSSession, to server: TLSContext) throws -> TLSPeer {
        let client = try TLSEngine(context: fixture.clientContext(), serverName: "localhost")
        client.resume(session)
        var pair = TLSPair(server: try TLSEngine(context: server), client: client)
        try pair.exchange()
        try pair.client.send([1])
        try pair.server.send([2])
        try pair.exchange()
        #expect(pair.atServer == [1] && pair.atClient == [2])
        return try #require(pair.server.peer)
    }
}
