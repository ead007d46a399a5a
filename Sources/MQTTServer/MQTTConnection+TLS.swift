import NIOCore
import Security

/// Whom TLS has found at the other end of a connection.
extension MQTTConnection {
    /// nil without TLS.
    var tlsPeer: TLSPeer? {
        guard let context else { return nil }
        return (try? context.pipeline.syncOperations.handler(type: TLSHandler.self))?.peer
    }
}

extension ListenerSettings {
    /// The user name that a client has from its certificate or its shared key; nil if it has none from there.
    func userName(of peer: TLSPeer) -> String? {
        if userFromPSK, let identity = peer.pskIdentity { return identity }
        switch userFromCertificate {
        case .none: return nil
        case .commonName: return peer.commonName
        case .subject: return peer.subject
        case .sanDNS: return peer.subjectAlternativeNames.lazy.compactMap { if case .dns(let name) = $0 { name } else { nil } }.first
        case .sanEmail: return peer.subjectAlternativeNames.lazy.compactMap { if case .email(let name) = $0 { name } else { nil } }.first
        case .sanURI: return peer.subjectAlternativeNames.lazy.compactMap { if case .uri(let name) = $0 { name } else { nil } }.first
        }
    }
}
