extension MartletConfiguration.Bridge {
    /// `[bridge.tls]`: whom the bridge trusts, and what it shows of itself. Paths are as written; see
    /// ``MartletConfiguration/resolve(path:)``.
    public struct TLS: Sendable, Equatable {
        /// nil for the authorities that the machine trusts.
        public var caFile: String?
        public var crlFile: String?
        /// nil for the host.
        public var serverName: String?
        public var certificateFile: String?
        /// Not nil when there is a certificate.
        public var keyFile: String?
        public var pskFile: String?
        /// Not nil when there is a file of keys.
        public var pskIdentity: String?
        public var minVersion = MartletConfiguration.Listener.TLSVersion.v12
        /// nil for OpenSSL's own choice, as ``cipherSuites``.
        public var ciphers: String?
        public var cipherSuites: String?
        public var alpn: [String]?
        public var insecureNoVerification = false
        public package(set) var source = TableSource()

        public init() {}
    }

    /// Compares the keys about TLS with those of the bridge.
    func checkTLS(_ findings: inout Findings) {
        if !transport.usesTLS, tls.source.position.line > 0, source.isSound("transport") {
            findings.report(tls.source.position, "[bridge.tls] has a meaning only when transport is \"tls\" or \"wss\"")
        }
    }
}

extension MartletConfiguration.Bridge.TLS: ConfigurationTable {
    private static let hasCertificate = Key<Self>.Condition("certificate-file", text: "there is a certificate-file") {
        $0.certificateFile != nil
    }
    private static let hasPSK = Key<Self>.Condition("psk-file", text: "there is a psk-file") { $0.pskFile != nil }
    private static let verifies = Key<Self>.Condition(
        "psk-file", "insecure-no-verification", text: "the server's certificate is verified: without psk-file and insecure-no-verification"
    ) { $0.pskFile == nil && !$0.insecureNoVerification }
    private static let hasNoPSK = Key<Self>.Condition("psk-file", text: "there is no psk-file") { $0.pskFile == nil }

    package static let schema = Schema<Self>("Whom the bridge trusts, and what it shows of itself. All files are read anew for each connection.") {
        Key(
            "ca-file", \.caFile, .path, when: verifies, example: "upstream-ca.pem",
            help: "Certificates of the authorities that the server's certificate may come from, as PEM. When not set: those that the machine trusts."
        )
        Key("crl-file", \.crlFile, .path, when: verifies, example: "revoked.crl", help: "Lists of revoked server certificates, as PEM.")
        Key(
            "server-name", \.serverName, .host, when: hasNoPSK, example: "broker.example.com",
            help: "The name that the server's certificate has to be for, and that it is asked for. When not set: the host."
        )
        Key(
            "certificate-file", \.certificateFile, .path, when: hasNoPSK, example: "box.pem",
            help: "The certificate that the bridge shows, and those between it and the root, as PEM."
        )
        Key(
            "key-file", \.keyFile, .path, .required, when: hasCertificate, example: "box.key",
            help: "The certificate's private key, as PEM without a password."
        )
        Key(
            "psk-file", \.pskFile, .path, example: "upstream.psk",
            help: "A key that both sides know, in place of certificates: identity:key in hexadecimal, one a line."
        )
        Key(
            "psk-identity", \.pskIdentity, .mqttString(bytes: 1...127), .required, when: hasPSK, example: "box-1",
            help: "The identity in psk-file."
        )
        Key("min-version", \.minVersion, .choice(MartletConfiguration.Listener.TLSVersion.self), help: "The oldest version of TLS.")
        Key(
            "ciphers", \.ciphers, .line(bytes: 4096), example: "ECDHE+AESGCM:ECDHE+CHACHA20",
            help: "Ciphers of TLS 1.2, as OpenSSL writes them."
        )
        Key(
            "cipher-suites", \.cipherSuites, .line(bytes: 4096), example: "TLS_AES_128_GCM_SHA256",
            help: "Cipher suites of TLS 1.3, as OpenSSL writes them."
        )
        Key(
            "alpn", \.alpn, .list(of: .line(bytes: 255), limit: 16), example: ["x-amzn-mqtt-ca"],
            help: "Names of the protocol to offer (ALPN), the best first: for servers that have several services at one port."
        )
        Key(
            "insecure-no-verification", \.insecureNoVerification, .boolean, when: hasNoPSK,
            help: "Takes any certificate: whoever stands between reads the passwords and forges every command. For a test bench only."
        )
    }
}
