internal import COpenSSL

/// What is known of the other side after a handshake.
public struct TLSPeer: Sendable, Equatable {
    public var version: TLSVersion
    /// OpenSSL's name of the cipher.
    public var cipher: String
    /// The subject of the peer's certificate as RFC 4514 writes it, `CN=pump-7,O=Works`; nil without a certificate. Only of
    /// a certificate that was verified.
    public var subject: String?
    /// The first common name of the subject.
    public var commonName: String?
    public var subjectAlternativeNames: [SubjectAlternativeName]
    /// SHA-256 of the certificate.
    public var certificateFingerprint: [UInt8]?
    /// The identity whose key the connection was made with.
    public var pskIdentity: String?
    /// The host name that the client has asked for (SNI).
    public var serverName: String?
    /// What was agreed on by ALPN.
    public var applicationProtocol: String?
    /// Whether the client came back with a ticket, without a full handshake.
    public var isResumed: Bool

    /// - Parameter ssl: whose handshake is complete.
    init(_ ssl: OpaquePointer) {
        version = SSL_version(ssl) == TLS1_3_VERSION ? .v13 : .v12
        cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? ""
        serverName = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
        if let pointer = SSL_get1_peer_certificate(ssl) {
            let certificate = Certificate(owning: pointer)
            subject = certificate.subject
            commonName = certificate.commonName
            subjectAlternativeNames = certificate.subjectAlternativeNames
            certificateFingerprint = certificate.fingerprint
        } else {
            subjectAlternativeNames = []
        }
        var chosen: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &chosen, &count)
        if let chosen, count > 0 {
            applicationProtocol = String(decoding: UnsafeBufferPointer(start: chosen, count: Int(count)), as: UTF8.self)
        }
        pskIdentity = TLSPeer.identity(of: ssl)
        isResumed = SSL_session_reused(ssl) == 1
    }

    /// In TLS 1.3 the session carries it, see ``TLSCallbacks/serverSession``.
    private static func identity(of ssl: OpaquePointer) -> String? {
        if let identity = SSL_get_psk_identity(ssl) { return String(cString: identity) }
        var data: UnsafeMutableRawPointer?
        var count = 0
        guard let session = SSL_get_session(ssl), SSL_SESSION_get0_ticket_appdata(session, &data, &count) == 1, let data, count > 0
        else { return nil }
        return String(decoding: UnsafeRawBufferPointer(start: data, count: count), as: UTF8.self)
    }
}
