internal import COpenSSL

/// A name that a certificate stands for beside its subject (RFC 5280 §4.2.1.6).
public enum SubjectAlternativeName: Sendable, Equatable {
    case dns(String)
    case email(String)
    case uri(String)
    /// 4 or 16 bytes.
    case ip([UInt8])

    /// Nil for a kind that is not known, and for a text that holds a NUL.
    init?(_ name: UnsafeMutablePointer<GENERAL_NAME>) {
        var kind: Int32 = 0
        guard let value = GENERAL_NAME_get0_value(name, &kind) else { return nil }
        let string = UnsafePointer(value.assumingMemoryBound(to: ASN1_STRING.self))
        switch kind {
        case GEN_DNS:
            guard let text = Certificate.text(of: string) else { return nil }
            self = .dns(text)
        case GEN_EMAIL:
            guard let text = Certificate.text(of: string) else { return nil }
            self = .email(text)
        case GEN_URI:
            guard let text = Certificate.text(of: string) else { return nil }
            self = .uri(text)
        case GEN_IPADD:
            let count = Int(ASN1_STRING_length(string))
            guard count == 4 || count == 16, let bytes = ASN1_STRING_get0_data(string) else { return nil }
            self = .ip(Array(UnsafeBufferPointer(start: bytes, count: count)))
        default: return nil
        }
    }
}
