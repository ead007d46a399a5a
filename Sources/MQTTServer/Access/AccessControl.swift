public import Broker
import Core
public import Logging
import MQTTCodec

/// Who may connect to the listeners of one server: the authenticators, and the limits on coming and going.
///
/// Belongs to the server's event loop.
public final class AccessControl {
    /// By listener: asked one after the other, until one knows the client.
    public var authenticators: [String: [any Authenticator]]
    public private(set) var publishLimits: PublishLimits
    private var meters = PublishMeters()
    var admission: Admission
    private var authenticating = ConnectQueue()
    private unowned let broker: Broker
    private let logger: Logger

    /// Time that a client has from its CONNECT to the end of its authentication.
    static let timeout = Duration.seconds(10)
    /// Clients that may be on their way to a proof at one time; one more is told Server busy.
    static let maximumAuthenticating = 10_000

    public init(
        broker: Broker, logger: Logger, authenticators: [String: [any Authenticator]] = [:], limits: AdmissionLimits = AdmissionLimits(),
        publishLimits: PublishLimits = PublishLimits()
    ) {
        self.broker = broker
        self.logger = logger
        self.authenticators = authenticators
        self.publishLimits = publishLimits
        admission = Admission(limits: limits)
    }

    // MARK: The way to a proof

    /// What is to be done about a client.
    enum Way {
        /// It is clear who it is.
        case accepted(Principal)
        case refused(ReasonCode, reason: String)
        /// These are asked in turn.
        case asked([any Authenticator])
    }

    func authenticators(of settings: ListenerSettings) -> [any Authenticator] { authenticators[settings.name] ?? [] }

    /// How a client that shows these credentials proves who it is.
    func way(of credentials: Credentials, settings: ListenerSettings) -> Way {
        let authenticators = authenticators(of: settings)
        if let method = credentials.method {
            // [MQTT-4.12.0-1] a method that is not supported.
            guard let authenticator = authenticators.first(where: { $0.method == method }) else {
                let own = authenticators.compactMap(\.method).joined(separator: ", ")
                return .refused(
                    .badAuthenticationMethod,
                    reason: "the listener \(own.isEmpty ? "has no authentication methods" : "takes \(own) only"), not \(method.inQuotes)")
            }
            return .asked([authenticator])
        }
        let asked = authenticators.filter { $0.method == nil }
        if settings.requiresPassword {
            guard credentials.userName != nil || credentials.password != nil else {
                return .refused(.notAuthorized, reason: "the client shows no password (require-password)")
            }
            if asked.isEmpty { return .refused(.notAuthorized, reason: AccessControl.words(about: credentials, authenticators)) }
            // Before anybody looks at the password: else the answer would tell whether it is that of somebody else.
            if let words = AccessControl.objection(toUser: credentials.userName, of: credentials, settings: settings) {
                return .refused(.notAuthorized, reason: words)
            }
            return .asked(asked)
        }
        switch AccessControl.tlsName(of: credentials, settings) {
        case .missing: return .refused(.notAuthorized, reason: "the certificate has no such name")
        case .certificate(let name): return .accepted(Principal(userName: name, origin: .certificate))
        case .psk(let identity): return .accepted(Principal(userName: identity, origin: .psk))
        case .notTaken: break
        }
        if !asked.isEmpty, credentials.userName != nil || credentials.password != nil { return .asked(asked) }
        // A certificate or a key that was verified is proof enough, even if it does not give a name.
        if credentials.certificate != nil { return .accepted(Principal(userName: nil, origin: .certificate)) }
        if credentials.pskIdentity != nil { return .accepted(Principal(userName: nil, origin: .psk)) }
        guard settings.allowsAnonymous else {
            return .refused(.notAuthorized, reason: AccessControl.words(about: credentials, authenticators))
        }
        return .accepted(.anonymous)
    }

    /// What TLS says of the user name.
    private enum TLSName {
        case certificate(String), psk(String)
        /// The listener takes none.
        case notTaken
        /// The listener takes one, and the certificate has none.
        case missing
    }

    private static func tlsName(of credentials: Credentials, _ settings: ListenerSettings) -> TLSName {
        if let certificate = credentials.certificate, settings.userFromCertificate != .none {
            return certificate.name(settings.userFromCertificate).map { .certificate($0) } ?? .missing
        }
        if let identity = credentials.pskIdentity, settings.userFromPSK { return .psk(identity) }
        return .notTaken
    }

    /// Why somebody who has proved that he knows a password is not let in all the same; nil if nothing is against him.
    func objection(to principal: Principal, of credentials: Credentials, settings: ListenerSettings) -> String? {
        AccessControl.objection(toUser: principal.userName, of: credentials, settings: settings)
    }

    private static func objection(toUser user: String?, of credentials: Credentials, settings: ListenerSettings) -> String? {
        guard settings.requiresPassword else { return nil }
        switch AccessControl.tlsName(of: credentials, settings) {
        case .notTaken: return nil
        case .missing: return "the certificate has no such name"
        case .certificate(let name), .psk(let name):
            // By bytes: to `String` a composed and a decomposed "é" are the same.
            if let user, user.utf8.elementsEqual(name.utf8) { return nil }
            return "the password is that of \((user ?? "").inQuotes), and TLS says \(name.inQuotes) (require-password)"
        }
    }

    /// Why somebody does not get in whom no authenticator is asked about.
    private static func words(about credentials: Credentials, _ authenticators: [any Authenticator]) -> String {
        guard credentials.userName != nil || credentials.password != nil else { return "the client does not say who it is" }
        let methods = authenticators.compactMap(\.method).joined(separator: ", ")
        return methods.isEmpty
            ? "the client sends a user name or a password, and the listener has no password file to look it up in"
            : "the client sends a user name or a password, and the listener takes \(methods) only (password-methods)"
    }

    /// Whether nothing can come of looking at a client that shows nothing: it is on this machine, and nothing is configured.
    func isTrusted(_ settings: ListenerSettings, isLocal: Bool) -> Bool {
        authenticators(of: settings).isEmpty && admission.isIdle && isLocal && settings.allowsAnonymous && !settings.requiresPassword
            && settings.userFromCertificate == .none && !settings.userFromPSK && broker.accessRules?.isTrivial ?? true
    }

    /// Whether somebody who was let in once would be let in today.
    public func stillKnows(_ identity: ClientIdentity, settings: ListenerSettings?) -> Bool {
        let principal = identity.principal
        let hasName = principal.userName != nil
        guard let settings else { return false }
        switch principal.origin {
        case .anonymous: return settings.allowsAnonymous
        case .certificate where settings.requiresPassword, .psk where settings.requiresPassword: return false
        case .certificate: return (settings.userFromCertificate != ListenerSettings.CertificateUser.none) == hasName
        case .psk: return settings.userFromPSK == hasName
        case .password, .scram, .other:
            return authenticators(of: settings).contains { $0.stillKnows(principal, of: identity.credentials) }
                && objection(to: principal, of: identity.credentials, settings: settings) == nil
        }
    }

    // MARK: Time

    /// - Returns: false if there are too many.
    func begin(_ connection: MQTTConnection, now: MonotonicTime) -> Bool {
        guard authenticating.count < AccessControl.maximumAuthenticating else { return false }
        connection.authenticationPlace = authenticating.append(connection, deadline: now + AccessControl.timeout)
        return true
    }

    func end(_ connection: MQTTConnection) {
        guard let place = connection.authenticationPlace else { return }
        authenticating.remove(place)
        connection.authenticationPlace = nil
    }

    /// Ends what takes too long.
    func tick(now: MonotonicTime) {
        while let oldest = authenticating.oldest, oldest.deadline <= now { oldest.connection.authenticationTimedOut() }
    }

    // MARK: Limits

    var countsAddresses: Bool { admission.limits.maximumConnectionsPerAddress != nil }

    /// Changes the limits; bans stay.
    public func replace(limits: AdmissionLimits, publishLimits: PublishLimits) {
        admission.limits = limits
        if publishLimits != self.publishLimits { meters.removeAll() }
        self.publishLimits = publishLimits
    }

    /// What measures the messages of a client that has connected; nil if it may publish as fast as it can.
    func meter(of connection: MQTTConnection, now: MonotonicTime) -> PublishMeter? {
        guard let session = connection.session else { return nil }
        return meters.meter(publishLimits, of: session.clientIdentifier, at: connection.networkAddress, now: now)
    }

    /// A login failed.
    ///
    /// - Returns: how long the answer waits.
    func failed(_ credentials: Credentials, now: MonotonicTime) -> Duration {
        defer { reportBans() }
        return admission.failed(credentials, now: now)
    }

    func refusal(of credentials: Credentials, now: MonotonicTime) -> ReasonCode? {
        defer { reportBans() }
        return admission.refusal(of: credentials, now: now)
    }

    private func reportBans() {
        for ban in admission.takeBans() {
            logger.warning(
                "banned",
                metadata: [
                    "subject": "\(ban.subject)", "seconds": "\(ban.time.components.seconds)", "reason": "\(ban.reason)",
                ])
            broker.noteBan(ban)
        }
    }
}

extension CertificateIdentity {
    /// What of it is a user's name; nil if there is no such thing.
    func name(_ kind: ListenerSettings.CertificateUser) -> String? {
        let name: String? =
            switch kind {
            case .none: nil
            case .subject: subject
            case .commonName: commonName
            case .sanDNS: dnsNames.first
            case .sanEmail: emailAddresses.first
            case .sanURI: uris.first
            }
        return name?.isEmpty == true ? nil : name
    }
}
