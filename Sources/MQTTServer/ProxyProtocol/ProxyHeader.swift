import NIOCore

// What a proxy says before the client's first byte ("The PROXY protocol", haproxy.org, versions 1 and 2):
//
//     PROXY TCP4 192.0.2.7 198.51.100.1 49152 8883\r\n
//
//     0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A | 21 | 11 | 00 0C | source, destination | ports | TLVs
//     signature                             │    │    └ bytes that follow
//                                           │    └ 11: TCP over IPv4, 21: TCP over IPv6
//                                           └ version 2; 0: the proxy itself, 1: for a client

/// Where a client connects from, as a proxy says it.
enum ProxyHeader: Equatable {
    enum Source: Equatable {
        case client(SocketAddress)
        /// The proxy speaks for itself, to see whether somebody is there.
        case proxy
    }

    case needMoreBytes
    /// - length: of the header.
    case read(Source, length: Int)
    case refused(String)

    /// The largest header that is taken: version 2 may carry more than addresses.
    static let maximumLength = 4096
    /// Version 1, its end included (§2.1).
    private static let maximumLine = 107
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    private static let word = Array("PROXY ".utf8)

    /// Reads the header at the start of `bytes`.
    static func read(_ bytes: UnsafeRawBufferPointer) -> ProxyHeader {
        guard let first = bytes.first else { return .needMoreBytes }
        switch first {
        case signature[0]: return begins(bytes, with: signature) { readVersion2(bytes) }
        case word[0]: return begins(bytes, with: word) { readVersion1(bytes) }
        default: return .refused("no PROXY header")
        }
    }

    private static func begins(
        _ bytes: UnsafeRawBufferPointer, with expected: [UInt8], _ rest: () -> ProxyHeader
    ) -> ProxyHeader {
        guard zip(bytes, expected).allSatisfy(==) else { return .refused("no PROXY header") }
        return bytes.count < expected.count ? .needMoreBytes : rest()
    }

    // MARK: Version 1

    private static func readVersion1(_ bytes: UnsafeRawBufferPointer) -> ProxyHeader {
        guard let end = bytes.prefix(maximumLine).firstIndex(of: 0x0A) else {
            return bytes.count < maximumLine ? .needMoreBytes : .refused("a PROXY line without an end")
        }
        guard bytes[end - 1] == 0x0D else { return .refused("a PROXY line that does not end with CR LF") }
        let words = String(decoding: bytes[word.count..<end - 1], as: UTF8.self).split(
            separator: " ", omittingEmptySubsequences: false)
        if words.first == "UNKNOWN" { return .refused("the proxy does not know the client's address") }
        guard words.count == 5, words[0] == "TCP4" || words[0] == "TCP6", let port = UInt16(words[3]), UInt16(words[4]) != nil,
            let address = try? SocketAddress(ipAddress: String(words[1]), port: Int(port)),
            (address.protocol == .inet) == (words[0] == "TCP4")
        else { return .refused("a PROXY line that is none") }
        return .read(.client(address), length: end + 1)
    }

    // MARK: Version 2

    private static func readVersion2(_ bytes: UnsafeRawBufferPointer) -> ProxyHeader {
        guard bytes.count >= 16 else { return .needMoreBytes }
        let length = 16 + Int(bytes[14]) << 8 + Int(bytes[15])
        guard length <= maximumLength else { return .refused("a PROXY header of \(length) bytes") }
        guard bytes[12] >> 4 == 2 else { return .refused("a PROXY header of version \(bytes[12] >> 4)") }
        guard bytes.count >= length else { return .needMoreBytes }
        switch bytes[12] & 0xF {
        case 0: return .read(.proxy, length: length)
        case 1: break
        default: return .refused("a PROXY header with an unknown command")
        }
        let size: Int
        switch bytes[13] {
        case 0x11: size = 4
        case 0x21: size = 16
        default: return .refused("the proxy does not say that the client uses TCP over IP")
        }
        guard length >= 16 + 2 * size + 4 else { return .refused("a PROXY header that is too short for its addresses") }
        let port = Int(bytes[16 + 2 * size]) << 8 | Int(bytes[16 + 2 * size + 1])
        guard
            let address = try? SocketAddress(
                packedIPAddress: ByteBuffer(bytes: bytes[16..<16 + size]), port: port)
        else { return .refused("a PROXY header with an address that is none") }
        return .read(.client(address), length: length)
    }
}
