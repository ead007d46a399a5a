internal import COpenSSL
internal import Core

/// A list of certificates that an authority has taken back (RFC 5280 §5).
final class RevocationList {
    let pointer: OpaquePointer

    /// Takes over a reference.
    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { X509_CRL_free(pointer) }

    var issuer: String { Certificate.text(of: X509_CRL_get_issuer(pointer)) }

    func isIssued(by authority: Certificate) -> Bool {
        X509_NAME_cmp(X509_CRL_get_issuer(pointer), X509_get_subject_name(authority.pointer)) == 0
    }

    /// Why the list cannot be relied on at a time, or nil if it can. With such a list every certificate would be refused.
    func invalidity(at now: Timestamp) -> String? {
        var time = Int(now.milliseconds / 1000)
        if X509_cmp_time(X509_CRL_get0_lastUpdate(pointer), &time) > 0 {
            return "is valid only from \(Certificate.text(ofTime: X509_CRL_get0_lastUpdate(pointer))) on: check the machine's clock"
        }
        if let next = X509_CRL_get0_nextUpdate(pointer), X509_cmp_time(next, &time) < 0 {
            return "has expired at \(Certificate.text(ofTime: next)): fetch a new one from the authority, or check the machine's clock"
        }
        return nil
    }
}
