import Broker
import NIOCore

/// Where the client is.
extension MQTTConnection {
    /// nil for a Unix socket.
    var networkAddress: NetworkAddress? {
        // As Linux lays them out: family and port, then the address; of IPv6 behind the flow.
        switch context?.channel.remoteAddress {
        case .v4(let address): withUnsafeBytes(of: address.address) { NetworkAddress(bytes: $0[4..<8]) }
        case .v6(let address): withUnsafeBytes(of: address.address) { NetworkAddress(bytes: $0[8..<24]) }
        case .unixDomainSocket, nil: nil
        }
    }
}
