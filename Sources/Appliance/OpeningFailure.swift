import Configuration
import Glibc
import NIOCore

/// Why a port cannot be opened, and what to do about it.
struct OpeningFailure: CustomStringConvertible {
    /// `listener "field"`, or what else it is for.
    var subject: String
    /// The address and port, or the socket's file.
    var place: String
    /// nil for a Unix socket.
    var network: NetworkPlace?
    var error: any Error

    var description: String { "\(subject): \(words)" }

    private var words: String {
        guard let network, let code = (error as? IOError)?.errnoCode else { return "\(place) cannot be opened: \(error)" }
        switch code {
        case EADDRINUSE:
            return "\(network) is taken by another process (see ss -ltnp)"
        case EACCES where network.port < 1024:
            return "\(network) cannot be opened: a port below 1024 needs the right CAP_NET_BIND_SERVICE: write "
                + "AmbientCapabilities=CAP_NET_BIND_SERVICE and CapabilityBoundingSet=CAP_NET_BIND_SERVICE below [Service] in what "
                + "systemctl edit martlet opens, or use a port from 1024 on"
        case EADDRNOTAVAIL:
            return "\(network) cannot be opened: no network interface of this machine has the address \(network.address) (see ip address)"
        case EAFNOSUPPORT:
            return "\(network) cannot be opened: this machine has no addresses of that kind"
        default:
            return "\(network) cannot be opened: \(String(cString: strerror(code)))"
        }
    }
}
