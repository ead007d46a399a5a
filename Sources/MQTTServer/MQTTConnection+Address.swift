import Broker
import NIOCore

extension MQTTConnection {
    /// Where the client is; nil for a Unix socket.
    var networkAddress: NetworkAddress? { source.flatMap { NetworkAddress($0) } }
}

extension SocketAddress {
    /// `192.0.2.1:1883` or `[2001:db8::1]:1883`; nil for a Unix socket.
    var endpoint: String? {
        guard let host = ipAddress, let port else { return nil }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

extension NetworkAddress {
    /// nil for a Unix socket.
    init?(_ address: SocketAddress) {
        // As Linux lays them out: family and port, then the address; of IPv6 behind the flow.
        switch address {
        case .v4(let address):
            guard let own = withUnsafeBytes(of: address.address, { NetworkAddress(bytes: $0[4..<8]) }) else { return nil }
            self = own
        case .v6(let address):
            guard let own = withUnsafeBytes(of: address.address, { NetworkAddress(bytes: $0[8..<24]) }) else { return nil }
            self = own
        case .unixDomainSocket:
            return nil
        }
    }
}
