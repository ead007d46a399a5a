import Configuration
import Core
import MQTTServer
import Security

// The listeners of the configuration file as the server takes them. The files that TLS needs are read here.

extension MartletConfiguration {
    /// - Parameters:
    ///   - errors: what is wrong with certificates, keys and lists is added, each at its place in the file.
    ///   - found: what should be mended about them.
    func serverListeners(_ errors: inout [ConfigurationError], _ found: inout [ConfigurationWarning]) -> [MQTTServer.Listener] {
        listeners.map { listener in
            var tls: TLSContext?
            if let configuration = tlsConfiguration(of: listener) {
                do throws(TLSError) {
                    let context = try TLSContext(server: configuration, now: SystemClock.wall())
                    for warning in context.warnings { found.append(ConfigurationWarning(position(of: warning, in: listener), warning)) }
                    tls = context
                } catch {
                    errors.append(ConfigurationError(position(of: error.description, in: listener), error.description))
                }
            }
            return MQTTServer.Listener(place: place(of: listener), settings: settings(of: listener), tls: tls)
        }
    }

    private func tlsConfiguration(of listener: Listener) -> TLSServerConfiguration? {
        let tls = listener.tls
        // Of what was refused already nothing more is said.
        let keys = [
            "certificate-file", "key-file", "client-certificate", "client-ca-file", "crl-file", "psk-file", "min-tls-version", "ciphers",
            "cipher-suites",
        ]
        guard tls.isOn, listener.source.isSound(keys), tls.serverNames.allSatisfy({ $0.source.isSound("host", "certificate-file", "key-file") }),
            tls.pskFile == nil || tls.clientCertificate != .required, tls.certificateFile != nil || tls.serverNames.isEmpty
        else { return nil }
        func files(_ certificate: String, _ key: String) -> TLSCertificateFiles {
            TLSCertificateFiles(certificateFile: resolve(path: certificate), keyFile: resolve(path: key))
        }
        return TLSServerConfiguration(
            certificate: tls.certificateFile.map { files($0, tls.keyFile ?? "") },
            serverNames: Dictionary(
                tls.serverNames.map { ($0.host, files($0.certificateFile, $0.keyFile)) }, uniquingKeysWith: { first, _ in first }),
            clientCAFile: tls.clientCAFile.map(resolve(path:)), clientCertificate: tls.clientCertificate.serverValue,
            crlFile: tls.crlFile.map(resolve(path:)), pskFile: tls.pskFile.map(resolve(path:)),
            minimumVersion: tls.minVersion == .v13 ? .v13 : .v12, ciphers: tls.ciphers, cipherSuites: tls.cipherSuites)
    }

    /// The key that names the file which a sentence is about, or has the list; the listener itself if it is about none.
    private func position(of sentence: String, in listener: Listener) -> SourcePosition {
        let tls = listener.tls
        var files: [(path: String, position: SourcePosition)] = []
        for (key, path) in [
            ("certificate-file", tls.certificateFile), ("key-file", tls.keyFile), ("client-ca-file", tls.clientCAFile),
            ("crl-file", tls.crlFile), ("psk-file", tls.pskFile),
        ] {
            if let path { files.append((resolve(path: path), listener.source[key])) }
        }
        for name in tls.serverNames {
            files.append((resolve(path: name.certificateFile), name.source["certificate-file"]))
            files.append((resolve(path: name.keyFile), name.source["key-file"]))
        }
        return TLSSentence(sentence).position(among: files, in: listener.source) ?? listener.source.position
    }

    private func place(of listener: Listener) -> MQTTServer.Listener.Place {
        switch listener.transport {
        case .tcp, .websocket: .network(address: listener.address, port: listener.port)
        case .unix: .unix(path: resolve(path: listener.path ?? ""), mode: listener.socketMode.bits)
        }
    }
}

extension MartletConfiguration {
    /// What connections of a listener have to know.
    func settings(of listener: Listener) -> ListenerSettings {
        // Where somebody can be asked, nobody comes in without a name unless the file says so.
        listener.settings(allowsAnonymous: listener.allowAnonymous ?? (!listener.isReachable && !takesPasswords(listener)))
    }
}

extension MartletConfiguration.Listener {
    fileprivate func settings(allowsAnonymous: Bool) -> ListenerSettings {
        ListenerSettings(
            name: name, transport: serverTransport, topicPrefix: topicPrefix.map(TopicPrefix.init(levels:)),
            allowsAnonymous: allowsAnonymous, maximumConnections: maxConnections ?? .max,
            maximumPacketSize: maxPacketSize ?? .max, connectTimeout: connectTimeout, maximumUnconnected: maxUnconnected,
            userFromCertificate: tls.userFromCertificate.serverValue, userFromPSK: tls.userFromPSK,
            requiresPassword: tls.requirePassword, hasProxy: proxyProtocol)
    }

    private var serverTransport: ListenerSettings.Transport {
        switch transport {
        case .tcp: .tcp
        case .websocket: .webSocket(path: websocketPath)
        case .unix: .unix
        }
    }
}

extension MartletConfiguration.Listener.ClientCertificate {
    fileprivate var serverValue: TLSServerConfiguration.ClientCertificate {
        switch self {
        case .none: .none
        case .optional: .optional
        case .required: .required
        }
    }
}

extension MartletConfiguration.Listener.CertificateUser {
    fileprivate var serverValue: ListenerSettings.CertificateUser {
        switch self {
        case .no: .none
        case .commonName: .commonName
        case .subject: .subject
        case .sanDNS: .sanDNS
        case .sanEmail: .sanEmail
        case .sanURI: .sanURI
        }
    }
}

/// What is said of TLS settings and the files that they name.
struct TLSSentence {
    private let text: String

    init(_ text: String) { self.text = text }

    /// Where the file that it is about is named, or the list of ciphers that it is about stands in a table; nil if it is about
    /// neither.
    func position(among files: [(path: String, position: SourcePosition)], in source: TableSource) -> SourcePosition? {
        for key in ["ciphers", "cipher-suites"] where source.isSet(key) && text.hasPrefix("\(key):") { return source[key] }
        // Where more than one is named, the first is the one to mend.
        if let first = files.first(where: { text.hasPrefix("\($0.path):") }) { return first.position }
        // The longest, because one path may be the beginning of another; the first, because a certificate is tried before
        // what goes with it.
        var best: (path: String, position: SourcePosition)?
        for file in files where text.contains(file.path) && file.path.utf8.count > best?.path.utf8.count ?? 0 { best = file }
        return best?.position
    }
}
