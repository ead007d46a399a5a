import Broker
import Core
import Logging
import MQTTCodec
import NIOCore
import Security

// Between CONNECT and CONNACK: who is it?
//
//                 ┌───────────────────────────────> broker.connect (nothing to ask)
//     CONNECT ──> │ asked: reading stops ──answer─> broker.connect, or CONNACK with the reason after a while
//                 │              └──── continues ─> AUTH, reading goes on for one AUTH of the client, and so on
//
// What the client sends behind its CONNECT is held meanwhile, as far as one read had brought it.

/// A client that is on its way to a proof of who it is.
final class Authentication {
    /// nil for a re-authentication (MQTT 5.0 §4.12.1).
    let packet: ConnectPacket?
    let credentials: Credentials
    /// The one that is asked, and those that are if it does not know the client.
    fileprivate var current: any Authenticator
    fileprivate var others: ArraySlice<any Authenticator>
    fileprivate var attempt: AuthenticationAttempt?
    /// An AUTH of the client is due.
    fileprivate var awaitsClient = false

    fileprivate init?(packet: ConnectPacket?, credentials: Credentials, authenticators: [any Authenticator]) {
        guard let first = authenticators.first else { return nil }
        self.packet = packet
        self.credentials = credentials
        current = first
        others = authenticators.dropFirst()
    }
}

extension MQTTConnection {
    // MARK: CONNECT

    /// A CONNECT has come.
    func authenticate(_ packet: ConnectPacket, _ access: AccessControl, now: MonotonicTime, wall: Timestamp) {
        version = packet.version
        maximumPacketSize = packet.properties.maximumPacketSize.map(Int.init) ?? .max
        let address = networkAddress
        if packet.properties.authenticationMethod == nil, access.isTrusted(settings, isLocal: address?.isLoopback ?? true) {
            return accept(packet, now: now, wall: wall)
        }
        let credentials = credentials(of: packet, from: address)
        if let reason = access.refusal(of: credentials, now: now) {
            return refuse(credentials, reason, "refused a connection")
        }
        switch access.way(of: credentials, settings: settings) {
        case .accepted(let principal):
            identity = ClientIdentity(principal: principal, credentials: credentials)
            accept(packet, now: now, wall: wall)
        case .refused(let reason, let words):
            phase = .authenticating
            pause(.login)
            fail(credentials, reason, words, now: now)
        case .asked(let authenticators):
            guard let authentication = Authentication(packet: packet, credentials: credentials, authenticators: authenticators),
                access.begin(self, now: now)
            else { return refuse(credentials, .serverBusy, "refused a connection: too many are being authenticated") }
            self.authentication = authentication
            phase = .authenticating
            pause(.login)
            ask(authentication, data: packet.properties.authenticationData, now: now)
        }
    }

    private func credentials(of packet: ConnectPacket, from address: NetworkAddress?) -> Credentials {
        let peer = tlsPeer
        return Credentials(
            listener: settings.name, address: address, clientIdentifier: packet.clientIdentifier,
            userName: packet.userName, password: packet.password, certificate: peer.flatMap { CertificateIdentity($0) },
            pskIdentity: peer?.pskIdentity, version: packet.version, method: packet.properties.authenticationMethod)
    }

    // MARK: Asking

    private func ask(_ authentication: Authentication, data: [UInt8]?, now: MonotonicTime) {
        let attempt = AuthenticationAttempt(credentials: authentication.credentials, data: data) { [weak self] answer in
            guard let self, self.authentication === authentication else { return }
            self.take(answer, of: authentication)
        }
        authentication.attempt = attempt
        authentication.current.authenticate(attempt, now: now)
    }

    private func take(_ answer: AuthenticationAnswer, of authentication: Authentication) {
        let now = SystemClock.monotonic()
        switch answer {
        case .accepted where listener.isGone:
            refuseLogin(authentication, .serverUnavailable, "the listener was removed meanwhile", now: now)
        case .accepted(let principal, let data):
            // What holds is what holds now: the listener and the users may have changed since the question was asked.
            let identity = identity(of: principal, authentication)
            let settings = listener.settings
            if let access = shared.access, !access.stillKnows(identity, settings: settings) {
                let words = access.objection(to: principal, of: identity.credentials, settings: settings)
                refuseLogin(authentication, .notAuthorized, words ?? "the user is not known any more", now: now)
            } else {
                settle(authentication, identity, data: data, now: now)
            }
        case .continues(let data):
            // [MQTT-4.12.0-6] without a method in CONNECT no AUTH is sent.
            guard let method = authentication.credentials.method else {
                return refuseLogin(authentication, .notAuthorized, "an answer without a method", now: now)
            }
            // [MQTT-4.12.0-2] the reason code is 0x18; [MQTT-4.12.0-5] with the client's own method.
            authentication.awaitsClient = true
            send(AuthPacket(reasonCode: .continueAuthentication), method: method, data: data)
            if authentication.packet != nil { resume(.login) }
        case .refused(let reason, let words):
            refuseLogin(authentication, reason, words, now: now)
        case .unknown:
            guard let next = authentication.others.popFirst() else {
                return refuseLogin(authentication, .badUserNameOrPassword, "unknown user", now: now)
            }
            authentication.current = next
            ask(authentication, data: authentication.attempt?.data, now: now)
        }
        shared.turn()
    }

    private func identity(of principal: Principal, _ authentication: Authentication) -> ClientIdentity {
        var credentials = authentication.credentials
        // The listener may have got another name meanwhile.
        credentials.listener = listener.settings.name
        return ClientIdentity(principal: principal, credentials: credentials)
    }

    private func settle(_ authentication: Authentication, _ proven: ClientIdentity, data: [UInt8]?, now: MonotonicTime) {
        let credentials = proven.credentials
        shared.access?.admission.succeeded(credentials)
        endAuthentication()
        identity = proven
        if let packet = authentication.packet {
            accept(packet, authenticationData: credentials.method == nil ? nil : data ?? [], now: now, wall: SystemClock.wall())
            resume(.login)
        } else {
            log(.debug, "authenticated anew")
            shared.broker.identityChanged(of: self)
            send(AuthPacket(reasonCode: .success), method: credentials.method ?? "", data: data)
        }
    }

    private func refuseLogin(_ authentication: Authentication, _ reason: ReasonCode, _ words: String, now: MonotonicTime) {
        endAuthentication()
        if authentication.packet != nil {
            // [MQTT-4.12.0-4] it may be refused at any point.
            fail(authentication.credentials, reason, words, now: now)
        } else {
            // [MQTT-4.12.1-2] a failed re-authentication ends the connection.
            log(.notice, "closed a connection that failed to authenticate anew", words)
            _ = shared.access?.failed(authentication.credentials, now: now)
            shared.broker.close(self, reason: reason, now: now, wall: SystemClock.wall())
        }
    }

    /// Nobody waits for an answer any more.
    func endAuthentication() {
        shared.access?.end(self)
        authentication?.attempt?.cancel()
        authentication = nil
    }

    func authenticationTimedOut() {
        guard let authentication else {
            // A refusal whose time to be said was slept through.
            endAuthentication()
            return end()
        }
        if authentication.packet == nil {
            return refuseLogin(authentication, .notAuthorized, "it took too long", now: SystemClock.monotonic())
        }
        endAuthentication()
        refuse(authentication.credentials, .unspecifiedError, "closed a connection whose authentication took too long")
    }

    // MARK: Refusing

    /// A login failed: the answer waits, longer each time.
    private func fail(_ credentials: Credentials, _ reason: ReasonCode, _ words: String, now: MonotonicTime) {
        pause(.login)
        let counts = reason == .badUserNameOrPassword || reason == .notAuthorized
        let delay = counts ? shared.access?.failed(credentials, now: now) ?? .zero : .zero
        guard delay > .zero, let access = shared.access, access.begin(self, now: now) else {
            return refuse(credentials, reason, "a client failed to log in", words)
        }
        let bound = NIOLoopBound(self, eventLoop: shared.eventLoop)
        shared.eventLoop.scheduleTask(in: .nanoseconds(delay.wholeNanoseconds)) {
            guard case .authenticating = bound.value.phase else { return }
            bound.value.endAuthentication()
            bound.value.refuse(credentials, reason, "a client failed to log in", words)
        }
    }

    /// CONNACK with a reason, as far as the version has a code for it, and the end [MQTT-3.1.4-2].
    private func refuse(_ credentials: Credentials, _ reason: ReasonCode, _ message: StaticString, _ words: String = "") {
        let cause = words.isEmpty ? reason.explanation ?? "" : words
        let user = credentials.userName.map { "user name \($0.inQuotes), " } ?? ""
        log(.notice, message, cause, about: "\(user)client identifier \(credentials.clientIdentifier.inQuotes)", reason: reason)
        shared.broker.noteRefused(self, credentials: credentials, reason)
        var packet = ConnackPacket(sessionPresent: false, reasonCode: reason)
        packet.properties.reasonString = reason.explanation
        var buffer = ByteBuffer()
        _ = encode(packet, into: &buffer)
        write(buffer)
        end()
    }

    // MARK: AUTH

    private func send(_ packet: AuthPacket, method: String, data: [UInt8]?) {
        var packet = packet
        packet.properties.authenticationMethod = method
        packet.properties.authenticationData = data
        var buffer = ByteBuffer()
        guard (try? packet.write(version: .v5, into: &buffer)) != nil, buffer.readableBytes <= maximumPacketSize else {
            // [MQTT-3.1.2-24] nothing larger than the client takes.
            log(.notice, "closed a connection: an AUTH packet is larger than the client takes")
            return end()
        }
        write(buffer)
    }

    /// Writes one packet at once, past the outbox.
    private func write(_ buffer: ByteBuffer) {
        guard let context, buffer.readableBytes > 0 else { return }
        shared.traffic.packetsSent &+= 1
        shared.traffic.bytesSent &+= UInt64(buffer.readableBytes)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    /// A packet of a client whose CONNECT has not been answered.
    func authenticationGoesOn(_ frame: Frame, _ body: UnsafeRawBufferPointer, now: MonotonicTime) throws(DecodeError) {
        switch frame.type {
        case .auth:
            try proceed(with: try AuthPacket.read(body: body), now: now)
        case .disconnect:
            endAuthentication()
            end()
        default:
            // [MQTT-3.1.2-30] nothing but AUTH and DISCONNECT before CONNACK.
            throw MQTTConnection.protocolError("packet type \(frame.type) before the authentication is over")
        }
    }

    private func proceed(with packet: AuthPacket, now: MonotonicTime) throws(DecodeError) {
        guard let authentication, let attempt = authentication.attempt, authentication.awaitsClient else {
            throw MQTTConnection.protocolError("AUTH that nobody asked for")
        }
        // [MQTT-4.12.0-3] the client's answer has reason code 0x18, [MQTT-4.12.0-5] and the method of its CONNECT.
        guard packet.reasonCode == .continueAuthentication else {
            throw MQTTConnection.protocolError("AUTH with another reason code than 0x18")
        }
        guard packet.properties.authenticationMethod == authentication.credentials.method else {
            throw MQTTConnection.protocolError("AUTH with another method than CONNECT")
        }
        authentication.awaitsClient = false
        if authentication.packet != nil { pause(.login) }
        attempt.proceed(data: packet.properties.authenticationData)
        authentication.current.authenticate(attempt, now: now)
    }

    /// AUTH on an open connection (MQTT 5.0 §4.12.1). Other packets go on meanwhile, with the permissions of before.
    func reauthenticate(_ packet: AuthPacket, now: MonotonicTime) throws(DecodeError) {
        // [MQTT-4.12.0-7] without a method in CONNECT there is no AUTH.
        guard let credentials = identity?.credentials, let method = credentials.method else {
            throw MQTTConnection.protocolError("AUTH without a method in CONNECT")
        }
        if authentication != nil { return try proceed(with: packet, now: now) }
        guard packet.reasonCode == .reAuthenticate else {
            throw MQTTConnection.protocolError("AUTH that nobody asked for")
        }
        // [MQTT-4.12.1-1] with the method of CONNECT.
        guard packet.properties.authenticationMethod == method else {
            throw MQTTConnection.protocolError("re-authentication with another method than CONNECT")
        }
        let authenticators = shared.access?.authenticators(of: listener.settings).filter { $0.method == method } ?? []
        guard let begun = Authentication(packet: nil, credentials: credentials, authenticators: authenticators) else {
            throw DecodeError(reasonCode: .notAuthorized, reason: "the authentication method is not supported any more", offset: 0)
        }
        // One that does not end is ended with the connection.
        guard shared.access?.begin(self, now: now) == true else {
            throw DecodeError(reasonCode: .serverBusy, reason: "too many are being authenticated", offset: 0)
        }
        authentication = begun
        ask(begun, data: packet.properties.authenticationData, now: now)
    }
}
