import Core
import Glibc
import NIOCore
import Security

extension SelfTest {
    /// A handshake between two ends in memory, with a pre-shared key: OpenSSL works as it is linked in.
    func checkTLS() throws -> String {
        let key = secureRandom(32)
        let path = directory + "/keys"
        try write("self-test:\(key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())\n", to: path)
        let server = try TLSEngine(
            context: TLSContext(server: TLSServerConfiguration(pskFile: path), now: SystemClock.wall()))
        let client = try TLSEngine(
            context: TLSContext(
                client: TLSClientConfiguration(preSharedKey: .init(identity: "self-test", key: key)), now: SystemClock.wall()))
        try client.start()
        var received = ByteBuffer()
        for _ in 0..<4 where server.state == .handshaking { try carry(client, server, &received) }
        try "over TLS".utf8.withContiguousStorageIfAvailable { try client.send(UnsafeRawBufferPointer($0)) }
        try carry(client, server, &received)
        guard String(buffer: received) == "over TLS", let peer = server.peer, peer.pskIdentity == "self-test" else {
            throw SelfTestError("what was received is not what was sent")
        }
        return "\(peer.version), \(peer.cipher)"
    }

    /// What the client has to say, and the server's answer.
    private func carry(_ client: TLSEngine, _ server: TLSEngine, _ received: inout ByteBuffer) throws {
        var ignored = ByteBuffer()
        if let output = client.takeOutput() {
            try output.withUnsafeReadableBytes { try server.receive($0, into: &received) }
        }
        if let output = server.takeOutput() {
            try output.withUnsafeReadableBytes { try client.receive($0, into: &ignored) }
        }
    }

    private func write(_ text: String, to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard file >= 0, Glibc.write(file, bytes, bytes.count) == bytes.count else {
            throw SelfTestError("\(path): \(String(cString: strerror(errno)))")
        }
    }
}
