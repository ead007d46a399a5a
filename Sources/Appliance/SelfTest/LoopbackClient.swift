import Core
import Glibc
import MQTTCodec
import NIOCore

/// A blocking MQTT client for the self-test: as little between the check and the socket as can be.
struct LoopbackClient: ~Copyable {
    private let socket: Int32
    private var received = ByteBuffer()
    private let deadline = SystemClock.monotonic() + .seconds(30)

    /// Publishes a message to itself through the broker, then waits for a post with a good value from the simulated device.
    static func roundTrip(port: Int) throws -> String {
        let start = SystemClock.monotonic()
        var client = try LoopbackClient(port: port)
        try client.send { buffer in
            let packet = ConnectPacket(version: .v311, clientIdentifier: "self-test", cleanStart: true, keepAlive: 60)
            try packet.write(into: &buffer)
        }
        try client.send { buffer in
            try SubscribePacket(
                packetIdentifier: 1,
                requests: [SubscribePacket.Request(filter: "#", options: SubscriptionOptions(qos: .atLeastOnce))]
            ).write(version: .v311, into: &buffer)
        }
        try client.send { buffer in
            let message = Message.create(
                topic: "self-test/echo", payload: Array("hello".utf8), qos: .atLeastOnce, publishedAt: SystemClock.wall())
            _ = PublishEncoder.write(
                message, packetIdentifier: 2, qos: .atLeastOnce, retain: false, dup: false, version: .v311, into: &buffer)
        }
        try client.wait { topic, payload in topic == "self-test/echo" && payload == "hello" }
        let echo = SystemClock.monotonic() - start
        try client.wait { topic, payload in
            topic == "/sys/demo/boiler/thing/measurepoint/post" && payload.contains("\"temperature\":{\"value\":")
                && payload.contains("\"quality\":9")
        }
        return "echo after \(echo.wholeMilliseconds) ms, first Modbus point after "
            + "\((SystemClock.monotonic() - start).wholeMilliseconds) ms"
    }

    private init(port: Int) throws {
        self.init(socket: try LoopbackClient.connected(port: port))
    }

    private init(socket: Int32) { self.socket = socket }

    private static func connected(port: Int) throws -> Int32 {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw SelfTestError("no socket: errno \(errno)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            close(descriptor)
            throw SelfTestError("cannot connect to port \(port)")
        }
        return descriptor
    }

    deinit { close(socket) }

    private func send(_ encode: (inout ByteBuffer) throws -> Void) throws {
        var buffer = ByteBuffer()
        try encode(&buffer)
        let count = buffer.withUnsafeReadableBytes { write(socket, $0.baseAddress, $0.count) }
        guard count == buffer.readableBytes else { throw SelfTestError("the broker closed the connection") }
    }

    /// Reads packets until a PUBLISH is what is waited for.
    private mutating func wait(until isWanted: (_ topic: String, _ payload: String) -> Bool) throws {
        while true {
            while let (type, flags, body) = try nextPacket() {
                guard type == .publish else { continue }
                let found = try body.withUnsafeReadableBytes { bytes in
                    let view = try PublishView.read(body: bytes, flags: flags, version: .v311)
                    return isWanted(
                        String(decoding: bytes[view.topic], as: UTF8.self), String(decoding: bytes[view.payload], as: UTF8.self))
                }
                if found { return }
            }
            try fill()
        }
    }

    private mutating func nextPacket() throws -> (PacketType, UInt8, ByteBuffer)? {
        let result = received.withUnsafeReadableBytes { FrameReader.read($0, maximumPacketSize: 1 << 20, version: .v311) }
        switch result {
        case .needMoreBytes: return nil
        case .failure(let error): throw error
        case .frame(let frame):
            received.moveReaderIndex(forwardBy: frame.bodyOffset)
            return (frame.type, frame.flags, received.readSlice(length: frame.bodyLength) ?? ByteBuffer())
        }
    }

    private mutating func fill() throws {
        let left = deadline - SystemClock.monotonic()
        var ready = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        guard left > .zero, poll(&ready, 1, Int32(clamping: left.wholeMilliseconds)) > 0 else {
            throw SelfTestError("nothing came for 30 s")
        }
        let descriptor = socket
        let count = received.writeWithUnsafeMutableBytes(minimumWritableBytes: 65_536) {
            max(0, read(descriptor, $0.baseAddress, $0.count))
        }
        guard count > 0 else { throw SelfTestError("the broker closed the connection") }
    }
}
