import Broker
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

extension CertificateIdentity {
    /// nil if the peer has shown no certificate.
    init?(_ peer: TLSPeer) {
        guard let subject = peer.subject else { return nil }
        self.init(subject: subject, commonName: peer.commonName)
        for name in peer.subjectAlternativeNames {
            switch name {
            case .dns(let name): dnsNames.append(name)
            case .email(let address): emailAddresses.append(address)
            case .uri(let uri): uris.append(uri)
            case .ip: break
            }
        }
    }
}
