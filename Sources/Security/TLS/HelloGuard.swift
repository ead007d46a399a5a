/// Looks at the length that a client's first message claims: OpenSSL would set memory aside for up to 128 KiB, for
/// everybody who connects.
struct HelloGuard {
    /// Bytes of the largest hello taken. Real ones have up to 2,000.
    static let limit = 16_384

    private var seen: UInt8 = 0
    private var isHandshake = true
    private var claimed = 0

    /// - Returns: whether the hello may go on.
    mutating func permits(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // The record's type, version and length; then the message's type and length (RFC 8446 §5.1, §4).
        for byte in bytes {
            guard seen < 9 else { break }
            if seen == 0 { isHandshake = byte == 22 }
            if (6...8).contains(seen) { claimed = claimed << 8 | Int(byte) }
            seen += 1
        }
        return !isHandshake || claimed <= HelloGuard.limit
    }
}
