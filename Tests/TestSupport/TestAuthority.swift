internal import COpenSSL

/// A certificate and its key, made for a test.
public final class TestCertificate {
    let certificate: OpaquePointer
    let key: OpaquePointer

    fileprivate init(certificate: OpaquePointer, key: OpaquePointer) {
        self.certificate = certificate
        self.key = key
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    /// In PEM.
    public var pem: String { printed { PEM_write_bio_X509($0, certificate) } }

    /// The private key in PEM.
    public var keyPEM: String { printed { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) } }

    /// The private key in PEM, encrypted.
    public func keyPEM(passphrase: String) -> String {
        let bytes = Array(passphrase.utf8)
        return printed {
            PEM_write_bio_PrivateKey($0, key, EVP_aes_256_cbc(), bytes, Int32(bytes.count), nil, nil)
        }
    }
}

/// An authority that makes certificates for a test.
public final class TestAuthority {
    public let itself: TestCertificate
    private var serial = 1

    /// - Parameter valid: seconds from now.
    public init(_ name: String = "Test Authority", valid: ClosedRange<Int> = -3600...5_184_000) {
        itself = make(
            subject: [("CN", name)], serial: 1, valid: valid, issuer: nil,
            extensions: [(NID_basic_constraints, "critical,CA:TRUE"), (NID_key_usage, "critical,keyCertSign,cRLSign")])
    }

    /// The authority's own certificate in PEM.
    public var pem: String { itself.pem }

    /// A certificate of this authority.
    ///
    /// - Parameters:
    ///   - subject: attributes by their short names, `CN`, `O`, in the order of the certificate: the widest first.
    ///   - names: subject alternative names as OpenSSL's configuration writes them, `DNS:localhost,IP:127.0.0.1`.
    ///   - valid: seconds from now.
    public func issue(
        _ subject: [(String, String)], names: String? = nil, valid: ClosedRange<Int> = -3600...5_184_000
    ) -> TestCertificate {
        serial += 1
        return make(
            subject: subject, serial: serial, valid: valid, issuer: itself,
            extensions: names.map { [(NID_subject_alt_name, $0)] } ?? [])
    }

    /// A list of certificates that are taken back, in PEM.
    ///
    /// - Parameter valid: seconds from now.
    public func revocationList(of revoked: [TestCertificate], valid: ClosedRange<Int> = -3600...5_184_000) -> String {
        let list = X509_CRL_new()
        defer { X509_CRL_free(list) }
        X509_CRL_set_version(list, 1)
        X509_CRL_set_issuer_name(list, X509_get_subject_name(itself.certificate))
        withTime(valid.lowerBound) { X509_CRL_set1_lastUpdate(list, $0) }
        withTime(valid.upperBound) { X509_CRL_set1_nextUpdate(list, $0) }
        for certificate in revoked {
            let entry = X509_REVOKED_new()
            X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.certificate))
            withTime(-60) { X509_REVOKED_set_revocationDate(entry, UnsafeMutablePointer(mutating: $0)) }
            X509_CRL_add0_revoked(list, entry)
        }
        X509_CRL_sort(list)
        guard X509_CRL_sign(list, itself.key, EVP_sha256()) > 0 else { fatalError("cannot sign a list of revoked certificates") }
        return printed { PEM_write_bio_X509_CRL($0, list) }
    }
}

private func make(
    subject: [(String, String)], serial: Int, valid: ClosedRange<Int>, issuer: TestCertificate?, extensions: [(Int32, String)]
) -> TestCertificate {
    guard let certificate = X509_new(), let key = makeKey() else { fatalError("cannot make a key") }
    X509_set_version(certificate, 2)
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial)
    withTime(valid.lowerBound) { X509_set1_notBefore(certificate, $0) }
    withTime(valid.upperBound) { X509_set1_notAfter(certificate, $0) }
    X509_set_pubkey(certificate, key)
    let name = X509_get_subject_name(certificate)
    for (attribute, value) in subject {
        let bytes = Array(value.utf8)
        X509_NAME_add_entry_by_txt(name, attribute, MBSTRING_UTF8, bytes, Int32(bytes.count), -1, 0)
    }
    X509_set_issuer_name(certificate, issuer.map { X509_get_subject_name($0.certificate) } ?? name)
    for (kind, value) in extensions {
        guard let made = X509V3_EXT_conf_nid(nil, nil, kind, value) else { fatalError("extension \(kind) cannot be \(value)") }
        X509_add_ext(certificate, made, -1)
        X509_EXTENSION_free(made)
    }
    guard X509_sign(certificate, issuer?.key ?? key, EVP_sha256()) > 0 else { fatalError("cannot sign a certificate") }
    return TestCertificate(certificate: certificate, key: key)
}

private func makeKey() -> OpaquePointer? {
    let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil)
    defer { EVP_PKEY_CTX_free(context) }
    var key: OpaquePointer?
    guard EVP_PKEY_keygen_init(context) == 1,
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1,
        EVP_PKEY_keygen(context, &key) == 1
    else { return nil }
    return key
}

private func withTime(_ secondsFromNow: Int, _ body: (UnsafePointer<ASN1_TIME>?) -> Int32) {
    let time = X509_gmtime_adj(nil, secondsFromNow)
    defer { ASN1_TIME_free(time) }
    _ = body(time)
}

private func printed(_ write: (OpaquePointer?) -> Int32) -> String {
    let bio = BIO_new(BIO_s_mem())
    defer { BIO_free(bio) }
    guard write(bio) == 1 else { fatalError("cannot write PEM") }
    var bytes: UnsafeMutablePointer<CChar>?
    let count = copenssl_bio_get_mem_data(bio, &bytes)
    return String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
}
