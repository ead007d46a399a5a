import Core
import NIOCore
import TestSupport
import Testing

@testable import Security

/// What comes from the network is anything.
@Suite("Damaged TLS")
struct TLSRobustnessTests {
    private let fixture = TLSFixture()

    @Test("noise, and a hello with noise in it, end in an error or in silence, never in a trap")
    func noise() throws {
        let base = UInt64.random(in: 0...UInt64.max)
        print("TLS noise: seeds from \(base)")
        let context = try fixture.serverContext()
        let client = try TLSEngine(context: fixture.clientContext(), serverName: "localhost")
        try client.start()
        let hello = try #require(client.takeOutput()).bytes
        for seed in (0..<1000).map({ base &+ $0 }) {
            var random = SeededRandom(seed: seed)
            let server = try TLSEngine(context: context)
            var bytes = random.once(in: 4) ? random.bytes(1 + random.below(600)) : hello
            if bytes.count == hello.count { for _ in 0...random.below(4) { bytes = bytes.flipping(bit: random.below(bytes.count * 8)) } }
            do throws(TLSError) {
                for piece in bytes.pieces(of: 1 + random.below(200)) { #expect(try server.receive(piece) == [], "seed \(seed)") }
            } catch {
                #expect(server.state == .closed, "seed \(seed)")
            }
            #expect(server.state != .open, "seed \(seed)")
            #expect(server.peer == nil, "seed \(seed)")
        }
    }

    @Test("a handshake with one bit turned round never ends with data", arguments: [TLSVersion.v12, .v13])
    func handshakeFlips(version: TLSVersion) throws {
        let base = UInt64.random(in: 0...UInt64.max)
        print("handshake flips of \(version): seeds from \(base)")
        fixture.useClientCertificate()
        fixture.client.maximumVersion = version
        let (server, client) = (try fixture.serverContext(), try fixture.clientContext())
        for seed in (0..<300).map({ base &+ $0 }) {
            var random = SeededRandom(seed: seed)
            var pair = try TLSPair(
                server: TLSEngine(context: server), client: TLSEngine(context: client, serverName: "localhost"))
            let damaged = random.below(2)
            var flights = 0
            do throws(TLSError) {
                try pair.client.start()
                while let output = pair.client.takeOutput() {
                    // The first two flights of the client are its handshake.
                    let bytes = flights == damaged ? output.bytes.flipping(bit: random.below(output.readableBytes * 8)) : output.bytes
                    flights += 1
                    pair.atServer += try pair.server.receive(bytes)
                    if let answer = pair.server.takeOutput() { pair.atClient += try pair.client.receive(answer.bytes) }
                }
            } catch {
                continue
            }
            // The version in a record's header is not covered by anything, and not looked at in TLS 1.3.
            #expect(pair.atServer == [] && pair.atClient == [], "seed \(seed)")
        }
    }

    @Test("a record with one bit turned round ends the connection without giving its data", arguments: [
        TLSVersion.v12, .v13,
    ])
    func recordFlips(version: TLSVersion) throws {
        fixture.client.maximumVersion = version
        let (server, client) = (try fixture.serverContext(), try fixture.clientContext())
        // Of the header the length and the type are covered; bytes 1 and 2 are the version of old.
        for bit in 0..<(8 * 40) where !(8..<24).contains(bit) {
            var pair = try TLSPair(
                server: TLSEngine(context: server), client: TLSEngine(context: client, serverName: "localhost"))
            try pair.exchange()
            try pair.client.send([UInt8](repeating: 65, count: 20))
            let record = try #require(pair.client.takeOutput()).bytes
            guard bit < record.count * 8 else { break }
            var got: [UInt8] = []
            do throws(TLSError) {
                got = try pair.server.receive(record.flipping(bit: bit))
            } catch {
                #expect(pair.server.state == .closed)
            }
            #expect(got == [], "bit \(bit)")
        }
    }

    @Test("a connection cut at any byte leaves the server waiting, and what is lost is not made up")
    func truncation() throws {
        let (server, client) = (try fixture.serverContext(), try fixture.clientContext())
        var pair = try TLSPair(server: TLSEngine(context: server), client: TLSEngine(context: client, serverName: "localhost"))
        try pair.exchange()
        try pair.client.send(Array(1...50))
        let record = try #require(pair.client.takeOutput()).bytes
        for count in 0..<record.count {
            // Byte by byte, so that each end of the input is one that could have been the last.
            #expect(try pair.server.receive(Array(record[count..<(count + 1)])) == (count == record.count - 1 ? Array(1...50) : []))
        }
    }

    @Test("data that is sent after a failure is refused, and a failed engine takes no more")
    func afterFailure() throws {
        let server = try TLSEngine(context: fixture.serverContext())
        #expect(throws: TLSError.self) { try server.receive(Array("GET / HTTP/1.1\r\n\r\n".utf8)) }
        #expect(server.state == .closed)
        #expect(throws: TLSError.self) { try server.send([1]) }
        #expect(try server.receive([1, 2, 3]) == [])
        server.close()
    }
}
