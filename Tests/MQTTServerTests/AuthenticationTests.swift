import Broker
import Core
import MQTTCodec
import NIOCore
import NIOEmbedded
import Testing

@testable import MQTTServer

/// Who a client is, between its CONNECT and its CONNACK.
@Suite("Authentication")
struct AuthenticationTests {
    private let server: ServerHarness
    private let fake = FakeAuthenticator(users: ["ann": "secret"])

    init() { server = AuthenticationTests.server([fake]) }

    static func server(
        _ authenticators: [any Authenticator], settings: ListenerSettings = ListenerSettings(name: "test", allowsAnonymous: false),
        limits: AdmissionLimits = AdmissionLimits(), publish: PublishLimits = PublishLimits()
    ) -> ServerHarness {
        let server = ServerHarness(settings: settings)
        server.context.access = AccessControl(
            broker: server.broker, logger: server.context.logger, authenticators: [settings.name: authenticators], limits: limits,
            publishLimits: publish)
        return server
    }

    @Test("a right password is accepted in each version", arguments: [ProtocolVersion.v31, .v311, .v5])
    func right(version: ProtocolVersion) throws {
        let peer = try server.open()
        try peer.send(Packets.connect("c", version: version, user: "ann", password: "secret"))
        #expect(try peer.take(version: version) == ["CONNACK 0 0"])
        #expect(peer.connection.identity?.userName == "ann")
        #expect(peer.connection.identity?.credentials.password == nil)
    }

    @Test("[MQTT-3.1.4-2] a wrong password, an unknown user and nothing at all are refused as the version can say it", arguments: [
        (.v5, "ann", "wrong", 134), (.v5, "bob", "secret", 134), (.v5, nil, nil, 135), (.v5, "ann", nil, 134),
        (.v5, nil, "secret", 134), (.v311, "ann", "wrong", 4), (.v311, nil, nil, 5), (.v31, "bob", "x", 4),
    ] as [(ProtocolVersion, String?, String?, Int)])
    func wrong(version: ProtocolVersion, user: String?, password: String?, code: Int) throws {
        let peer = try server.open()
        try peer.send(Packets.connect("c", version: version, user: user, password: password) + Packets.pingreq)
        #expect(try peer.take(version: version) == ["CONNACK 0 \(code)"])
        #expect(!peer.isOpen)
        #expect(server.broker.clientCount == 0)
    }

    @Test("the next authenticator is asked when one does not know the user")
    func several() throws {
        let other = FakeAuthenticator(users: ["bob": "hidden"])
        server.context.access?.authenticators["test", default: []].append(other)
        let peer = try server.open()
        try peer.send(Packets.connect("c", user: "bob", password: "hidden"))
        #expect(try peer.take(version: .v5) == ["CONNACK 0 0"])
        // The one that knows the user decides.
        let wrong = try server.open()
        try wrong.send(Packets.connect("d", user: "ann", password: "hidden"))
        #expect(try wrong.take(version: .v5) == ["CONNACK 0 134"])
        #expect(other.attempts.count == 1)
    }

    @Test("where it is allowed a client may show nothing, but not something wrong")
    func anonymous() throws {
        let server = Self.server([fake], settings: ListenerSettings(name: "test", allowsAnonymous: true))
        _ = try server.open().connect("c")
        let wrong = try server.open()
        try wrong.send(Packets.connect("d", user: "ann", password: "wrong"))
        #expect(try wrong.take(version: .v5) == ["CONNACK 0 134"])
    }

    @Test("without authenticators a name is not looked at, and is nobody's")
    func nobodyAsked() throws {
        let server = Self.server([], settings: ListenerSettings(name: "test", allowsAnonymous: true))
        let peer = try server.open()
        try peer.send(Packets.connect("c", user: "ann", password: "secret"))
        #expect(try peer.take(version: .v5) == ["CONNACK 0 0"])
        #expect(peer.connection.identity?.userName == nil)
    }

    @Test("what is sent behind CONNECT is held until the answer is there, in pieces or whole", arguments: [1, 7, 1000])
    func held(piece: Int) throws {
        fake.isSlow = true
        let peer = try server.open()
        let bytes = try Packets.connect("c", user: "ann", password: "secret")
            + Packets.subscribe("a", version: .v5) + Packets.publish("a", "1", version: .v5)
            + Packets.publish("a", "2", qos: .atLeastOnce, version: .v5) + Packets.pingreq
        for start in stride(from: 0, to: bytes.count, by: piece) { try peer.send(Array(bytes[start..<min(start + piece, bytes.count)])) }
        #expect(try peer.take(version: .v5) == [])
        let reads = peer.wire.reads
        peer.askToRead()
        #expect(peer.wire.reads == reads, "nothing more is read")
        fake.answerAll()
        server.settle()
        #expect(
            try peer.take(version: .v5) == [
                "CONNACK 0 0", "SUBACK 1 0", "PUBLISH a 1", "PUBLISH a 2", "PUBACK 1 0", "PINGRESP",
            ])
        #expect(peer.wire.reads == reads + 1, "reading goes on")
        #expect(server.broker.clientCount == 1)
    }

    @Test("a client that sends without end while it waits is closed")
    func heldIsBounded() throws {
        fake.isSlow = true
        let peer = try server.open()
        try peer.send(Packets.connect("c", user: "ann", password: "secret"))
        for _ in 0..<20 where peer.isOpen { try peer.send([UInt8](repeating: 0xC0, count: 65_536)) }
        #expect(!peer.isOpen)
        fake.answerAll()
        #expect(server.broker.clientCount == 0)
    }

    @Test("an answer that comes after the end of the connection is not heard")
    func gone() throws {
        fake.isSlow = true
        let peer = try server.open()
        try peer.send(Packets.connect("c", user: "ann", password: "secret"))
        peer.lose()
        #expect(fake.attempts.map(\.isCancelled) == [true])
        fake.answerAll()
        server.settle()
        #expect(server.broker.clientCount == 0)
    }

    @Test("an authentication that takes too long is ended")
    func tooLong() throws {
        fake.isSlow = true
        let peer = try server.open()
        try peer.send(Packets.connect("c", user: "ann", password: "secret"))
        server.tick(after: .seconds(9))
        #expect(peer.isOpen)
        server.tick(after: .seconds(11))
        #expect(try peer.take(version: .v5) == ["CONNACK 0 128"])
        #expect(!peer.isOpen)
        fake.answerAll()
        server.settle()
        #expect(server.broker.clientCount == 0)
    }

    // MARK: Certificates and keys

    private static let certificate = CertificateIdentity(
        subject: "CN=pump,O=Works", commonName: "pump", dnsNames: ["pump.local"], uris: ["urn:pump"])

    @Test("a certificate gives the name that the listener takes from it", arguments: [
        (.commonName, "pump"), (.subject, "CN=pump,O=Works"), (.sanDNS, "pump.local"), (.sanURI, "urn:pump"),
    ] as [(ListenerSettings.CertificateUser, String)])
    func certificates(kind: ListenerSettings.CertificateUser, name: String) {
        let access = AccessControl(broker: server.broker, logger: server.context.logger, authenticators: ["test": [fake]])
        let settings = ListenerSettings(name: "test", allowsAnonymous: false, userFromCertificate: kind)
        var credentials = Credentials(listener: "test", address: nil, clientIdentifier: "c")
        credentials.certificate = Self.certificate
        guard case .accepted(let principal) = access.way(of: credentials, settings: settings) else {
            Issue.record("not accepted")
            return
        }
        #expect(principal.userName == name)
        #expect(principal.origin == .certificate)
    }

    @Test("a certificate without the name is refused, and one that gives none is proof enough")
    func certificateWithoutName() {
        let access = AccessControl(broker: server.broker, logger: server.context.logger, authenticators: ["test": [fake]])
        var credentials = Credentials(listener: "test", address: nil, clientIdentifier: "c")
        credentials.certificate = Self.certificate
        let mail = ListenerSettings(name: "test", allowsAnonymous: false, userFromCertificate: .sanEmail)
        guard case .refused(.notAuthorized, _) = access.way(of: credentials, settings: mail) else {
            Issue.record("not refused")
            return
        }
        guard case .accepted(let principal) = access.way(of: credentials, settings: ListenerSettings(name: "test", allowsAnonymous: false)) else {
            Issue.record("not accepted")
            return
        }
        #expect(principal.userName == nil)
        credentials.certificate = nil
        credentials.pskIdentity = "sensor"
        let keys = ListenerSettings(name: "test", allowsAnonymous: false, userFromPSK: true)
        guard case .accepted(let other) = access.way(of: credentials, settings: keys) else {
            Issue.record("not accepted")
            return
        }
        #expect(other.userName == "sensor")
    }

    private func credentials(
        user: String?, certificate: CertificateIdentity? = nil, psk: String? = nil, method: String? = nil
    ) -> Credentials {
        Credentials(
            listener: "test", address: nil, clientIdentifier: "c", userName: user, password: user.map { Array($0.utf8) },
            certificate: certificate, pskIdentity: psk, method: method)
    }

    @Test("where a password is required too, a certificate or a key alone is refused, and with one the password is asked about")
    func requiredPassword() {
        let access = AccessControl(broker: server.broker, logger: server.context.logger, authenticators: ["test": [fake]])
        for kind in [ListenerSettings.CertificateUser.none, .commonName] {
            let settings = ListenerSettings(
                name: "test", allowsAnonymous: false, userFromCertificate: kind, userFromPSK: kind != .none, requiresPassword: true)
            for shown in [credentials(user: nil, certificate: Self.certificate), credentials(user: nil, psk: "pump"), credentials(user: nil)] {
                guard case .refused(.notAuthorized, let reason) = access.way(of: shown, settings: settings) else {
                    Issue.record("not refused")
                    return
                }
                #expect(reason.contains("require-password"))
            }
            // Of somebody else it is not asked at all: the answer would tell whether it is right.
            for (user, isAsked) in [("pump", true), ("ann", kind == .none)] {
                let way = access.way(of: credentials(user: user, certificate: Self.certificate), settings: settings)
                if case .asked = way { #expect(isAsked) } else { #expect(!isAsked) }
            }
        }
    }

    @Test("a password of another user than the one that TLS names is no proof, where that name is taken", arguments: [
        (.commonName, "pump", false), (.commonName, "ann", true), (.sanEmail, "pump", true), (.none, "ann", false),
    ] as [(ListenerSettings.CertificateUser, String, Bool)])
    func bothNames(kind: ListenerSettings.CertificateUser, user: String, isRefused: Bool) {
        let access = AccessControl(broker: server.broker, logger: server.context.logger, authenticators: ["test": [fake]])
        let settings = ListenerSettings(name: "test", allowsAnonymous: false, userFromCertificate: kind, requiresPassword: true)
        for origin in [Principal.Origin.password, .scram] {
            let words = access.objection(
                to: Principal(userName: user, origin: origin), of: credentials(user: user, certificate: Self.certificate),
                settings: settings)
            #expect((words != nil) == isRefused)
        }
    }

    @Test("a reload that requires a password sends away whoever came in without one")
    func passwordRequiredNow() {
        let access = AccessControl(broker: server.broker, logger: server.context.logger, authenticators: ["test": [fake]])
        let settings = ListenerSettings(name: "test", allowsAnonymous: false, userFromCertificate: .commonName, requiresPassword: true)
        func isKnown(_ user: String, _ origin: Principal.Origin) -> Bool {
            let identity = ClientIdentity(
                principal: Principal(userName: user, origin: origin), credentials: credentials(user: user, certificate: Self.certificate))
            return access.stillKnows(identity, settings: settings)
        }
        #expect(!isKnown("pump", .certificate) && !isKnown("pump", .psk))
        #expect(!isKnown("ann", .password), "the certificate is of pump")
    }

    // MARK: Failures

    @Test("repeated failures are answered later each time, and then banned")
    func banned() throws {
        var limits = AdmissionLimits()
        limits.banAfter = 3
        let server = Self.server([fake], limits: limits)
        for delay in [0, 100, 200] {
            let peer = try server.open()
            try peer.send(Packets.connect("c", user: "ann", password: "wrong"))
            if delay > 0 {
                #expect(try peer.take(version: .v5) == [])
                server.loop.advanceTime(by: .milliseconds(Int64(delay)))
            }
            #expect(try peer.take(version: .v5) == ["CONNACK 0 134"])
            #expect(!peer.isOpen)
        }
        let right = try server.open()
        try right.send(Packets.connect("other", user: "ann", password: "secret"))
        #expect(try right.take(version: .v5) == ["CONNACK 0 138"])
    }

    @Test("a client that comes and goes too often is banned")
    func flapping() throws {
        var limits = AdmissionLimits()
        limits.flapAfter = 2
        let server = Self.server([], settings: ListenerSettings(name: "test"), limits: limits)
        for _ in 0..<2 { try server.open().connect("c").lose() }
        for version in [ProtocolVersion.v5, .v311] {
            let peer = try server.open()
            try peer.send(Packets.connect("c", version: version))
            #expect(try peer.take(version: version) == [version == .v5 ? "CONNACK 0 138" : "CONNACK 0 5"])
        }
        _ = try server.open().connect("d")
    }

    @Test("CONNECTs beyond the rate are refused")
    func connectRate() throws {
        var limits = AdmissionLimits()
        limits.connectRate = 2
        let server = Self.server([], settings: ListenerSettings(name: "test"), limits: limits)
        for name in ["a", "b"] { _ = try server.open().connect(name) }
        let peer = try server.open()
        try peer.send(Packets.connect("c"))
        #expect(try peer.take(version: .v5) == ["CONNACK 0 159"])
    }

    @Test("a client that publishes faster than it may is slowed down, and loses nothing")
    func publishRate() throws {
        var publish = PublishLimits()
        publish.messages = 10
        let server = Self.server([], settings: ListenerSettings(name: "test"), publish: publish)
        let peer = try server.open().connect("c")
        var bytes: [UInt8] = []
        for number in 0..<30 { bytes += Packets.publish("a", "\(number)", qos: .atLeastOnce, packetIdentifier: UInt16(number) + 1, version: .v5) }
        try peer.send(bytes)
        var came = try peer.take(version: .v5).count
        #expect(came == 11)
        // The time that passes for the loop is not the clock's, which the meter goes by: each pause lets through one more at least.
        for _ in 0..<40 {
            server.loop.advanceTime(by: .seconds(1))
            server.settle()
            came += try peer.take(version: .v5).count
        }
        #expect(came == 30)
        #expect(peer.isOpen)
    }

    @Test("or disconnected, if that is the policy")
    func publishRatePolicy() throws {
        var publish = PublishLimits()
        publish.bytes = 1000
        publish.policy = .disconnect
        let server = Self.server([], settings: ListenerSettings(name: "test"), publish: publish)
        let peer = try server.open().connect("c")
        try peer.publish("a", String(repeating: "x", count: 900))
        #expect(peer.isOpen)
        try peer.publish("a", String(repeating: "x", count: 900))
        #expect(try peer.take(version: .v5) == ["DISCONNECT 150"])
        #expect(!peer.isOpen)
    }
}

/// AUTH (MQTT 5.0 §4.12).
@Suite("Enhanced authentication")
struct EnhancedAuthenticationTests {
    private let exchange = FakeExchange()
    private let server: ServerHarness

    init() { server = AuthenticationTests.server([exchange]) }

    private func begun() throws -> Peer {
        let peer = try server.open()
        try peer.send(Packets.connect("c", method: "ASK", data: "hello"))
        #expect(try peer.take(version: .v5) == ["AUTH 24 ASK question 1"])
        return peer
    }

    private func connected() throws -> Peer {
        let peer = try begun()
        try peer.send(Packets.auth(.continueAuthentication, method: "ASK", data: "yes"))
        try peer.send(Packets.auth(.continueAuthentication, method: "ASK", data: "yes"))
        #expect(try peer.take(version: .v5) == ["AUTH 24 ASK question 2", "CONNACK 0 0 ASK done"])
        return peer
    }

    @Test("[MQTT-4.12.0-2], [MQTT-4.12.0-5] questions are asked and answered with AUTH, and CONNACK has the method and the last data")
    func asked() throws {
        let peer = try connected()
        #expect(peer.connection.identity?.userName == "asked")
        try peer.send(Packets.pingreq)
        #expect(try peer.take(version: .v5) == ["PINGRESP"])
    }

    @Test("[MQTT-4.12.0-5] without a question CONNACK has the method too")
    func notAsked() throws {
        exchange.questions = 0
        let peer = try server.open()
        try peer.send(Packets.connect("c", method: "ASK", data: "yes"))
        #expect(try peer.take(version: .v5) == ["CONNACK 0 0 ASK done"])
    }

    @Test("[MQTT-4.12.0-1] a method that nobody speaks is refused with Bad authentication method")
    func unknownMethod() throws {
        let peer = try server.open()
        try peer.send(Packets.connect("c", method: "OTHER"))
        #expect(try peer.take(version: .v5) == ["CONNACK 0 140"])
        #expect(!peer.isOpen)
    }

    @Test("[MQTT-4.12.0-4] a wrong answer is refused, and the connection ends")
    func wrongAnswer() throws {
        let peer = try begun()
        try peer.send(Packets.auth(.continueAuthentication, method: "ASK", data: "no"))
        #expect(try peer.take(version: .v5) == ["CONNACK 0 135"])
        #expect(!peer.isOpen)
        #expect(server.broker.clientCount == 0)
    }

    @Test("[MQTT-3.1.2-30], [MQTT-4.12.0-3] before CONNACK nothing but a proper AUTH is taken", arguments: [
        (Packets.pingreq, 130), (Packets.publish("a", "b", version: .v5), 130), (try! Packets.connect("c"), 130),
        (try! Packets.auth(.reAuthenticate, method: "ASK", data: "yes"), 130),
        (try! Packets.auth(.continueAuthentication, method: "OTHER", data: "yes"), 130),
        ([0xF0, 0], 130), ([0xF0, 1, 0x18], 130), ([0xF0, 2, 0x18, 0], 130), ([0xF0, 2, 0x99, 0], 130),
        ([0xF0, 5, 0x18, 3, 0x15, 0, 9], 129), ([0xF0, 6, 0x18, 4, 0x16, 0, 1, 0x61], 130), ([0xF1, 0], 129),
        ([0xF0, 0xFF, 0xFF, 0xFF, 0x7F], 149), ([0x00, 0x00], 129),
    ] as [([UInt8], Int)])
    func garbage(bytes: [UInt8], code: Int) throws {
        let peer = try begun()
        try peer.send(bytes + Packets.pingreq)
        #expect(try peer.take(version: .v5) == ["CONNACK 0 \(code)"])
        #expect(!peer.isOpen)
        #expect(server.broker.clientCount == 0)
    }

    @Test("a client may give up by DISCONNECT")
    func givenUp() throws {
        let peer = try begun()
        try peer.send(Packets.disconnect)
        #expect(try peer.take(version: .v5) == [])
        #expect(!peer.isOpen)
    }

    @Test("a client that does not answer is closed")
    func silent() throws {
        let peer = try begun()
        server.tick(after: .seconds(11))
        #expect(!peer.isOpen)
    }

    @Test("AUTH before MQTT 5.0 is malformed")
    func older() throws {
        let peer = try AuthenticationTests.server([], settings: ListenerSettings(name: "test")).open().connect("c", version: .v311)
        try peer.send([0xF0, 0])
        #expect(!peer.isOpen)
    }

    // MARK: Again

    @Test("a client may prove anew who it is, and goes on meanwhile")
    func again() throws {
        let peer = try connected()
        try peer.send(Packets.auth(.reAuthenticate, method: "ASK", data: "hello") + Packets.pingreq)
        #expect(try peer.take(version: .v5) == ["AUTH 24 ASK question 1", "PINGRESP"])
        try peer.send(Packets.auth(.continueAuthentication, method: "ASK", data: "yes"))
        try peer.send(Packets.auth(.continueAuthentication, method: "ASK", data: "yes"))
        #expect(try peer.take(version: .v5) == ["AUTH 24 ASK question 2", "AUTH 0 ASK done"])
        try peer.send(Packets.pingreq)
        #expect(try peer.take(version: .v5) == ["PINGRESP"])
    }

    @Test("also after its listener got another name, by which it then goes")
    func againRenamed() throws {
        let peer = try connected()
        server.listener.replace(settings: ListenerSettings(name: "renamed"), tls: nil)
        server.context.access?.authenticators = ["renamed": [exchange]]
        try peer.send(Packets.auth(.reAuthenticate, method: "ASK", data: "hello"))
        try peer.send(Packets.auth(.continueAuthentication, method: "ASK", data: "yes"))
        try peer.send(Packets.auth(.continueAuthentication, method: "ASK", data: "yes"))
        #expect(try peer.take(version: .v5) == ["AUTH 24 ASK question 1", "AUTH 24 ASK question 2", "AUTH 0 ASK done"])
        #expect(peer.connection.identity?.credentials.listener == "renamed")
    }

    @Test("[MQTT-4.12.1-2] one that fails to is disconnected")
    func againWrong() throws {
        let peer = try connected()
        try peer.send(Packets.auth(.reAuthenticate, method: "ASK", data: "hello"))
        try peer.send(Packets.auth(.continueAuthentication, method: "ASK", data: "no"))
        #expect(try peer.take(version: .v5) == ["AUTH 24 ASK question 1", "DISCONNECT 135"])
        #expect(!peer.isOpen)
    }

    @Test("[MQTT-4.12.1-1] and one that does so in another way, or without having been asked", arguments: [
        try! Packets.auth(.reAuthenticate, method: "OTHER"), try! Packets.auth(.continueAuthentication, method: "ASK", data: "yes"),
        [0xF0, 0], [0xF0, 2, 0x19, 0],
    ] as [[UInt8]])
    func againGarbage(bytes: [UInt8]) throws {
        let peer = try connected()
        try peer.send(bytes)
        #expect(try peer.take(version: .v5) == ["DISCONNECT 130"])
        #expect(!peer.isOpen)
    }

    @Test("[MQTT-4.12.0-7] without a method in CONNECT there is no AUTH")
    func uninvited() throws {
        let peer = try AuthenticationTests.server([exchange], settings: ListenerSettings(name: "test")).open().connect("c")
        try peer.send(Packets.auth(.reAuthenticate, method: "ASK", data: "hello"))
        #expect(try peer.take(version: .v5) == ["DISCONNECT 130"])
    }

    @Test("a client that does not end its re-authentication is closed")
    func againSilent() throws {
        let peer = try connected()
        try peer.send(Packets.auth(.reAuthenticate, method: "ASK", data: "hello"))
        server.tick(after: .seconds(11))
        #expect(!peer.isOpen)
        #expect(server.broker.clientCount == 0)
    }
}
