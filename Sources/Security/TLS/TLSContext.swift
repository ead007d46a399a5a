internal import COpenSSL
public import Core

/// All that connections of one listener, or to one server, have in common: certificates, authorities, versions, ciphers.
///
/// It never changes. To take in new files make a new context and give it to new connections; those that are there keep
/// theirs.
public final class TLSContext: Sendable {
    let main: ContextHandle
    let isServer: Bool
    /// Further certificates by the host name in lower case.
    let named: [String: ContextHandle]
    /// Keys by identity; for a client its only one.
    let preSharedKeys: [[UInt8]: [UInt8]]
    /// Accepted or offered protocols, the best first.
    let alpn: [[UInt8]]
    /// Whether a client compares the server's name with its certificate.
    let verifiesHost: Bool
    /// What can be used but should be mended, a sentence each: with the file and what to do.
    public let warnings: [String]
    /// When the first of our own certificates expires; nil without one.
    public let certificateExpiry: Timestamp?
    /// What was in the files that a server's context was made from.
    public let fileDigests: TLSFileDigests

    /// Bytes of the certificates that a peer shows.
    private static let maximumPeerChain = 32 * 1024
    /// OpenSSL's default for TLS 1.2, but with elliptic curves before the finite fields, which cost a small processor ten times
    /// as much.
    private static let ciphersByCost =
        "ECDHE+AESGCM:ECDHE+CHACHA20:kECDHEPSK+CHACHA20:kECDHEPSK:ALL:!COMPLEMENTOFDEFAULT:!eNULL:!aNULL:!SRP:!kRSAPSK"
    /// Pre-shared keys go with SHA-256 (RFC 8446 §4.2.11), and OpenSSL chooses the suite before it looks at them.
    private static let cipherSuitesForKeys =
        "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"

    /// What a server needs. Reads all files, so it may wait for a disk.
    ///
    /// - Parameter now: certificates and lists have to be valid at this time.
    /// - Throws: ``TLSError/configuration(_:)`` that names the file and what to do.
    public init(server: TLSServerConfiguration, now: Timestamp) throws(TLSError) {
        try TLSContext.check(server)
        try TLSContext.checkSuites(server)
        isServer = true
        verifiesHost = false
        alpn = try TLSContext.protocols(server.alpn)
        let trust: TrustStore?
        if let file = server.clientCAFile {
            trust = try TrustStore.load(caFile: file, crlFile: server.crlFile, now: now)
        } else {
            trust = nil
        }
        var warnings: [String] = []
        var sessionContext: [UInt8] = [server.clientCertificate == .none ? 0 : server.clientCertificate == .optional ? 1 : 2]
        var digests = TLSFileDigests()
        if let trust {
            sessionContext += Hash.sha256.digest(trust.contents)
            digests.clientAuthorities = trust.authoritiesDigest
            digests.revocationLists = trust.listsDigest
        }
        if let file = server.pskFile {
            let keys = try PSKFile(path: file)
            preSharedKeys = keys.keys
            sessionContext += keys.digest
            digests.preSharedKeys = keys.digest
            warnings += PSKFile.warnings(file)
        } else {
            preSharedKeys = [:]
        }
        // A session that was made under other rules of who may connect is not resumed.
        sessionContext = Hash.sha256.digest(sessionContext)

        var expiry: Timestamp?
        var certificates: [[UInt8]] = []
        func make(_ files: TLSCertificateFiles?, for host: String? = nil) throws(TLSError) -> ContextHandle {
            let handle = try ContextHandle(isServer: true)
            let cipherSuites = server.cipherSuites ?? (server.pskFile == nil ? nil : TLSContext.cipherSuitesForKeys)
            let ciphers = server.ciphers ?? TLSContext.ciphersByCost
            try handle.use(minimumVersion: server.minimumVersion, ciphers: ciphers, cipherSuites: cipherSuites)
            if let files {
                let used = try handle.use(files, for: host, now: now)
                warnings += used.warnings
                expiry = min(expiry ?? used.expiry, used.expiry)
                // An order of their own, whatever order a dictionary has.
                certificates.append(used.digest)
            }
            TLSContext.configureServer(handle.pointer, sessionContext: sessionContext)
            if let trust { TLSContext.ask(handle.pointer, server.clientCertificate, trust) }
            return handle
        }
        main = try make(server.certificate)
        var named: [String: ContextHandle] = [:]
        for (host, files) in server.serverNames { named[host.lowercased()] = try make(files, for: host) }
        self.named = named
        self.warnings = warnings
        if !certificates.isEmpty {
            digests.certificates = Hash.sha256.digest(certificates.sorted { $0.lexicographicallyPrecedes($1) }.flatMap { $0 })
        }
        fileDigests = digests
        certificateExpiry = expiry
        if !named.isEmpty { _ = copenssl_ctx_set_tlsext_servername_callback(main.pointer, TLSCallbacks.serverName) }
        for handle in [main] + Array(named.values) {
            if !preSharedKeys.isEmpty {
                SSL_CTX_set_psk_server_callback(handle.pointer, TLSCallbacks.serverKey)
                SSL_CTX_set_psk_find_session_callback(handle.pointer, TLSCallbacks.serverSession)
            }
            if !alpn.isEmpty { SSL_CTX_set_alpn_select_cb(handle.pointer, TLSCallbacks.selectProtocol, nil) }
        }
    }

    /// What a client needs. Reads all files, so it may wait for a disk.
    ///
    /// - Parameter now: certificates and lists have to be valid at this time.
    /// - Throws: ``TLSError/configuration(_:)`` that names the file and what to do.
    public init(client: TLSClientConfiguration, now: Timestamp) throws(TLSError) {
        isServer = false
        fileDigests = TLSFileDigests()
        named = [:]
        alpn = try TLSContext.protocols(client.alpn)
        main = try ContextHandle(isServer: false)
        let pointer = main.pointer
        var ciphers = client.ciphers
        var warnings: [String] = []
        if let psk = client.preSharedKey {
            let loaded = try psk.load()
            preSharedKeys = [Array(psk.identity.utf8): loaded.key]
            warnings += loaded.warnings
            ciphers = ciphers ?? "PSK:!kRSAPSK:!eNULL"
            SSL_CTX_set_psk_client_callback(pointer, TLSCallbacks.clientKey)
        } else {
            preSharedKeys = [:]
        }
        verifiesHost = client.verifiesHost && client.verifiesCertificate && client.preSharedKey == nil
        try main.use(minimumVersion: client.minimumVersion, ciphers: ciphers, cipherSuites: client.cipherSuites)
        _ = copenssl_ctx_set_max_proto_version(pointer, client.maximumVersion.number)
        if let files = client.certificate {
            let used = try main.use(files, now: now)
            certificateExpiry = used.expiry
            warnings += used.warnings
        } else {
            certificateExpiry = nil
            SSL_CTX_set_client_cert_cb(pointer, TLSCallbacks.clientCertificate)
        }
        if !client.verifiesCertificate, client.preSharedKey == nil {
            warnings.append("TLS without verification: whoever stands between this machine and the server reads and changes all of it")
        }
        self.warnings = warnings
        let isVerified = client.verifiesCertificate || client.preSharedKey != nil
        SSL_CTX_set_verify(pointer, isVerified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, TLSCallbacks.verify)
        // With a pre-shared key the store stays empty, and no certificate passes.
        if isVerified, client.preSharedKey == nil {
            let trust: TrustStore
            switch client.trust {
            case .system: trust = try TrustStore.system(crlFile: client.crlFile, now: now)
            case .file(let path): trust = try TrustStore.load(caFile: path, crlFile: client.crlFile, now: now)
            }
            SSL_CTX_set1_cert_store(pointer, trust.pointer)
        }
        let offered = alpn.flatMap { [UInt8($0.count)] + $0 }
        if !offered.isEmpty { SSL_CTX_set_alpn_protos(pointer, offered, UInt32(offered.count)) }
    }

    // MARK: Server

    /// Mistakes in the settings themselves.
    private static func check(_ server: TLSServerConfiguration) throws(TLSError) {
        if server.certificate == nil, server.pskFile == nil {
            throw .configuration("TLS needs a certificate with its key, or a file of pre-shared keys")
        }
        if server.certificate == nil, !server.serverNames.isEmpty {
            throw .configuration("certificates for host names need one certificate for clients that name no host")
        }
        if server.clientCertificate != .none, server.clientCAFile == nil {
            throw .configuration("client certificates need the file of the authorities that issue them")
        }
        if let file = server.clientCAFile, server.clientCertificate == .none {
            throw .configuration("\(file): authorities for client certificates are given, but clients are not asked for one")
        }
        if let file = server.crlFile, server.clientCAFile == nil {
            throw .configuration("\(file): a list of revoked certificates needs the file of the authorities that issue them")
        }
        if let file = server.pskFile, server.clientCertificate == .required {
            throw .configuration(
                "\(file): a client with a pre-shared key shows no certificate, so they cannot be required too; make them optional, or use a listener for each")
        }
    }

    private static func checkSuites(_ server: TLSServerConfiguration) throws(TLSError) {
        guard let file = server.pskFile, let first = server.cipherSuites?.split(separator: ":").first else { return }
        if !first.hasSuffix("_SHA256") {
            throw .configuration("\(file): pre-shared keys need a cipher suite of SHA256 before all others, not \(first)")
        }
    }

    private static func configureServer(_ pointer: OpaquePointer, sessionContext: [UInt8]) {
        copenssl_ctx_set_server_preference(pointer)
        _ = copenssl_ctx_set_dh_auto(pointer)
        _ = copenssl_ctx_set_max_cert_list(pointer, maximumPeerChain)
        SSL_CTX_set_session_id_context(pointer, sessionContext, UInt32(sessionContext.count))
        SSL_CTX_set_timeout(pointer, TicketKeyRing.lifetime)
        SSL_CTX_set_num_tickets(pointer, 1)
        _ = copenssl_ctx_set_tlsext_ticket_key_callback(pointer, TicketKeys.callback)
    }

    private static func ask(_ pointer: OpaquePointer, _ mode: TLSServerConfiguration.ClientCertificate, _ trust: TrustStore) {
        SSL_CTX_set1_cert_store(pointer, trust.pointer)
        for authority in trust.authorities { SSL_CTX_add_client_CA(pointer, authority.pointer) }
        var flags = SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE
        if mode == .required { flags |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT }
        SSL_CTX_set_verify(pointer, flags, TLSCallbacks.verify)
    }

    /// The context for a host name: its own, or that of the `*` in place of its first label.
    func handle(forHost host: String) -> ContextHandle {
        let host = host.lowercased()
        if let exact = named[host] { return exact }
        if let dot = host.firstIndex(of: "."), let wild = named["*" + host[dot...]] { return wild }
        return main
    }

    private static func protocols(_ names: [String]) throws(TLSError) -> [[UInt8]] {
        for name in names where !(1...255).contains(name.utf8.count) {
            throw .configuration("the protocol name \"\(name)\" has to have 1…255 bytes")
        }
        return names.map { Array($0.utf8) }
    }
}
