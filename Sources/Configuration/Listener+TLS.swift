extension MartletConfiguration.Listener {
    /// The keys of a `[[listener]]` that are about TLS. Paths are as written; see ``MartletConfiguration/resolve(path:)``.
    public struct TLS: Sendable, Equatable {
        /// nil for a listener without TLS, or one that only has ``pskFile``.
        public var certificateFile: String?
        /// Not nil when there is a certificate.
        public var keyFile: String?
        public var clientCertificate = ClientCertificate.none
        /// Not nil when clients are asked for a certificate.
        public var clientCAFile: String?
        public var crlFile: String?
        public var userFromCertificate = CertificateUser.no
        public var pskFile: String?
        public var userFromPSK = false
        /// Whether a certificate or a shared key is not enough.
        public var requirePassword = false
        public var minVersion = TLSVersion.v12
        /// nil for OpenSSL's own choice, as ``cipherSuites``.
        public var ciphers: String?
        public var cipherSuites: String?
        public var serverNames: [ServerName] = []

        public init() {}

        /// Whether the listener speaks TLS at all.
        public var isOn: Bool { certificateFile != nil || pskFile != nil }
    }

    public enum ClientCertificate: String, Sendable, CaseIterable {
        case none, optional, required
    }

    /// What of a client's certificate is its user name.
    public enum CertificateUser: String, Sendable, CaseIterable {
        case no
        case commonName = "common-name"
        /// The whole subject, as RFC 4514 writes it.
        case subject
        /// The first subject alternative name of the kind.
        case sanDNS = "san-dns"
        case sanEmail = "san-email"
        case sanURI = "san-uri"
    }

    public enum TLSVersion: String, Sendable, CaseIterable {
        case v12 = "1.2"
        case v13 = "1.3"
    }

    /// `[[listener.server-name]]`: the certificate for clients that ask for a certain host.
    public struct ServerName: Sendable, Equatable {
        public var host = ""
        public var certificateFile = ""
        public var keyFile = ""
        public package(set) var source = TableSource()

        public init() {}
    }

    /// Compares the keys about TLS with each other.
    func checkTLS(_ findings: inout Findings) {
        findings.reportDuplicates(tls.serverNames, "host", what: "server-name") { $0.host }
        if let first = tls.serverNames.first, tls.certificateFile == nil, source.isSound("certificate-file") {
            findings.report(
                first.source.position,
                "a server-name has a meaning only beside a certificate-file, which is for clients that ask for none of them")
        }
        if tls.requirePassword, allowAnonymous == true, source.isSound("require-password", "allow-anonymous") {
            findings.report(
                source["allow-anonymous"], "allow-anonymous = true and require-password = true exclude each other: remove one of them")
        }
        if tls.pskFile != nil, tls.clientCertificate == .required, source.isSound("psk-file", "client-certificate") {
            findings.report(
                source["client-certificate"],
                "client-certificate = \"required\" and a psk-file exclude each other, because a client with a shared key shows "
                    + "no certificate: make it \"optional\", or two listeners of it")
        }
    }
}

extension MartletConfiguration.Listener.ServerName: ConfigurationTable {
    package static let schema = Schema<Self>("The certificate for clients that ask for this host (Server Name Indication).") {
        Key("host", \.host, .serverName, .required, help: "The name that clients ask for.")
        Key("certificate-file", \.certificateFile, .path, .required, help: "As the listener's.")
        Key("key-file", \.keyFile, .path, .required, help: "As the listener's.")
    }
}
