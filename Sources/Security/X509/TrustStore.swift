internal import COpenSSL
internal import Core

/// The authorities whose certificates are believed, and what they have taken back.
final class TrustStore {
    let pointer: OpaquePointer
    /// What it was made from, so that a session of one store is not resumed with another.
    private(set) var contents: [UInt8] = []
    private(set) var authorities: [Certificate] = []
    /// SHA-256 of the file of authorities; empty for those of the machine.
    private(set) var authoritiesDigest: [UInt8] = []
    /// SHA-256 of the file of revoked certificates; empty without one.
    private(set) var listsDigest: [UInt8] = []

    private init() throws(TLSError) {
        guard let store = X509_STORE_new() else { throw .configuration("no memory for a store of certificates") }
        pointer = store
    }

    deinit { X509_STORE_free(pointer) }

    /// The authorities of a file, less what a list of the second file has revoked.
    static func load(caFile: String, crlFile: String?, now: Timestamp) throws(TLSError) -> TrustStore {
        let store = try TrustStore()
        let file = try PEMFile(path: caFile)
        store.authorities = try file.certificates()
        store.contents = file.bytes
        store.authoritiesDigest = Hash.sha256.digest(file.bytes)
        // One that has expired is no mistake as long as another is there: authorities are renewed side by side.
        let invalidities = store.authorities.map { $0.invalidity(at: now) }
        if let first = invalidities[0], !invalidities.contains(nil) {
            throw .configuration("\(caFile): the authority \(store.authorities[0].subject) \(first)")
        }
        for authority in store.authorities where X509_STORE_add_cert(store.pointer, authority.pointer) != 1 {
            throw .configuration("\(caFile): \(authority.subject): \(OpenSSLLibrary.takeReason())")
        }
        if let crlFile { try store.add(crlFile: crlFile, now: now) }
        return store
    }

    /// The authorities that the machine trusts.
    static func system(crlFile: String?, now: Timestamp) throws(TLSError) -> TrustStore {
        let store = try TrustStore()
        X509_STORE_set_default_paths(store.pointer)
        // Where distributions keep all of them in one file; OpenSSL knows only the place of its own.
        let places = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]
        _ = places.first { X509_STORE_load_file(store.pointer, $0) == 1 }
        OpenSSLLibrary.clearErrors()
        if let crlFile { try store.add(crlFile: crlFile, now: now) }
        return store
    }

    private func add(crlFile: String, now: Timestamp) throws(TLSError) {
        let file = try PEMFile(path: crlFile)
        contents += file.bytes
        listsDigest = Hash.sha256.digest(file.bytes)
        for list in try file.revocationLists() {
            if let reason = list.invalidity(at: now) {
                throw .configuration("\(crlFile): the list of \(list.issuer) \(reason)")
            }
            if !authorities.isEmpty, !authorities.contains(where: { list.isIssued(by: $0) }) {
                throw .configuration("\(crlFile): the list of \(list.issuer) is of none of the authorities that are trusted")
            }
            guard X509_STORE_add_crl(pointer, list.pointer) == 1 else {
                throw .configuration("\(crlFile): the list of \(list.issuer): \(OpenSSLLibrary.takeReason())")
            }
        }
        X509_STORE_set_flags(pointer, UInt(X509_V_FLAG_CRL_CHECK))
    }
}
