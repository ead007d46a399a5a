/// A hash of bytes with a seed of its own, so that nobody can choose keys that collide.
public struct ByteHash: Sendable {
    @usableFromInline let seed: UInt64

    public init() { seed = UInt64.random(in: 0...UInt64.max) | 1 }

    /// Eight bytes at a time.
    @inlinable
    public func callAsFunction(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = seed ^ UInt64(truncatingIfNeeded: bytes.count)
        guard let base = bytes.baseAddress else { return hash }
        var at = 0
        while at &+ 8 <= bytes.count {
            hash = ByteHash.mix(hash ^ base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            at &+= 8
        }
        if at < bytes.count {
            var last: UInt64 = 0
            while at < bytes.count {
                last = last << 8 | UInt64(base.load(fromByteOffset: at, as: UInt8.self))
                at &+= 1
            }
            hash = ByteHash.mix(hash ^ last)
        }
        return hash
    }

    @inlinable
    static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }
}

extension UnsafeRawBufferPointer {
    /// Whether both have the same bytes, eight at a time.
    @inlinable
    public func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard let a = baseAddress, let b = other.baseAddress else { return true }
        var at = 0
        while at &+ 8 <= count {
            if a.loadUnaligned(fromByteOffset: at, as: UInt64.self) != b.loadUnaligned(fromByteOffset: at, as: UInt64.self) {
                return false
            }
            at &+= 8
        }
        while at < count {
            if a.load(fromByteOffset: at, as: UInt8.self) != b.load(fromByteOffset: at, as: UInt8.self) { return false }
            at &+= 1
        }
        return true
    }
}
