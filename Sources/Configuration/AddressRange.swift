/// A range of IP addresses in CIDR notation (RFC 4632): `10.1.0.0/16`, or one address.
public struct AddressRange: Sendable, Hashable {
    /// 4 bytes for IPv4, 16 for IPv6, in network order.
    public let bytes: [UInt8]
    /// How many of the first bits count.
    public let length: Int
    fileprivate let text: String

    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(String(parts[0])) else { return nil }
        let bits = address.bytes.count * 8
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(parts[1]), length <= bits else {
                return nil
            }
            self.length = length
        } else {
            length = bits
        }
        bytes = address.bytes
        self.text = text
    }

    public static func == (a: AddressRange, b: AddressRange) -> Bool { a.bytes == b.bytes && a.length == b.length }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(bytes)
        hasher.combine(length)
    }
}

extension ValueType where Value == AddressRange {
    static var addressRange: Self {
        Self(name: "address range", allowed: "IPv4 or IPv6 address, with or without /length") { value throws(Refusal) in
            guard case .string(let text) = value.content else { throw .kind("a string such as \"10.1.0.0/16\"", value) }
            guard let range = AddressRange(text) else {
                throw Refusal("\(text.quotedForMessage) is not a range of addresses such as \"10.1.0.0/16\" or \"2001:db8::/32\"")
            }
            return range
        } write: {
            $0.text.tomlLiteral
        }
    }
}
