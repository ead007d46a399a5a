/// The files of one certificate, both in PEM.
public struct TLSCertificateFiles: Sendable, Equatable {
    /// The certificate, followed by the intermediate ones that lead to its root.
    public var certificateFile: String
    /// Its private key, without a passphrase.
    public var keyFile: String

    public init(certificateFile: String, keyFile: String) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }
}

/// What a server offers its clients.
public struct TLSServerConfiguration: Sendable, Equatable {
    /// Whether clients show a certificate.
    public enum ClientCertificate: Sendable {
        /// They are not asked for one.
        case none
        /// They are asked; one that is shown has to be valid.
        case optional
        /// Without a valid one there is no connection.
        case required
    }

    /// The certificate for clients that name no host, or one that ``serverNames`` does not have. Nil only if there is a
    /// ``pskFile``.
    public var certificate: TLSCertificateFiles?
    /// More certificates by the host name that the client asks for (SNI); `*.example.com` stands for one label.
    public var serverNames: [String: TLSCertificateFiles]
    /// The authorities whose client certificates are accepted, in PEM.
    public var clientCAFile: String?
    public var clientCertificate: ClientCertificate
    /// Lists of revoked client certificates, in PEM; one of each authority that issues them.
    public var crlFile: String?
    /// Pre-shared keys, `identity:hexadecimal key` in each line.
    public var pskFile: String?
    public var minimumVersion: TLSVersion
    /// OpenSSL's cipher list for TLS 1.2; if nil OpenSSL's default with what is cheap first.
    public var ciphers: String?
    /// OpenSSL's cipher suites for TLS 1.3; OpenSSL's default if nil.
    public var cipherSuites: String?
    /// Protocol names that are accepted if a client sends any (ALPN), the best first; clients may send none. Not negotiated
    /// if empty.
    public var alpn: [String]

    public init(
        certificate: TLSCertificateFiles? = nil, serverNames: [String: TLSCertificateFiles] = [:], clientCAFile: String? = nil,
        clientCertificate: ClientCertificate = .none, crlFile: String? = nil, pskFile: String? = nil,
        minimumVersion: TLSVersion = .v12, ciphers: String? = nil, cipherSuites: String? = nil, alpn: [String] = []
    ) {
        self.certificate = certificate
        self.serverNames = serverNames
        self.clientCAFile = clientCAFile
        self.clientCertificate = clientCertificate
        self.crlFile = crlFile
        self.pskFile = pskFile
        self.minimumVersion = minimumVersion
        self.ciphers = ciphers
        self.cipherSuites = cipherSuites
        self.alpn = alpn
    }
}
