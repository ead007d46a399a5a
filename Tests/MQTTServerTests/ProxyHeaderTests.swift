import NIOCore
import Testing

@testable import MQTTServer

private enum Headers {
    static let line: [UInt8] = Array("PROXY TCP4 192.0.2.7 198.51.100.1 49152 8883\r\n".utf8)
    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    static let version2: [UInt8] = signature + [0x21, 0x11, 0, 12, 192, 0, 2, 7, 198, 51, 100, 1, 0xC0, 0, 0x22, 0xB3]

    static let wrongLines: [String] = [
        "PROXY UNKNOWN\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 49152\r\n", "PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 65536 1\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 1 1\n", "PROXY TCP4 a b 1 1\r\n",
        "PUT / HTTP/1.1", "PROXY TCP4 " + String(repeating: "1", count: 100), "\u{10}\u{0C}",
    ]
    /// What follows the signature.
    static let wrongHeaders: [[UInt8]] = [
        [0x11, 0x11, 0, 12], [0x22, 0x11, 0, 0], [0x21, 0x31, 0, 0], [0x21, 0x00, 0, 0],
        [0x21, 0x11, 0, 11, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [0x21, 0x11, 0xFF, 0xFF],
    ]

    static let wrong: [[UInt8]] = wrongLines.map { Array($0.utf8) } + wrongHeaders.map { signature + $0 }
}

@Suite("PROXY protocol")
struct ProxyHeaderTests {
    private func read(_ bytes: [UInt8]) -> ProxyHeader { bytes.withUnsafeBytes { ProxyHeader.read($0) } }

    private func header(of address: String, _ port: Int, length: Int) throws -> ProxyHeader {
        .read(.client(try SocketAddress(ipAddress: address, port: port)), length: length)
    }

    @Test("version 1 names the client's address, and MQTT follows")
    func version1() throws {
        let expected = try header(of: "192.0.2.7", 49_152, length: Headers.line.count)
        #expect(read(Headers.line + [0x10]) == expected)
        let six = Array("PROXY TCP6 2001:db8::7 ::1 1 65535\r\n".utf8)
        let expectedOfSix = try header(of: "2001:db8::7", 1, length: six.count)
        #expect(read(six) == expectedOfSix)
    }

    @Test("version 2 names the client's address, and what else it carries is skipped")
    func version2() throws {
        let expected = try header(of: "192.0.2.7", 49_152, length: 28)
        #expect(read(Headers.version2 + [0x10]) == expected)
        var six = Headers.signature + [0x21, 0x21, 0, 39]
        six += [0x20, 0x01, 0x0D, 0xB8]
        six += [UInt8](repeating: 0, count: 11)
        six.append(7)
        six += [UInt8](repeating: 0, count: 16)
        six += [0, 1, 0, 2, 4, 0, 0]
        let expectedOfSix = try header(of: "2001:db8::7", 1, length: 55)
        #expect(read(six + [0x10]) == expectedOfSix)
    }

    @Test("a health check of version 2 is the proxy's own")
    func local() {
        #expect(read(Headers.signature + [0x20, 0, 0, 0]) == .read(.proxy, length: 16))
    }

    @Test("a header may come in pieces", arguments: [Headers.line, Headers.version2])
    func pieces(header: [UInt8]) {
        for count in 0..<header.count { #expect(read(Array(header[..<count])) == .needMoreBytes) }
    }

    @Test("anything else is refused", arguments: Headers.wrong)
    func refused(bytes: [UInt8]) {
        let header = read(bytes)
        let isRefused = if case .refused = header { true } else { false }
        #expect(isRefused, "\(bytes)")
    }
}
