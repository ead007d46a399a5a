internal import COpenSSL
internal import Core

/// An `SSL_CTX`: what connections with one certificate have in common.
///
/// `@unchecked Sendable`: nothing changes it after ``TLSContext`` is made, and OpenSSL counts its references atomically.
final class ContextHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    /// A certificate that is valid for fewer days is worth a warning.
    private static let warningDays = 30

    init(isServer: Bool) throws(TLSError) {
        guard OpenSSLLibrary.isReady, let pointer = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            throw .configuration("OpenSSL cannot be started: \(OpenSSLLibrary.takeReason())")
        }
        self.pointer = pointer
        copenssl_ctx_set_common(pointer)
        _ = copenssl_ctx_set_session_cache_off(pointer)
    }

    deinit { SSL_CTX_free(pointer) }

    /// Versions and ciphers; each name in the lists has to be one that OpenSSL knows and allows. What is wrong with a list begins
    /// with the key that has it.
    func use(minimumVersion: TLSVersion, ciphers: String?, cipherSuites: String?) throws(TLSError) {
        guard copenssl_ctx_set_min_proto_version(pointer, minimumVersion.number) == 1 else {
            throw .configuration("\(minimumVersion) cannot be used: \(OpenSSLLibrary.takeReason())")
        }
        // Names among valid ones that mean nothing would go unnoticed.
        if let ciphers {
            for name in ciphers.split(whereSeparator: { ":, ".contains($0) }) where !"!-+@".contains(name.first ?? " ") {
                guard SSL_CTX_set_cipher_list(pointer, String(name)) == 1 else {
                    let isSuite = SSL_CTX_set_ciphersuites(pointer, String(name)) == 1
                    OpenSSLLibrary.clearErrors()
                    throw .configuration(
                        "ciphers: cipher \(name) is not known for TLS 1.2; "
                            + (isSuite ? "it is one of TLS 1.3, for cipher-suites" : "`openssl ciphers -v` lists those that are"))
                }
            }
            guard SSL_CTX_set_cipher_list(pointer, ciphers) == 1 else {
                OpenSSLLibrary.clearErrors()
                throw .configuration("ciphers: the list \"\(ciphers)\" leaves no cipher for TLS 1.2")
            }
        }
        if let cipherSuites {
            guard !cipherSuites.isEmpty else { throw .configuration("cipher-suites: the list for TLS 1.3 is empty") }
            for name in cipherSuites.split(separator: ":", omittingEmptySubsequences: false) {
                guard SSL_CTX_set_ciphersuites(pointer, String(name)) == 1, !name.isEmpty else {
                    let isCipher = !name.isEmpty && SSL_CTX_set_cipher_list(pointer, String(name)) == 1
                    OpenSSLLibrary.clearErrors()
                    throw .configuration(
                        "cipher-suites: cipher suite \(name) is not known for TLS 1.3 (TLS_AES_256_GCM_SHA384, "
                            + "TLS_CHACHA20_POLY1305_SHA256, …)" + (isCipher ? "; it is one of TLS 1.2, for ciphers" : ""))
                }
            }
            SSL_CTX_set_ciphersuites(pointer, cipherSuites)
        }
    }

    /// The certificate with its chain, and the key that has to match it.
    ///
    /// - Parameter host: the host name that the certificate is for; with `*` for its first label, any host of that kind.
    /// - Returns: when the first certificate of the chain expires, what is worth a warning though it can be used, and SHA-256 of
    ///   both files.
    func use(
        _ files: TLSCertificateFiles, for host: String? = nil, now: Timestamp
    ) throws(TLSError) -> (expiry: Timestamp, warnings: [String], digest: [UInt8]) {
        let certificateFile = try PEMFile(path: files.certificateFile)
        let chain = try certificateFile.certificates()
        if let invalid = chain.firstInvalid(at: now) {
            throw .configuration("\(files.certificateFile): the certificate of \(invalid.subject) \(invalid.reason)")
        }
        let keyFile = try PEMFile(path: files.keyFile)
        let key = try keyFile.privateKey()
        OpenSSLLibrary.clearErrors()
        guard X509_check_private_key(chain[0].pointer, key.pointer) == 1 else {
            OpenSSLLibrary.clearErrors()
            throw .configuration(
                "\(files.keyFile): is not the key of the certificate in \(files.certificateFile); check which files belong together, the certificate itself has to be the first in its file")
        }
        guard SSL_CTX_use_certificate(pointer, chain[0].pointer) == 1 else {
            throw .configuration("\(files.certificateFile): cannot be used: \(OpenSSLLibrary.takeReason())")
        }
        for intermediate in chain.dropFirst() where copenssl_ctx_add1_chain_cert(pointer, intermediate.pointer) != 1 {
            throw .configuration("\(files.certificateFile): \(intermediate.subject) cannot be used: \(OpenSSLLibrary.takeReason())")
        }
        guard SSL_CTX_use_PrivateKey(pointer, key.pointer) == 1 else {
            throw .configuration("\(files.keyFile): cannot be used: \(OpenSSLLibrary.takeReason())")
        }
        let expiry = chain.compactMap(\.expiry).min() ?? Timestamp(milliseconds: .max)
        var warnings: [String] = []
        let days = (expiry.milliseconds - now.milliseconds) / 86_400_000
        if days < ContextHandle.warningDays {
            warnings.append("\(files.certificateFile): expires in \(days) \(days == 1 ? "day" : "days"): renew it")
        }
        if SmallFile.isReadableByAll(files.keyFile) {
            warnings.append("\(files.keyFile): everybody on this machine can read the private key; chmod 600 \(files.keyFile)")
        } else if SmallFile.isReadableByGroupInVain(files.keyFile) {
            warnings.append("\(files.keyFile): its group can read the private key; chmod 600 \(files.keyFile)")
        }
        if let host, !chain[0].isFor(host) {
            warnings.append("\(files.certificateFile): is not for \(host), so clients that ask for it will not believe it; issue one with that name")
        }
        return (expiry, warnings, Hash.sha256.digest(certificateFile.bytes + keyFile.bytes))
    }
}

extension [Certificate] {
    fileprivate func firstInvalid(at now: Timestamp) -> (subject: String, reason: String)? {
        for certificate in self {
            if let reason = certificate.invalidity(at: now) { return (certificate.subject, reason) }
        }
        return nil
    }
}
