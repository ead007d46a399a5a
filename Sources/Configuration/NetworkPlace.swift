/// A TCP port of one address of this machine, or of all its addresses.
public struct NetworkPlace: Sendable, Hashable, CustomStringConvertible {
    /// As written: an address of IPv4 or IPv6.
    public let address: String
    public let port: Int

    public init(address: String, port: Int) {
        self.address = address
        self.port = port
    }

    /// `127.0.0.1:1883`, `[::1]:1883`
    public var description: String { address.utf8.contains(UInt8(ascii: ":")) ? "[\(address)]:\(port)" : "\(address):\(port)" }

    /// Whether every client that reaches the other place would reach this one, were it open there: 0.0.0.0 has all addresses
    /// of IPv4, and :: those of IPv4 and IPv6.
    public func covers(_ other: NetworkPlace) -> Bool {
        guard port == other.port, let own = IPAddress(address), let others = IPAddress(other.address) else { return false }
        if own == others { return true }
        if let v4 = own.v4, let other = others.v4 { return v4 == other || v4 == [0, 0, 0, 0] }
        return own.bytes.count == 16 && own.isAny
    }

    /// Whether the system would not have both of them open at one time.
    public func overlaps(_ other: NetworkPlace) -> Bool { covers(other) || other.covers(self) }
}

extension MartletConfiguration.Listener {
    /// nil for a Unix socket.
    public var networkPlace: NetworkPlace? { transport == .unix ? nil : NetworkPlace(address: address, port: port) }
}

extension MartletConfiguration.Metrics {
    /// nil without an endpoint.
    public var networkPlace: NetworkPlace? { port.map { NetworkPlace(address: address, port: $0) } }
}
