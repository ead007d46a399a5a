import MQTTClient
import MQTTCodec
import NIOCore
import NIOEmbedded
import Testing

/// Writes down how many PINGREQs were answered at each PINGRESP.
private final class PingRecorder: ClientConnection {
    var pongs: [UInt64] = []

    override func pong() { pongs.append(answeredPings) }
}

@Suite("Ping")
struct PingTests {
    private let channel = EmbeddedChannel()
    private let connection: PingRecorder

    init() throws {
        connection = PingRecorder(packet: ConnectPacket(version: .v311, clientIdentifier: "c", cleanStart: true, keepAlive: 60))
        try channel.pipeline.syncOperations.addHandler(connection)
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1883)).wait()
    }

    private func sent() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { bytes += buffer.readableBytesView }
        return bytes
    }

    private func receive(_ bytes: [UInt8]) throws { try channel.writeInbound(ByteBuffer(bytes: bytes)) }

    private func up() throws {
        try receive([0x20, 2, 0, 0])
        _ = try sent()
    }

    @Test("a PINGREQ goes out at once, behind what waited to be sent")
    func behindOutput() throws {
        try up()
        connection.output.writeBytes([0x30, 3, 0, 1, 0x61])
        #expect(connection.ping() == 1)
        #expect(try sent() == [0x30, 3, 0, 1, 0x61, 0xC0, 0])
    }

    @Test("each PINGRESP is told with the number of the PINGREQ that it answers, those of the keep-alive counted")
    func numbers() throws {
        try up()
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(try sent() == [0xC0, 0])
        #expect(connection.ping() == 2)
        #expect(connection.ping() == 3)
        try receive([0xD0, 0])
        #expect(connection.pongs == [1])
        try receive([0xD0, 0, 0xD0, 0])
        #expect(connection.pongs == [1, 2, 3])
    }

    @Test("a PINGRESP that nothing asked for is not told")
    func unasked() throws {
        try up()
        try receive([0xD0, 0])
        #expect(connection.pongs.isEmpty)
        connection.ping()
        #expect(connection.answeredPings == 0)
    }

    @Test("before CONNACK no PINGREQ is sent")
    func early() throws {
        _ = try sent()
        #expect(connection.ping() == 0)
        #expect(try sent().isEmpty)
    }
}
