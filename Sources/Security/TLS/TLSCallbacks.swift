internal import COpenSSL

/// What OpenSSL asks during a handshake. Each call comes on the thread that runs the engine.
enum TLSCallbacks {
    /// Chooses the certificate by the host name that the client asks for.
    static let serverName: @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?) -> Int32 = {
        ssl, _, _ in
        guard let engine = TLSEngine.of(ssl), let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else {
            return SSL_TLSEXT_ERR_NOACK
        }
        let handle = engine.context.handle(forHost: String(cString: name))
        if handle !== engine.context.main { SSL_set_SSL_CTX(ssl, handle.pointer) }
        return SSL_TLSEXT_ERR_OK
    }

    /// Takes the first of our protocols that the client offers. (RFC 7301 §3.2: without one the handshake fails.)
    static let selectProtocol:
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?, UnsafePointer<UInt8>?,
            UInt32, UnsafeMutableRawPointer?
        ) -> Int32 = { ssl, chosen, chosenCount, offered, offeredCount, _ in
            guard let engine = TLSEngine.of(ssl), let chosen, let chosenCount else { return SSL_TLSEXT_ERR_ALERT_FATAL }
            let offered = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
            for wanted in engine.context.alpn {
                var at = 0
                while at < offered.count {
                    let end = at + 1 + Int(offered[at])
                    guard end <= offered.count else { break }
                    if offered[(at + 1)..<end].elementsEqual(wanted), let base = offered.baseAddress {
                        chosen.pointee = base + at + 1
                        chosenCount.pointee = offered[at]
                        return SSL_TLSEXT_ERR_OK
                    }
                    at = end
                }
            }
            engine.refusal = "the client offers none of our application protocols"
            return SSL_TLSEXT_ERR_ALERT_FATAL
        }

    /// Remembers which certificate was refused and why.
    static let verify: @convention(c) (Int32, OpaquePointer?) -> Int32 = { isValid, store in
        if isValid == 1 { return 1 }
        let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())
        guard let engine = TLSEngine.of(ssl.map { OpaquePointer($0) }) else { return 0 }
        engine.refusal = TLSReason.words(ofVerification: X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_current_cert(store), engine)
        return 0
    }

    /// The server asks for a certificate, and there is none to show.
    static let clientCertificate:
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<OpaquePointer?>?, UnsafeMutablePointer<OpaquePointer?>?
        ) -> Int32 = { ssl, _, _ in
            TLSEngine.of(ssl)?.lacksCertificate = true
            return 0
        }

    // MARK: Pre-shared keys

    /// TLS 1.2.
    static let serverKey: @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, UnsafeMutablePointer<UInt8>?, UInt32) -> UInt32 = {
        ssl, identity, key, limit in
        guard let engine = TLSEngine.of(ssl), let identity, let key else { return 0 }
        let name = Array(UnsafeBufferPointer(start: identity, count: strlen(identity)).map { UInt8(bitPattern: $0) })
        guard let found = engine.preSharedKey(of: name), found.count <= Int(limit) else { return 0 }
        key.update(from: found, count: found.count)
        return UInt32(found.count)
    }

    /// TLS 1.3. The session that a key stands for carries the identity, also into the tickets for later connections.
    static let serverSession:
        @convention(c) (
            OpaquePointer?, UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<OpaquePointer?>?
        ) -> Int32 = { ssl, identity, count, session in
            guard let engine = TLSEngine.of(ssl), let ssl, let session else { return 0 }
            session.pointee = nil
            let name = Array(UnsafeBufferPointer(start: identity, count: count))
            // What is unknown may also be a ticket: the handshake goes on without the key.
            guard let key = engine.preSharedKey(of: name) else { return 1 }
            guard let made = SSL_SESSION_new() else { return 0 }
            guard SSL_SESSION_set1_master_key(made, key, key.count) == 1,
                SSL_SESSION_set_cipher(made, copenssl_psk_cipher(ssl)) == 1,
                SSL_SESSION_set_protocol_version(made, TLS1_3_VERSION) == 1,
                SSL_SESSION_set1_ticket_appdata(made, name, name.count) == 1
            else {
                SSL_SESSION_free(made)
                return 0
            }
            session.pointee = made
            return 1
        }

    /// TLS 1.2 and 1.3.
    static let clientKey:
        @convention(c) (
            OpaquePointer?, UnsafePointer<CChar>?, UnsafeMutablePointer<CChar>?, UInt32, UnsafeMutablePointer<UInt8>?, UInt32
        ) -> UInt32 = { ssl, _, identity, identityLimit, key, keyLimit in
            guard let engine = TLSEngine.of(ssl), let identity, let key,
                let (name, secret) = engine.context.preSharedKeys.first,
                name.count < Int(identityLimit), secret.count <= Int(keyLimit)
            else { return 0 }
            for (at, byte) in name.enumerated() { identity[at] = CChar(bitPattern: byte) }
            identity[name.count] = 0
            key.update(from: secret, count: secret.count)
            return UInt32(secret.count)
        }
}
