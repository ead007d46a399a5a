extension MartletConfiguration {
    /// What no listener can say of itself.
    func checkListeners(_ findings: inout Findings) {
        checkAddresses(&findings)
        for listener in listeners {
            checkAccess(to: listener, &findings)
            checkPasswords(at: listener, &findings)
            if listener.allowAnonymous != nil || authenticates(listener) { checkRights(at: listener, &findings) }
            if listener.source.isSound("max-packet-size"), broker.source.isSound("max-packet-size"),
                let size = listener.maxPacketSize, size > broker.maxPacketSize
            {
                findings.report(
                    listener.source["max-packet-size"],
                    "max-packet-size of a listener can only be lower than that of [broker]")
            }
            if listener.transport == .unix, listener.source.isSound("path", "transport"), let path = listener.path {
                let resolved = resolve(path: path)
                // Linux's sockaddr_un has 108 bytes, the zero at the end included.
                if resolved.utf8.count > 107 {
                    findings.report(
                        listener.source["path"],
                        "path \(resolved.quotedForMessage) is too long: a socket's path has at most 107 bytes")
                }
            }
        }
    }

    /// Where somebody from another machine can connect, he must say who he is, unless the file says that he need not.
    private func checkAccess(to listener: Listener, _ findings: inout Findings) {
        guard listener.isReachable, listener.allowAnonymous == nil, !authenticates(listener),
            listener.source.isSound("address", "transport", "allow-anonymous", "client-certificate", "psk-file")
        else { return }
        findings.report(
            listener.source["address"],
            "address \"\(listener.address)\" can be reached from other machines, and nothing says who may connect there: "
                + "name a password-file here or in [authentication], ask for client certificates or shared keys, write "
                + "allow-anonymous = true if anyone may connect there, or use 127.0.0.1"
        )
    }

    private func checkPasswords(at listener: Listener, _ findings: inout Findings) {
        guard listener.tls.requirePassword, !takesPasswords(listener), listener.source.isSound("require-password", "password-file"),
            authentication.source.isSound("password-file")
        else { return }
        findings.report(
            listener.source["require-password"], "require-password needs a password-file, here or in [authentication]")
    }

    /// A listener whose clients may do nothing is a mistake.
    private func checkRights(at listener: Listener, _ findings: inout Findings) {
        guard listener.isReachable, accessRules.isEmpty, authentication.defaultAccess != .allow,
            listener.source.isSound("address", "transport", "allow-anonymous"), authentication.source.isSound("default-access")
        else { return }
        findings.report(
            listener.source["address"],
            "clients from other machines may publish and subscribe to nothing as long as nothing allows it: write an "
                + "[[access-rule]] for each thing that they may do, or default-access = \"allow\" in [authentication] if they "
                + "may do everything"
        )
    }

    /// Whether there is a password file for the listener's clients.
    public func takesPasswords(_ listener: Listener) -> Bool { listener.passwordFile != nil || authentication.isConfigured }

    /// Whether clients of the listener can say who they are.
    private func authenticates(_ listener: Listener) -> Bool {
        takesPasswords(listener) || listener.tls.clientCertificate == .required
            || (listener.tls.pskFile != nil && listener.tls.certificateFile == nil)
    }

    /// Two listeners share a port only on different addresses, and not with one that has all addresses; and no file.
    private func checkAddresses(_ findings: inout Findings) {
        for (index, listener) in listeners.enumerated() {
            let earlier = listeners[..<index].first { listener.collides(with: $0) }
            guard let earlier else { continue }
            let line = earlier.source.position.line
            if listener.transport == .unix {
                findings.report(
                    listener.source["path"],
                    "path \((listener.path ?? "").quotedForMessage) is taken by the listener at line \(line)")
            } else {
                findings.report(
                    listener.source["port"],
                    "port \(listener.port) of \(listener.address) is taken by the listener at line \(line)")
            }
        }
        checkMetricsAddress(&findings)
    }

    private func checkMetricsAddress(_ findings: inout Findings) {
        guard let place = metrics.networkPlace, metrics.source.isSound("address", "port") else { return }
        let taken = listeners.first { listener in
            listener.source.isSound("transport", "address", "port") && listener.networkPlace?.overlaps(place) == true
        }
        guard let taken else { return }
        let line = taken.source.position.line
        findings.report(
            metrics.source["port"],
            "port \(place.port) of \(place.address) is taken by the listener \(line > 0 ? "at line \(line)" : "that is there without any [[listener]]")")
    }
}

extension MartletConfiguration.Listener {
    fileprivate func collides(with other: Self) -> Bool {
        guard source.isSound("transport", "path", "address", "port"),
            other.source.isSound("transport", "path", "address", "port")
        else { return false }
        if transport == .unix || other.transport == .unix { return path != nil && path == other.path }
        guard let place = networkPlace, let taken = other.networkPlace else { return false }
        return place.overlaps(taken)
    }
}
