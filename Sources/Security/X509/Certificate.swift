internal import COpenSSL
internal import Core

/// An X.509 certificate.
final class Certificate {
    let pointer: OpaquePointer

    /// Takes over a reference.
    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { X509_free(pointer) }

    /// The subject's name as RFC 4514 writes it, `CN=pump-7,O=Works`; empty if it has none.
    var subject: String { Certificate.text(of: X509_get_subject_name(pointer)) }

    var issuer: String { Certificate.text(of: X509_get_issuer_name(pointer)) }

    /// The first common name of the subject; nil without one, or if it holds a NUL.
    var commonName: String? {
        guard let name = X509_get_subject_name(pointer) else { return nil }
        let at = X509_NAME_get_index_by_NID(name, NID_commonName, -1)
        guard at >= 0, let entry = X509_NAME_get_entry(name, at) else { return nil }
        return Certificate.text(of: X509_NAME_ENTRY_get_data(entry))
    }

    /// The names that the certificate stands for beside its subject (RFC 5280 §4.2.1.6), those of the kinds that are known.
    var subjectAlternativeNames: [SubjectAlternativeName] {
        guard let names = X509_get_ext_d2i(pointer, NID_subject_alt_name, nil, nil) else { return [] }
        let list = OpaquePointer(names)
        defer { copenssl_general_names_free(list) }
        return (0..<copenssl_general_name_count(list)).compactMap { at in
            copenssl_general_name(list, at).flatMap(SubjectAlternativeName.init)
        }
    }

    /// Whether it stands for a host name (RFC 9525 §6.3), or with `*` for its first label for some host of that kind.
    func isFor(_ host: String) -> Bool {
        let host = host.hasPrefix("*.") ? "any" + host.dropFirst() : host
        return X509_check_host(pointer, host, host.utf8.count, 0, nil) == 1
    }

    /// SHA-256 of the certificate.
    var fingerprint: [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 0
        X509_digest(pointer, EVP_sha256(), &digest, &count)
        return digest
    }

    /// Why the certificate is not valid at a time, or nil if it is.
    func invalidity(at now: Timestamp) -> String? {
        var time = Int(now.milliseconds / 1000)
        let notBefore = X509_get0_notBefore(pointer)
        let notAfter = X509_get0_notAfter(pointer)
        // 0 is OpenSSL's word for a time that it cannot read.
        let begun = X509_cmp_time(notBefore, &time)
        let ended = X509_cmp_time(notAfter, &time)
        if begun == 0 || ended == 0 { return "has no readable time of validity" }
        if begun > 0 { return "is valid only from \(Certificate.text(ofTime: notBefore)) on: check the machine's clock" }
        if ended < 0 { return "has expired at \(Certificate.text(ofTime: notAfter)): renew it, or check the machine's clock" }
        return nil
    }

    /// The end of the certificate's validity; nil if it cannot be read.
    var expiry: Timestamp? {
        let epoch = ASN1_TIME_set(nil, 0)
        defer { ASN1_TIME_free(epoch) }
        var days: Int32 = 0
        var seconds: Int32 = 0
        guard ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(pointer)) == 1 else { return nil }
        return Timestamp(milliseconds: (Int64(days) * 86_400 + Int64(seconds)) * 1000)
    }

    static func text(of name: OpaquePointer?) -> String {
        guard let name else { return "" }
        return text { bio in copenssl_x509_name_print(bio, name) >= 0 } ?? ""
    }

    static func text(ofTime time: UnsafePointer<ASN1_TIME>?) -> String {
        text { bio in ASN1_TIME_print(bio, time) == 1 } ?? "an unreadable time"
    }

    static func text(of string: UnsafePointer<ASN1_STRING>?) -> String? {
        var utf8: UnsafeMutablePointer<UInt8>?
        let count = ASN1_STRING_to_UTF8(&utf8, string)
        guard count >= 0, let utf8 else {
            OpenSSLLibrary.clearErrors()
            return nil
        }
        defer { copenssl_free(utf8) }
        let bytes = UnsafeBufferPointer(start: utf8, count: Int(count))
        // A NUL would let "admin\0.example.com" pass for "admin" where strings end at it.
        return bytes.contains(0) ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// What a function of OpenSSL prints.
    private static func text(_ print: (OpaquePointer?) -> Bool) -> String? {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free(bio) }
        guard print(bio) else { return nil }
        var bytes: UnsafeMutablePointer<CChar>?
        let count = copenssl_bio_get_mem_data(bio, &bytes)
        guard count > 0, let bytes else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
