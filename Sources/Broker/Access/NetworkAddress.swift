/// Where a client connects from: an IPv4 or IPv6 address.
///
/// An IPv4 address and the same one mapped into IPv6 (RFC 4291 §2.5.5.2) are equal.
public struct NetworkAddress: Sendable, Hashable {
    /// The 16 bytes of the IPv6 address, ::ffff:a.b.c.d for IPv4.
    public let high: UInt64
    public let low: UInt64

    /// nil unless there are 4 or 16 bytes, in network order.
    @inlinable
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4:
            high = 0
            low = 0xFFFF_0000_0000 | NetworkAddress.value(of: bytes)
        case 16:
            high = NetworkAddress.value(of: bytes.prefix(8))
            low = NetworkAddress.value(of: bytes.dropFirst(8))
        default:
            return nil
        }
    }

    @inlinable
    static func value(of bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// 127.0.0.0/8 (RFC 1122 §3.2.1.3) and ::1 (RFC 4291 §2.5.3).
    public var isLoopback: Bool { isIPv4 ? low >> 24 & 0xFF == 127 : high == 0 && low == 1 }

    /// What limits and bans are kept for: the address, of IPv6 its first 64 bits, because the rest is the other side's to
    /// choose.
    public var site: NetworkAddress { isIPv4 || isLoopback ? self : NetworkAddress(high: high, low: 0) }

    /// The address with all but its first `length` bits of 128 cleared.
    fileprivate func prefix(_ length: Int) -> NetworkAddress {
        let highMask: UInt64 = length >= 64 ? .max : ~(UInt64.max >> UInt64(length))
        let lowMask: UInt64 = length >= 128 ? .max : length <= 64 ? 0 : ~(UInt64.max >> UInt64(length - 64))
        return NetworkAddress(high: high & highMask, low: low & lowMask)
    }

}

extension NetworkAddress: CustomStringConvertible {
    public var description: String {
        if isIPv4 { return [24, 16, 8, 0].map { "\(low >> $0 & 0xFF)" }.joined(separator: ".") }
        return [high, low].flatMap { half in [48, 32, 16, 0].map { String(half >> $0 & 0xFFFF, radix: 16) } }
            .joined(separator: ":")
    }
}

/// A range of addresses, as CIDR writes it (RFC 4632): `10.1.0.0/16`.
public struct NetworkPrefix: Sendable, Hashable {
    private let address: NetworkAddress
    /// Bits of 128.
    private let length: Int

    /// nil unless there are 4 bytes and `length` is 0…32, or 16 and 0…128.
    public init?(bytes: some Collection<UInt8>, length: Int) {
        guard let address = NetworkAddress(bytes: bytes), (0...bytes.count * 8).contains(length) else { return nil }
        self.length = 128 - bytes.count * 8 + length
        self.address = address.prefix(self.length)
    }

    public func contains(_ other: NetworkAddress) -> Bool { other.prefix(length) == address }
}
