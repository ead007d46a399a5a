public import MQTTCodec

/// What a client shows of who it is, when it sends CONNECT.
public struct Credentials: Sendable {
    /// The name of the listener that it came through.
    public var listener: String
    /// nil for a client on this machine that came through a Unix socket.
    public var address: NetworkAddress?
    /// Empty if the client asks the broker for one.
    public var clientIdentifier: String
    public var userName: String?
    public var password: [UInt8]?
    /// What the client proved with its TLS certificate.
    public var certificate: CertificateIdentity?
    /// The identity whose TLS pre-shared key the client has.
    public var pskIdentity: String?
    public var version: ProtocolVersion
    /// Authentication Method of MQTT 5.0 (§3.1.2.11.9).
    public var method: String?

    public init(
        listener: String, address: NetworkAddress?, clientIdentifier: String, userName: String? = nil,
        password: [UInt8]? = nil, certificate: CertificateIdentity? = nil, pskIdentity: String? = nil,
        version: ProtocolVersion = .v5, method: String? = nil
    ) {
        self.listener = listener
        self.address = address
        self.clientIdentifier = clientIdentifier
        self.userName = userName
        self.password = password
        self.certificate = certificate
        self.pskIdentity = pskIdentity
        self.version = version
        self.method = method
    }

    /// Whether the client shows nothing at all.
    public var isAnonymous: Bool {
        userName == nil && password == nil && certificate == nil && pskIdentity == nil && method == nil
    }

    /// Whether the client is on this machine.
    public var isLocal: Bool { address?.isLoopback ?? true }
}

/// Whom a verified TLS certificate names.
public struct CertificateIdentity: Sendable, Equatable {
    /// The subject as RFC 4514 writes it: `CN=pump-7,O=Plant`.
    public var subject: String
    /// The subject's common name, if it has one.
    public var commonName: String?
    /// The subject alternative names, by kind.
    public var dnsNames: [String]
    public var emailAddresses: [String]
    public var uris: [String]

    public init(
        subject: String, commonName: String?, dnsNames: [String] = [], emailAddresses: [String] = [], uris: [String] = []
    ) {
        self.subject = subject
        self.commonName = commonName
        self.dnsNames = dnsNames
        self.emailAddresses = emailAddresses
        self.uris = uris
    }
}

/// Who a connected client is, once that is settled: what its permissions are found by.
public struct Principal {
    /// How it was found out.
    public enum Origin: Sendable, Hashable {
        /// The client showed nothing, or nobody looked at what it showed.
        case anonymous
        case password
        case certificate
        case psk
        case scram
        /// An ``Authenticator`` of another kind.
        case other
    }

    /// nil unless somebody has made sure of it.
    public var userName: String?
    public var origin: Origin
    /// What it may do, if the authenticator decides that; nil leaves it to the access rules.
    public var permissions: Permissions?

    public init(userName: String?, origin: Origin, permissions: Permissions? = nil) {
        self.userName = userName
        self.origin = origin
        self.permissions = permissions
    }

    public static var anonymous: Principal { Principal(userName: nil, origin: .anonymous) }
}
