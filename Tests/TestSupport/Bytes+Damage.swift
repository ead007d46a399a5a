/// What a line, a disk or a peer does to bytes.
extension [UInt8] {
    /// The bytes with one bit turned round.
    ///
    /// - Parameter bit: counted from the least significant bit of the first byte, less than eight times the bytes.
    public func flipping(bit: Int) -> [UInt8] {
        var bytes = self
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        return bytes
    }

    /// The bytes once for each of their bits, with that bit turned round.
    public var bitFlips: some Sequence<[UInt8]> { (0..<count * 8).lazy.map { self.flipping(bit: $0) } }

    /// The bytes in the order of their coming, `size` of them at a time.
    public func pieces(of size: Int) -> [[UInt8]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
