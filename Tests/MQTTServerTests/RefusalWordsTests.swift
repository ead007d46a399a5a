import Broker
import Core
import MQTTCodec
import NIOCore
import NIOEmbedded
import Testing

@testable import MQTTServer
@testable import Security

/// What the log says of a client that is turned away.
@Suite("Why a client is turned away")
struct RefusalWordsTests {
    @Test("a failed login names the user and the client")
    func login() throws {
        let server = AuthenticationTests.server([FakeAuthenticator(users: ["ann": "secret"])])
        let peer = try server.open()
        try peer.send(Packets.connect("c", user: "ann", password: "wrong"))
        let line = try #require(server.log.first { $0.hasPrefix("a client failed to log in") })
        #expect(line.hasSuffix(#", user name "ann", client identifier "c""#))
    }

    @Test("of a long name only the beginning is said")
    func longName() {
        #expect(String(repeating: "x", count: 65).inQuotes == "\"" + String(repeating: "x", count: 64) + "…\"")
        #expect(String(repeating: "x", count: 64).inQuotes == "\"" + String(repeating: "x", count: 64) + "\"")
    }

    @Test("a password where only SCRAM is taken is told apart from saying nothing")
    func onlyScram() throws {
        let file = try PasswordFile([], path: "users")
        let server = AuthenticationTests.server([ScramAuthenticator(file: file)])
        try server.open().send(Packets.connect("c", user: "ann", password: "secret"))
        let second = try server.open()
        try second.send(Packets.connect("d"))
        // The answer to a second failure waits.
        server.pass(seconds: 1)
        #expect(!second.isOpen)
        try #require(server.log.count == 2)
        #expect(server.log[0].contains("the listener takes SCRAM-SHA-256 only (password-methods)"))
        #expect(server.log[1].contains("the client does not say who it is"))
    }

    @Test("SCRAM of a user whose password is only there as a hash of another kind is told with what to do")
    func noVerifier() throws {
        let hash = PasswordHash(iterations: 1, salt: Array("salt".utf8), hash: [UInt8](repeating: 7, count: 64))
        let authenticator = ScramAuthenticator(file: try PasswordFile(Array("ann:\(hash)\n".utf8), path: "users"))
        #expect(
            Self.failure(of: authenticator, user: "ann")
                == #"SCRAM: user "ann" has no SCRAM verifier in the password file; `martlet passwd --scram` makes one"#)
        #expect(Self.failure(of: authenticator, user: "eve") == #"SCRAM: unknown user "eve""#)
    }

    /// The reason that is logged for an exchange whose last message fits no verifier.
    private static func failure(of authenticator: ScramAuthenticator, user: String) -> String? {
        var challenge: String?
        var words: String?
        let credentials = Credentials(listener: "test", address: nil, clientIdentifier: "c", method: "SCRAM-SHA-256")
        let attempt = AuthenticationAttempt(credentials: credentials, data: Array("n,,n=\(user),r=abc".utf8)) { answer in
            if case .continues(let data) = answer { challenge = String(decoding: data, as: UTF8.self) }
            if case .refused(_, let reason) = answer { words = reason }
        }
        authenticator.authenticate(attempt, now: .zero)
        let nonce = challenge?.split(separator: ",").first.map { $0.dropFirst(2) } ?? ""
        // A proof of the right length, and of nothing.
        attempt.proceed(data: Array("c=biws,r=\(nonce),p=\(String(repeating: "A", count: 43))=".utf8))
        authenticator.authenticate(attempt, now: .zero)
        return words
    }

    @Test("a connection that the broker refuses is told with the reason, to the operator and to the client")
    func broker() throws {
        var limits = BrokerLimits()
        limits.maximumQoS = .atLeastOnce
        limits.maximumSessions = 1
        let server = ServerHarness(limits: limits)
        let will = Will(topic: "a", payload: [1], qos: .exactlyOnce, retain: false)
        let packet = ConnectPacket(version: .v5, clientIdentifier: "q2", cleanStart: true, keepAlive: 0, will: will)
        let answer = try server.open().answer(to: packet)
        #expect(answer?.properties.reasonString == "the will is refused: the QoS is above Maximum QoS")
        _ = try server.open().connect("one", expiry: 60)
        try server.open().send(Packets.connect("two"))
        #expect(server.log == [
            #"connection refused: the will is refused: the QoS is above Maximum QoS, client identifier "q2""#,
            #"connection refused: the server has as many sessions as it keeps, client identifier "two""#,
        ])
    }

    private static let diskFull = "the server's disk is full"
    private static let tooManySubscriptions = "the client has as many subscriptions as it may"

    /// The Reason String of the answer to a packet.
    private static func reason(_ peer: Peer, _ bytes: [UInt8]) throws -> String? {
        try peer.send(bytes)
        return try AnswerTests.reasonString(#require(try peer.takePackets().last))
    }

    @Test("while the disk is full each refusal says its own cause")
    func fullDisk() throws {
        var limits = BrokerLimits()
        limits.maximumSubscriptions = 1
        let server = ServerHarness(limits: limits)
        let stored = try server.open().connect("stored", expiry: 60)
        let other = try server.open().connect("other")
        let older = try server.open().connect("older", version: .v311)
        for peer in [stored, other, older] { try peer.subscribe("a") }
        server.broker.setDiskFull(true)
        #expect(try Self.reason(other, Packets.subscribe("b", version: .v5)) == Self.tooManySubscriptions)
        #expect(try Self.reason(stored, Packets.subscribe("a", qos: .atLeastOnce, version: .v5)) == Self.diskFull)
        let both = SubscribePacket(
            packetIdentifier: 1,
            requests: ["a", "b"].map { SubscribePacket.Request(filter: $0, options: SubscriptionOptions(qos: .atLeastOnce)) })
        var buffer = ByteBuffer()
        try both.write(version: .v5, into: &buffer)
        let words = "\(Self.diskFull); \(Self.tooManySubscriptions)"
        #expect(try Self.reason(stored, Array(buffer.readableBytesView)) == words)
        let retained = Packets.packet(0x33, Packets.field("r") + [0, 7, 0, 1])
        #expect(try Self.reason(other, retained) == Self.diskFull)
        try older.send(Packets.subscribe("b", version: .v311))
        #expect(try older.take() == ["SUBACK 1 128"])
        // The last is the same line as the first, and so left out.
        #expect(server.log == [
            "refused a subscription: \(Self.tooManySubscriptions)", "refused a subscription: \(Self.diskFull)",
            "refused a subscription: \(words)", "refused a message: \(Self.diskFull)",
        ])
    }

    // MARK: Another protocol than the port's

    @Test("TLS and HTTP at a port for MQTT are recognised", arguments: [
        ([0x16, 3, 1, 0, 200, 1], "speaks TLS"), (Array("GET /mqtt HTTP/1.1\r\n\r\n".utf8), "speaks HTTP or WebSocket"),
    ] as [([UInt8], String)])
    func atMQTTPort(bytes: [UInt8], words: String) throws {
        let server = ServerHarness()
        try server.open().send(bytes)
        try #require(server.log.count == 1)
        #expect(server.log[0].contains(words))
    }

    @Test("MQTT and TLS at a port for WebSocket are recognised, and a wrong path is named", arguments: [
        ([0x10, 12, 0, 4], "speaks MQTT without WebSocket"), ([0x16, 3, 1, 0, 200, 1], "speaks TLS"),
        (Array("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n".utf8), #"404 Not Found: WebSockets are opened at /mqtt, not at "/ws"."#),
    ] as [([UInt8], String)])
    func atWebSocketPort(bytes: [UInt8], words: String) throws {
        let server = ServerHarness()
        let channel = EmbeddedChannel(loop: server.loop)
        try channel.pipeline.syncOperations.addHandler(WebSocketHandler(listener: server.listener, path: "/mqtt"))
        channel.connect(to: try SocketAddress(ipAddress: "192.0.2.1", port: 40_000), promise: nil)
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        server.settle()
        try #require(server.log.count == 1)
        #expect(server.log[0].contains(words))
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test("MQTT and HTTP at a port for TLS are recognised, and what is neither is not", arguments: [
        ([0x10, 12, 0, 4], "the client speaks MQTT without TLS: let it use TLS, or another port"),
        (Array("GET / HTTP/1.1\r\n".utf8), "the client speaks HTTP or WebSocket without TLS: let it use https or wss, or another port"),
        ([0x17, 3, 3, 0], nil), ([], nil),
    ] as [([UInt8], String?)])
    func atTLSPort(bytes: [UInt8], words: String?) {
        #expect(bytes.withUnsafeBytes { ForeignProtocol($0)?.atTLSPort } == words)
    }

    @Test("addresses and what is banned are written as people write them")
    func addresses() throws {
        #expect(try SocketAddress(ipAddress: "127.0.0.1", port: 36172).endpoint == "127.0.0.1:36172")
        #expect(try SocketAddress(ipAddress: "::1", port: 1883).endpoint == "[::1]:1883")
        #expect(try SocketAddress(unixDomainSocketPath: "/run/s").endpoint == nil)
        #expect("\(BanList.Subject.clientIdentifier("an"))" == #"client identifier "an""#)
        #expect("\(BanList.Subject.address(NetworkAddress(bytes: [192, 0, 2, 1])!))" == "address 192.0.2.1")
    }
}
