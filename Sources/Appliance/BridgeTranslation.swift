import Bridge
import Configuration
import Core
import MQTTClient
import MQTTCodec
import Security

// The bridges of the configuration file as they are run. The files that TLS needs are looked at here, so that a mistake is
// known at the start; each connection reads them anew.

extension MartletConfiguration {
    /// Warns of passwords of bridges that cannot be read. Each connection reads them anew, so they may come later, and nothing else
    /// of the box needs them.
    func checkBridgePasswords(_ warnings: inout [ConfigurationWarning]) {
        for bridge in bridges where bridge.source.isSound("password-file") {
            guard let file = bridge.passwordFile.map(resolve(path:)) else { continue }
            do throws(SecretFile.Failure) {
                _ = try SecretFile.read(file)
            } catch {
                warnings.append(ConfigurationWarning(bridge.source["password-file"], error.description))
            }
        }
    }

    /// The bridges; what is wrong with their topics goes to `errors`.
    func bridgeConfigurations(_ errors: inout [ConfigurationError]) -> [BridgeConfiguration] {
        bridges.map { bridge in
            var made = BridgeConfiguration(name: bridge.name, host: bridge.host, clientIdentifier: bridge.clientIdentifier)
            made.servers = servers(of: bridge, &errors)
            made.returnToFirst = bridge.returnToFirst == .zero ? nil : bridge.returnToFirst
            made.birth = bridge.birth.map {
                BridgeConfiguration.Announcement(
                    topic: $0.topic, payload: Array(($0.payload ?? "").utf8), qos: $0.qos, retain: $0.retain)
            }
            made.will = bridge.will.map {
                BridgeConfiguration.Announcement(
                    topic: $0.topic, payload: Array(($0.payload ?? "").utf8), qos: $0.qos, retain: $0.retain)
            }
            made.version = bridge.protocol == .v5 ? .v5 : .v311
            made.usesBridgeBit = bridge.bridgeBit
            made.userName = bridge.userName
            made.passwordFile = bridge.passwordFile.map(resolve(path:))
            made.keepAlive = UInt16(clamping: bridge.keepAlive.wholeMilliseconds / 1000)
            made.connectTimeout = bridge.connectTimeout
            made.reconnectInterval = bridge.reconnectInterval
            made.maximumBackOff = bridge.maxBackOff
            made.sessionExpiryInterval = UInt32(clamping: bridge.sessionExpiry.wholeMilliseconds / 1000)
            made.maximumInFlight = bridge.maxInflight
            made.order = bridge.order == .liveFirst ? .liveFirst : .strict
            made.backfill.messagesPerSecond = bridge.backfillRate
            made.backfill.bytesPerSecond = bridge.backfillBytesPerSecond
            made.backfill.mapping = bridge.backfillMapping(&errors)
            made.backfill.marks = bridge.marksBackfill
            made.refusing = Set(
                bridge.cacheRoutes.filter { ($0.whenFull ?? cache.whenFull) == .refuse }.map(\.priority))
            for route in bridge.forward {
                guard let filter = TopicFilter(route.filter), let mapping = route.mapping(&errors) else { continue }
                var forward = BridgeConfiguration.Forward(
                    filter: filter, mapping: mapping, qos: route.qos, keepsRetain: route.retain, priority: route.priority)
                forward.sendsRetained = route.sendsRetained
                made.forwards.append(forward)
            }
            for route in bridge.receive {
                guard let filter = TopicFilter(route.filter), let mapping = route.mapping(&errors) else { continue }
                made.receives.append(
                    BridgeConfiguration.Receive(filter: filter, mapping: mapping, qos: route.qos, keepsRetain: route.retain))
            }
            addForm(of: bridge, to: &made)
            return made
        }
    }

    /// The servers in the order in which they are tried; what is wrong with certificates and keys goes to `errors`.
    private func servers(of bridge: Bridge, _ errors: inout [ConfigurationError]) -> [ClientTransport] {
        var first = ClientTransport(host: bridge.host, port: bridge.port)
        if bridge.transport.usesWebSocket { first.webSocketPath = bridge.websocketPath }
        if bridge.transport.usesTLS {
            first.tls = tlsConfiguration(of: bridge.tls)
            first.serverName = bridge.tls.serverName
        }
        // Of what was refused already nothing more is said.
        let keys = ["ca-file", "crl-file", "certificate-file", "key-file", "psk-file", "psk-identity", "ciphers", "cipher-suites", "alpn"]
        if bridge.tls.source.isSound(keys) {
            do throws(TLSError) {
                _ = try first.tlsContext(now: SystemClock.wall())
            } catch {
                errors.append(ConfigurationError(position(of: error, in: bridge), error.description))
            }
        }
        return [first]
            + (bridge.failoverServers ?? []).map { server in
                var further = first
                further.host = server.host
                further.port = server.port ?? bridge.port
                return further
            }
    }

    private func tlsConfiguration(of tls: Bridge.TLS) -> TLSClientConfiguration {
        var made = TLSClientConfiguration(
            crlFile: tls.crlFile.map(resolve(path:)), verifiesHost: !tls.insecureNoVerification,
            verifiesCertificate: !tls.insecureNoVerification, minimumVersion: tls.minVersion == .v13 ? .v13 : .v12,
            ciphers: tls.ciphers, cipherSuites: tls.cipherSuites, alpn: tls.alpn ?? [])
        if let file = tls.caFile { made.trust = .file(resolve(path: file)) }
        if let certificate = tls.certificateFile {
            made.certificate = TLSCertificateFiles(
                certificateFile: resolve(path: certificate), keyFile: resolve(path: tls.keyFile ?? ""))
        }
        if let file = tls.pskFile {
            made.preSharedKey = TLSClientConfiguration.PreSharedKey(identity: tls.pskIdentity ?? "", file: resolve(path: file))
        }
        return made
    }

    private func position(of error: TLSError, in bridge: Bridge) -> SourcePosition {
        let tls = bridge.tls
        var files: [(path: String, position: SourcePosition)] = []
        for (key, path) in [
            ("certificate-file", tls.certificateFile), ("key-file", tls.keyFile), ("ca-file", tls.caFile),
            ("crl-file", tls.crlFile), ("psk-file", tls.pskFile),
        ] {
            if let path { files.append((resolve(path: path), tls.source[key])) }
        }
        return TLSSentence(error.description).position(among: files, in: tls.source) ?? (tls.source.position.line > 0 ? tls.source.position : bridge.source.position)
    }
}

extension MartletConfiguration.Bridge {
    /// What back-fill is called, made from what the forwards call it.
    fileprivate func backfillMapping(_ errors: inout [ConfigurationError]) -> TopicMapping? {
        guard source.isSound("backfill-prefix", "backfill-topic") else { return nil }
        if let backfillTopic {
            return ConfigurationError.collect(&errors, at: source["backfill-topic"]) { () throws(BridgeError) in
                try .template(backfillTopic)
            }
        }
        guard let backfillPrefix else { return nil }
        return ConfigurationError.collect(&errors, at: source["backfill-prefix"]) { () throws(BridgeError) in
            for forward in forward where !backfillPrefix.hasSuffix("/") {
                let upstream = forward.topic ?? forward.prefix ?? String(forward.filter.dropFirst(forward.removePrefix?.count ?? 0))
                guard upstream.hasPrefix("/") else { throw .levelsJoined(prefix: backfillPrefix, filter: upstream) }
            }
            return try .prefixing(backfillPrefix)
        }
    }
}

extension MartletConfiguration.Bridge.Route {
    fileprivate func mapping(_ errors: inout [ConfigurationError]) -> TopicMapping? {
        guard source.isSound("filter", "topic", "prefix", "remove-prefix") else { return nil }
        let key = topic != nil ? "topic" : prefix != nil ? "prefix" : "remove-prefix"
        return ConfigurationError.collect(&errors, at: source[key]) { () throws(BridgeError) in
            guard let filter = TopicFilter(filter) else { return .same }
            if let topic { return try .template(topic) }
            return try .replacing(removePrefix, with: prefix, in: filter)
        }
    }
}
