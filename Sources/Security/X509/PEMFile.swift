internal import COpenSSL

/// A file in PEM that was read once: what is checked, hashed and used is the same.
struct PEMFile {
    let path: String
    let bytes: [UInt8]

    /// Bytes of a file at most: some hundred certificates.
    static let limit = 1 << 20

    init(path: String) throws(TLSError) {
        self.path = path
        do throws(SmallFile.Failure) {
            bytes = try SmallFile.read(path, limit: PEMFile.limit)
        } catch {
            throw .configuration(error.description)
        }
        if bytes.isEmpty { throw .configuration("\(path): is empty") }
    }

    /// All certificates of the file, at least one.
    func certificates() throws(TLSError) -> [Certificate] {
        let found = try entries { bio in PEM_read_bio_X509(bio, nil, PEMFile.noPassphrase, nil).map { Certificate(owning: $0) } }
        if found.isEmpty {
            throw .configuration("\(path): holds no certificate; it has to have at least one in PEM (BEGIN CERTIFICATE)")
        }
        return found
    }

    /// All lists of revoked certificates of the file, at least one.
    func revocationLists() throws(TLSError) -> [RevocationList] {
        let found = try entries { bio in
            PEM_read_bio_X509_CRL(bio, nil, PEMFile.noPassphrase, nil).map { RevocationList(owning: $0) }
        }
        if found.isEmpty { throw .configuration("\(path): holds no list of revoked certificates in PEM (BEGIN X509 CRL)") }
        return found
    }

    /// The private key of the file.
    func privateKey() throws(TLSError) -> PrivateKey {
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
        if lines.contains(where: { $0.hasPrefix("-----BEGIN ENCRYPTED") || $0.hasPrefix("Proc-Type: 4,ENCRYPTED") }) {
            throw .configuration(
                "\(path): the key is encrypted and nobody can type its passphrase at start; write it without one: openssl pkey -in \(path) -out NEW")
        }
        guard lines.contains(where: { $0.hasPrefix("-----BEGIN") && $0.hasSuffix("PRIVATE KEY-----") }) else {
            throw .configuration("\(path): holds no private key in PEM (BEGIN PRIVATE KEY)")
        }
        OpenSSLLibrary.clearErrors()
        let key = withBIO { bio in PEM_read_bio_PrivateKey(bio, nil, PEMFile.noPassphrase, nil) }
        guard let key else { throw .configuration("\(path): the private key cannot be read: \(OpenSSLLibrary.takeReason())") }
        return PrivateKey(owning: key)
    }

    /// Reads one kind of entry until there is none left.
    private func entries<Entry>(_ next: (OpaquePointer?) -> Entry?) throws(TLSError) -> [Entry] {
        OpenSSLLibrary.clearErrors()
        let found = withBIO { bio in
            var found: [Entry] = []
            while let entry = next(bio) { found.append(entry) }
            return found
        }
        // The last error says whether the end has come or an entry is damaged.
        let last = ERR_peek_last_error()
        defer { OpenSSLLibrary.clearErrors() }
        if last != 0, copenssl_err_is_no_start_line(last) == 0 {
            throw .configuration("\(path): entry \(found.count + 1) cannot be read: \(OpenSSLLibrary.reason(last))")
        }
        return found
    }

    private func withBIO<Result>(_ body: (OpaquePointer?) -> Result) -> Result {
        bytes.withUnsafeBytes { bytes in
            let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
            defer { BIO_free(bio) }
            return body(bio)
        }
    }

    /// Without it OpenSSL would ask at the terminal.
    private static let noPassphrase: @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 = {
        _, _, _, _ in -1
    }
}
