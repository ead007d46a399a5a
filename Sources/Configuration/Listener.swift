extension MartletConfiguration {
    /// `[[listener]]`: a place where MQTT clients connect.
    public struct Listener: Sendable, Equatable {
        public enum Transport: String, Sendable, CaseIterable {
            case tcp, websocket, unix
        }

        /// How clients prove that they know a password.
        public enum PasswordMethod: String, Sendable, CaseIterable {
            /// They show it in CONNECT.
            case password
            case scramSHA256 = "scram-sha-256"
        }

        public var name = "local"
        public var transport = Transport.tcp
        /// Without a meaning for a Unix socket, as ``port``.
        public var address = "127.0.0.1"
        public var port = 1883
        /// Not nil for a Unix socket. As written; see ``MartletConfiguration/resolve(path:)``.
        public var path: String?
        public var socketMode = FileMode(0o660)
        public var websocketPath = "/mqtt"
        /// nil: whoever need not come over the network may connect without a name.
        public var allowAnonymous: Bool?
        /// Users of this listener alone; nil for those of `[authentication]`. As written; see
        /// ``MartletConfiguration/resolve(path:)``.
        public var passwordFile: String?
        public var passwordMethods = PasswordMethod.allCases
        public var topicPrefix: String?
        /// nil for no limit but the broker's.
        public var maxConnections: Int?
        /// nil for the broker's.
        public var maxPacketSize: Int?
        public var proxyProtocol = false
        public var connectTimeout = Duration.seconds(10)
        public var maxUnconnected = 2000
        public var tls = TLS()
        public package(set) var source = TableSource()

        public init() {}

        /// Whether other machines can reach it.
        public var isReachable: Bool { transport != .unix && IPAddress(address)?.isLoopback != true }
    }
}

extension MartletConfiguration.Listener: ConfigurationTable {
    private static let isNetwork = Key<Self>.Condition("transport", text: "transport is \"tcp\" or \"websocket\"") {
        $0.transport != .unix
    }
    private static let isWebSocket = Key<Self>.Condition("transport", text: "transport is \"websocket\"") {
        $0.transport == .websocket
    }
    private static let isUnix = Key<Self>.Condition("transport", text: "transport is \"unix\"") { $0.transport == .unix }
    private static let hasCertificate = Key<Self>.Condition("certificate-file", text: "there is a certificate-file") {
        $0.tls.certificateFile != nil
    }
    private static let hasPSK = Key<Self>.Condition("psk-file", text: "there is a psk-file") { $0.tls.pskFile != nil }
    private static let hasTLS = Key<Self>.Condition(
        "certificate-file", "psk-file", text: "there is a certificate-file or a psk-file"
    ) { $0.tls.isOn }
    private static let asksClients = Key<Self>.Condition(
        "client-certificate", text: "client-certificate is \"optional\" or \"required\""
    ) { $0.tls.clientCertificate != .none }

    private static let knowsClients = Key<Self>.Condition(
        "client-certificate", "psk-file", text: "client-certificate is \"optional\" or \"required\", or there is a psk-file"
    ) { $0.tls.clientCertificate != .none || $0.tls.pskFile != nil }

    package static let schema = Schema<Self>("A place where MQTT clients connect. Without any there is one on 127.0.0.1:1883.") {
        Key("name", \.name, .name, help: "The listener's name in logs.")
        Key(
            "transport", \.transport, .choice(Transport.self),
            help: "What carries MQTT: TCP, WebSocket, or a socket in the file system for programs on this box."
        )
        Key(
            "address", \.address, .address, when: isNetwork,
            help: "The network interface by its address; 0.0.0.0 or :: for all of them."
        )
        Key("port", \.port, .integer(1...65_535), when: isNetwork, help: "TCP port.")
        Key("path", \.path, .path, .required, when: isUnix, help: "The socket's file. Relative to this file's folder.")
        Key(
            "socket-mode", \.socketMode, .fileMode, when: isUnix,
            help: "Permissions of the socket's file: who may write to it may connect."
        )
        Key(
            "websocket-path", \.websocketPath, .urlPath, when: isWebSocket,
            help: "The path of the URL at which WebSockets are opened."
        )
        Key(
            "allow-anonymous", \.allowAnonymous, .boolean, example: false,
            help: "Whether clients may connect without saying who they are. When not set: only on loopback and Unix sockets, and only without a password-file."
        )
        Key(
            "password-file", \.passwordFile, .path, example: "field-users",
            help: "Users of this listener, in place of those of [authentication]. Relative to this file's folder."
        )
        Key(
            "password-methods", \.passwordMethods, .list(of: .choice(PasswordMethod.self), limit: 2),
            help: "How clients prove that they know their password: with it in CONNECT, or by SCRAM-SHA-256."
        )
        Key(
            "topic-prefix", \.topicPrefix, .topicLevels, example: "site/7",
            help: "Levels that are put before all topics of the listener's clients, and removed on the way to them."
        )
        Key(
            "proxy-protocol", \.proxyProtocol, .boolean, when: isNetwork,
            help: "Whether a proxy stands before it that begins each connection with the client's address (PROXY protocol, version "
                + "1 or 2). Nobody but the proxy may then be able to connect."
        )
        Key(
            "max-connections", \.maxConnections, .integer(1...1_000_000), example: 1000,
            help: "Connections of this listener at one time; one more is closed at once. No limit but the broker's when not set."
        )
        Key(
            "max-packet-size", \.maxPacketSize, .size(.kibibytes(1)...(.mebibytes(256))), example: .kibibytes(64),
            help: "As in [broker], for this listener's clients; it can only be lower."
        )
        Key(
            "connect-timeout", \.connectTimeout, .duration(.seconds(1)...(.minutes(5))),
            help: "How long a connection may take to its CONNECT, the handshakes before it included."
        )
        Key(
            "max-unconnected", \.maxUnconnected, .integer(1...100_000), unit: "connections",
            help: "Connections without CONNECT at one time; with one more the one that has waited longest is closed."
        )
        Key(
            "certificate-file", \.tls.certificateFile, .path, when: isNetwork,
            help: "Makes it a TLS listener: its certificate and those between it and the root, as PEM. Relative to this file's folder."
        )
        Key(
            "key-file", \.tls.keyFile, .path, .required, when: hasCertificate,
            help: "The certificate's private key, as PEM without a password."
        )
        Key(
            "client-certificate", \.tls.clientCertificate, .choice(ClientCertificate.self), when: hasCertificate,
            help: "Whether clients show a certificate too."
        )
        Key(
            "client-ca-file", \.tls.clientCAFile, .path, .required, when: asksClients,
            help: "Certificates of the authorities that clients' certificates must come from, as PEM."
        )
        Key(
            "crl-file", \.tls.crlFile, .path, when: asksClients, example: "revoked.crl",
            help: "Lists of revoked client certificates, as PEM."
        )
        Key(
            "user-from-certificate", \.tls.userFromCertificate, .choice(CertificateUser.self), when: asksClients,
            help: "What of the client's certificate is its user name."
        )
        Key(
            "psk-file", \.tls.pskFile, .path, when: isNetwork,
            help: "Makes it a TLS listener for clients that share a key with it: identity:key in hexadecimal, one a line."
        )
        Key("user-from-psk", \.tls.userFromPSK, .boolean, when: hasPSK, help: "Whether the identity is the user name.")
        Key(
            "require-password", \.tls.requirePassword, .boolean, when: knowsClients,
            help: "Whether clients have to know a password too, beside their certificate or shared key. The user is the one of the "
                + "CONNECT; with user-from-certificate or user-from-psk it has to be the same."
        )
        Key("min-tls-version", \.tls.minVersion, .choice(TLSVersion.self), when: hasTLS, help: "The oldest version of TLS.")
        Key(
            "ciphers", \.tls.ciphers, .line(bytes: 4096), when: hasTLS, example: "ECDHE+AESGCM:ECDHE+CHACHA20",
            help: "Ciphers of TLS 1.2, as OpenSSL writes them."
        )
        Key(
            "cipher-suites", \.tls.cipherSuites, .line(bytes: 4096), when: hasTLS, example: "TLS_AES_128_GCM_SHA256",
            help: "Cipher suites of TLS 1.3, as OpenSSL writes them."
        )
        Subtable("server-name", \.tls.serverNames, limit: 64)
    } check: { listener, findings in
        listener.checkTLS(&findings)
    }

    static var examples: [Self] {
        [
            .example {
                $0.name = "field"
                $0.address = "192.0.2.1"
                $0.port = 8883
                $0.passwordFile = "field-users"
                $0.topicPrefix = "field"
                $0.tls.certificateFile = "server.crt"
                $0.tls.keyFile = "server.key"
                $0.tls.clientCertificate = .required
                $0.tls.clientCAFile = "clients-ca.crt"
                $0.tls.crlFile = "revoked.crl"
                $0.tls.userFromCertificate = .commonName
                $0.tls.minVersion = .v13
                $0.tls.ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"
                $0.tls.cipherSuites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
                $0.tls.serverNames = [
                    .example {
                        $0.host = "box.example.com"
                        $0.certificateFile = "box.crt"
                        $0.keyFile = "box.key"
                    }
                ]
            },
            .example {
                $0.name = "sensors"
                $0.address = "192.0.2.1"
                $0.port = 8884
                $0.tls.pskFile = "psk.txt"
                $0.tls.userFromPSK = true
            },
            .example {
                $0.name = "browsers"
                $0.transport = .websocket
                $0.address = "127.0.0.1"
                $0.port = 8080
            },
            .example {
                $0.name = "programs"
                $0.transport = .unix
                $0.path = "/run/martlet/mqtt.sock"
            },
        ]
    }
}
