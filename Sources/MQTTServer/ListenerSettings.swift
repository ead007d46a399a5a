/// What a connection knows of the listener that it came through. Immutable: a listener that is configured anew gets another
/// one, and connections keep the one that they came with.
public final class ListenerSettings: Sendable {
    public enum Transport: Sendable, Equatable {
        case tcp
        case unix
        /// - path: of the URL at which WebSockets are opened, beginning with `/`.
        case webSocket(path: String)
    }

    /// What of a client's certificate is its user name.
    public enum CertificateUser: Sendable, Equatable {
        case none, commonName, subject, sanDNS, sanEmail, sanURI
    }

    /// The listener's name in logs.
    public let name: String
    public let transport: Transport
    /// nil for most listeners.
    public let topicPrefix: TopicPrefix?
    /// Whether clients may connect without saying who they are.
    public let allowsAnonymous: Bool
    /// Connections of the listener at one time; one more is closed at once.
    public let maximumConnections: Int
    /// Bytes of the largest packet taken, if it is less than the broker's.
    public let maximumPacketSize: Int
    /// Time that a client has from the connection to its CONNECT, all handshakes included.
    public let connectTimeout: Duration
    /// Connections that may be without CONNECT at once; with one more the one that has waited longest is closed.
    public let maximumUnconnected: Int
    public let userFromCertificate: CertificateUser
    /// Whether the identity of a shared key is the user name.
    public let userFromPSK: Bool
    /// Whether clients have to know a password too, whatever TLS says of them. The user is the one whose password it is; a name
    /// that is taken from TLS has to be the same.
    public let requiresPassword: Bool
    /// Whether each connection begins with what a proxy says of its client.
    public let hasProxy: Bool

    public init(
        name: String, transport: Transport = .tcp, topicPrefix: TopicPrefix? = nil, allowsAnonymous: Bool = true,
        maximumConnections: Int = .max, maximumPacketSize: Int = .max, connectTimeout: Duration = .seconds(10),
        maximumUnconnected: Int = 2_000, userFromCertificate: CertificateUser = .none, userFromPSK: Bool = false,
        requiresPassword: Bool = false, hasProxy: Bool = false
    ) {
        self.name = name
        self.transport = transport
        self.topicPrefix = topicPrefix
        self.allowsAnonymous = allowsAnonymous
        self.maximumConnections = maximumConnections
        self.maximumPacketSize = maximumPacketSize
        self.connectTimeout = connectTimeout
        self.maximumUnconnected = maximumUnconnected
        self.userFromCertificate = userFromCertificate
        self.userFromPSK = userFromPSK
        self.requiresPassword = requiresPassword
        self.hasProxy = hasProxy
    }
}
