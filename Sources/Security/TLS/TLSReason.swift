internal import COpenSSL
internal import Core

/// Why a connection failed, in words for who has to mend it. A server's log keeps OpenSSL's own: there the one to mend it is
/// at the other end.
enum TLSReason {
    static let certificateWanted = "the server wants a client certificate"

    /// The reason of the first error in OpenSSL's queue, which is emptied.
    static func takeWords(_ engine: TLSEngine) -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        if !engine.context.isServer, let words = words(code, engine) { return words }
        return OpenSSLLibrary.reason(code)
    }

    private static func words(_ code: UInt, _ engine: TLSEngine) -> String? {
        let reason = ERR_GET_REASON(code)
        if reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG {
            return "the server does not speak TLS at this port"
        }
        // An alert of the server (RFC 8446 §6.2): OpenSSL adds this to its number.
        switch reason - SSL_AD_REASON_OFFSET {
        case SSL_AD_HANDSHAKE_FAILURE where engine.lacksCertificate, SSL_AD_CERTIFICATE_REQUIRED: return certificateWanted
        case SSL_AD_HANDSHAKE_FAILURE, SSL_AD_INSUFFICIENT_SECURITY: return "the server takes none of our ciphers"
        case SSL_AD_BAD_CERTIFICATE, SSL_AD_UNSUPPORTED_CERTIFICATE, SSL_AD_CERTIFICATE_UNKNOWN:
            return engine.lacksCertificate ? certificateWanted : "the server does not take our certificate"
        case SSL_AD_CERTIFICATE_REVOKED: return "the server says that our certificate was revoked"
        case SSL_AD_CERTIFICATE_EXPIRED: return "the server says that our certificate has expired"
        case SSL_AD_UNKNOWN_CA: return "the server does not trust the authority of our certificate"
        case SSL_AD_DECRYPT_ERROR where !engine.context.preSharedKeys.isEmpty: return "the server has another pre-shared key"
        // RFC 8446 §4.2.11: what a server says that cannot verify the binder, which is made with the key.
        case SSL_AD_ILLEGAL_PARAMETER where !engine.context.preSharedKeys.isEmpty: return "the server has another pre-shared key"
        case SSL_AD_UNKNOWN_PSK_IDENTITY: return "the server does not know our identity, or wants no pre-shared key"
        case SSL_AD_PROTOCOL_VERSION: return "the server speaks no version of TLS that we do"
        case SSL_AD_UNRECOGNIZED_NAME: return "the server has no certificate for \(engine.serverName ?? "no name")"
        case SSL_AD_NO_APPLICATION_PROTOCOL: return "the server takes none of our application protocols (ALPN)"
        default: return nil
        }
    }

    /// - Parameters:
    ///   - error: of X509_STORE_CTX_get_error.
    ///   - pointer: the certificate that was looked at.
    static func words(ofVerification error: Int32, _ pointer: OpaquePointer?, _ engine: TLSEngine) -> String {
        var certificate: Certificate?
        if let pointer, X509_up_ref(pointer) == 1 { certificate = Certificate(owning: pointer) }
        let openSSL = String(cString: X509_verify_cert_error_string(Int(error)))
        guard !engine.context.isServer, let certificate else {
            return "the peer's certificate\(certificate.map { " \($0.subject)" } ?? ""): \(openSSL)"
        }
        let whose = "the server's certificate \(certificate.subject)"
        switch error {
        case X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID:
            return "\(whose) \(certificate.invalidity(at: SystemClock.wall()) ?? openSSL)"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "the name does not match: \(whose) is for \(names(certificate)), not for \(engine.serverName ?? "no name")"
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return "\(whose) comes from an authority that is not trusted here, \(certificate.issuer)"
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return "\(whose) is signed by itself and not trusted here"
        case X509_V_ERR_CERT_REVOKED:
            return "\(whose) was revoked by its authority"
        default:
            return "\(whose): \(openSSL)"
        }
    }

    private static func names(_ certificate: Certificate) -> String {
        var names: [String] = []
        for name in certificate.subjectAlternativeNames {
            switch name {
            case .dns(let text): names.append(text)
            case .ip(let bytes) where bytes.count == 4: names.append(bytes.map { "\($0)" }.joined(separator: "."))
            case .ip, .email, .uri: break
            }
        }
        if names.isEmpty, let name = certificate.commonName { names.append(name) }
        return names.isEmpty ? "nobody" : names.prefix(5).joined(separator: ", ") + (names.count > 5 ? ", …" : "")
    }
}
