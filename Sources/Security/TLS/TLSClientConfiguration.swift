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
        enum Source: Sendable, Equatable {
            case bytes([UInt8])
            case file(String)
        }

        public var identity: String
        let source: Source

        public init(identity: String, key: [UInt8]) {
            self.identity = identity
            source = .bytes(key)
        }

        /// - Parameter file: holds the identity's key, as ``PSKFile`` has them.
        public init(identity: String, file: String) {
            self.identity = identity
            source = .file(file)
        }

        /// The key, and the file that everybody on this machine can read, if that is so.
        func load() throws(TLSError) -> (key: [UInt8], warnings: [String]) {
            switch source {
            case .bytes(let key):
                try PSKFile.check(identity: Array(identity.utf8), key: key, place: "pre-shared key")
                return (key, [])
            case .file(let path):
                let file = try PSKFile(path: path)
                guard let key = file.keys[Array(identity.utf8)] else {
                    throw .configuration("\(path): holds no key of the identity \(identity.debugDescription)")
                }
                return (key, PSKFile.warnings(path))
            }
        }
    }

    public var trust: Trust
    /// Lists of revoked certificates, in PEM.
    public var crlFile: String?
    /// Whether the certificate has to be for the host that is connected to. Without it any certificate of a trusted
    /// authority does.
    public var verifiesHost: Bool
    /// Whether the certificate has to be one of a trusted authority, and valid. Without it whoever is in between is believed.
    public var verifiesCertificate: Bool
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
        trust: Trust = .system, crlFile: String? = nil, verifiesHost: Bool = true,
        verifiesCertificate: Bool = true, certificate: TLSCertificateFiles? = nil,
        preSharedKey: PreSharedKey? = nil, minimumVersion: TLSVersion = .v12, maximumVersion: TLSVersion = .v13,
        ciphers: String? = nil, cipherSuites: String? = nil, alpn: [String] = []
    ) {
        self.trust = trust
        self.crlFile = crlFile
        self.verifiesHost = verifiesHost
        self.verifiesCertificate = verifiesCertificate
        self.certificate = certificate
        self.preSharedKey = preSharedKey
        self.minimumVersion = minimumVersion
        self.maximumVersion = maximumVersion
        self.ciphers = ciphers
        self.cipherSuites = cipherSuites
        self.alpn = alpn
    }
}
