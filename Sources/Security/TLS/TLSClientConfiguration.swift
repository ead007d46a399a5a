/// How a client trusts a server, and what it shows of itself.
public struct TLSClientConfiguration: Sendable, Equatable {
    /// Whose server certificates are believed.
    public enum Trust: Sendable, Equatable {
        /// The authorities that the machine trusts.
        case system
        /// The authorities of a file in PEM.
        case file(String)
    }

    /// An identity and the key that both sides know.
    public struct PreSharedKey: Sendable, Equatable {
        public var identity: String
        public var key: [UInt8]

        public init(identity: String, key: [UInt8]) {
            self.identity = identity
            self.key = key
        }
    }

    public var trust: Trust
    /// Lists of revoked certificates, in PEM.
    public var crlFile: String?
    /// Whether the certificate has to be for the host that is connected to. Without it any certificate of a trusted
    /// authority does.
    public var verifiesHost: Bool
    /// What the client shows to a server that asks.
    public var certificate: TLSCertificateFiles?
    /// In place of certificates: with it no certificate of a server is accepted.
    public var preSharedKey: PreSharedKey?
    public var minimumVersion: TLSVersion
    /// Below TLS 1.3 for a server that gets it wrong.
    public var maximumVersion: TLSVersion
    /// OpenSSL's cipher list for TLS 1.2; OpenSSL's default if nil.
    public var ciphers: String?
    /// OpenSSL's cipher suites for TLS 1.3; OpenSSL's default if nil.
    public var cipherSuites: String?
    /// Protocol names that are offered (ALPN).
    public var alpn: [String]

    public init(
        trust: Trust = .system, crlFile: String? = nil, verifiesHost: Bool = true, certificate: TLSCertificateFiles? = nil,
        preSharedKey: PreSharedKey? = nil, minimumVersion: TLSVersion = .v12, maximumVersion: TLSVersion = .v13,
        ciphers: String? = nil, cipherSuites: String? = nil, alpn: [String] = []
    ) {
        self.trust = trust
        self.crlFile = crlFile
        self.verifiesHost = verifiesHost
        self.certificate = certificate
        self.preSharedKey = preSharedKey
        self.minimumVersion = minimumVersion
        self.maximumVersion = maximumVersion
        self.ciphers = ciphers
        self.cipherSuites = cipherSuites
        self.alpn = alpn
    }
}
