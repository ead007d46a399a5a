import Core
import MQTTCodec
import NIOCore
import NIOPosix

/// A broker for one publisher and one subscriber that does to chosen messages what a broker should not do. QoS 0 and 1,
/// MQTT 3.1.1.
///
/// Belongs to the event loop.
final class FaultyBroker {
    /// What a broker does when message n, from 0 on, arrives: the numbers of the messages that it delivers then.
    typealias Behaviour = (Int) -> [Int]

    private let behaviour: Behaviour
    private let acceptsConnections: Bool
    /// Closes the publisher's connection in place of handling this message.
    private let closesAt: Int?
    private let acknowledges: Bool
    /// What it does to the packet of message n before it delivers it.
    private let damage: (Int, inout [UInt8]) -> Void
    private var subscriber: (any Channel)?
    /// The packets as they came; the first is the probe, which is delivered as it should be.
    private var packets: [ByteBuffer] = []

    init(
        acceptsConnections: Bool = true, closesAt: Int? = nil, acknowledges: Bool = true,
        behaviour: @escaping Behaviour = { [$0] }, damage: @escaping (Int, inout [UInt8]) -> Void = { _, _ in }
    ) {
        self.acceptsConnections = acceptsConnections
        self.closesAt = closesAt
        self.acknowledges = acknowledges
        self.damage = damage
        self.behaviour = behaviour
    }

    /// Listens on a free port of the loopback interface.
    func start(on loop: any EventLoop) -> EventLoopFuture<any Channel> {
        let bound = NIOLoopBound(self, eventLoop: loop)
        return ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Connection(broker: bound.value))
                }
            }
            .bind(host: "127.0.0.1", port: 0)
    }

    fileprivate func handle(_ frame: Frame, _ packet: ByteBuffer, from channel: any Channel) {
        var answer = ByteBuffer()
        switch frame.type {
        case .connect:
            answer.writeBytes([0x20, 2, 0, acceptsConnections ? 0 : 5])
        case .subscribe:
            subscriber = channel
            let body = packet.getBytes(at: frame.bodyOffset, length: frame.bodyLength) ?? []
            answer.writeBytes([0x90, 3, body[0], body[1], body[body.count - 1]])
        case .publish:
            if let closesAt, packets.count - 1 == closesAt {
                channel.close(promise: nil)
                return
            }
            if frame.flags & 0b0110 != 0, acknowledges || packets.isEmpty {
                let topicLength: UInt16 = packet.getInteger(at: frame.bodyOffset) ?? 0
                let identifier: UInt16 = packet.getInteger(at: frame.bodyOffset + 2 + Int(topicLength)) ?? 0
                answer.writeBytes([0x40, 2])
                answer.writeInteger(identifier)
            }
            packets.append(packet)
            let isProbe = packets.count == 1
            for number in isProbe ? [-1] : behaviour(packets.count - 2) {
                var bytes = Array(packets[number + 1].readableBytesView)
                damage(number, &bytes)
                subscriber?.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
            }
        default:
            return
        }
        if answer.readableBytes > 0 { channel.writeAndFlush(answer, promise: nil) }
    }
}

private final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let broker: FaultyBroker
    private var received = ByteBuffer()

    init(broker: FaultyBroker) { self.broker = broker }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        received.writeBuffer(&buffer)
        while case .frame(let frame) = received.withUnsafeReadableBytes({
            FrameReader.read($0, maximumPacketSize: FrameReader.maximumPacketSize)
        }) {
            guard let packet = received.readSlice(length: frame.totalLength) else { return }
            broker.handle(frame, ByteBuffer(bytes: packet.readableBytesView), from: context.channel)
        }
    }
}
