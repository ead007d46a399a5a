internal import Glibc

/// A numeric address of IPv4 (4 bytes) or IPv6 (16 bytes).
struct IPAddress: Hashable {
    let bytes: [UInt8]

    init?(_ text: String) {
        // inet_pton reads up to a zero byte; what follows would go unchecked.
        guard !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 {
            self.bytes = Array(bytes.prefix(4))
        } else if inet_pton(AF_INET6, text, &bytes) == 1 {
            self.bytes = bytes
        } else {
            return nil
        }
    }

    /// The four bytes of an address of IPv4, or of one mapped into IPv6 (RFC 4291 §2.5.5.2).
    var v4: [UInt8]? {
        if bytes.count == 4 { return bytes }
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        return Array(bytes.prefix(12)) == mapped ? Array(bytes.suffix(4)) : nil
    }

    /// 127.0.0.0/8 (RFC 1122 §3.2.1.3), ::1 (RFC 4291 §2.5.3) and 127.0.0.0/8 mapped into IPv6.
    var isLoopback: Bool {
        if let v4 { return v4[0] == 127 }
        return bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
    }

    /// 0.0.0.0 and ::
    var isAny: Bool { bytes.allSatisfy { $0 == 0 } }
}
