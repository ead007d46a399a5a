import Core
import MQTTClient
import MQTTCodec
import NIOCore
import NIOEmbedded
import Testing

@testable import martlet

/// `pub` and `sub` with the broker's side written by hand.
@Suite("pub and sub")
struct ClientConnectionTests {
    private let channel = EmbeddedChannel()

    private func start(_ connection: ClientConnection) throws {
        try channel.pipeline.syncOperations.addHandler(connection)
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1883)).wait()
    }

    /// The types of the packets sent since the last call.
    private func sent() throws -> [PacketType] {
        var types: [PacketType] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
            var rest = buffer
            while case .frame(let frame) = rest.withUnsafeReadableBytes({
                FrameReader.read($0, maximumPacketSize: 1 << 20, version: .v5)
            }) {
                types.append(frame.type)
                rest.moveReaderIndex(forwardBy: frame.totalLength)
            }
        }
        return types
    }

    private func receive(_ write: (inout ByteBuffer) throws -> Void) throws {
        var buffer = ByteBuffer()
        try write(&buffer)
        try channel.writeInbound(buffer)
    }

    private func connack(_ reason: ReasonCode = .success, _ properties: Properties = Properties()) throws {
        try receive { try ConnackPacket(sessionPresent: false, reasonCode: reason, properties: properties).write(version: .v5, into: &$0) }
    }

    private func acknowledge(_ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode = .success) throws {
        try receive {
            AcknowledgementPacket(packetIdentifier: identifier, reasonCode: reason).write(type: type, version: .v5, into: &$0)
        }
    }

    private final class Outcome {
        var result: Result<Void, ClientError>?
        var description: String {
            switch result {
            case nil: "nothing"
            case .success: "success"
            case .failure(let error): "\(error)"
            }
        }
    }

    private func publisher(
        _ qos: QoS, count: Int = 1, window: Int = 20, change: (inout PubPlan) -> Void = { _ in }
    ) throws -> Outcome {
        let outcome = Outcome()
        var plan = PubPlan(topic: "a", qos: qos, retain: false, window: window)
        change(&plan)
        let source = MessageSource(.repeated([1, 2], count: count, pause: .nanoseconds(0)), on: channel.eventLoop)
        let packet = ConnectPacket(version: .v5, clientIdentifier: "p", cleanStart: true, keepAlive: 60)
        try start(
            PubConnection(
                packet: packet, answerTimeout: .seconds(1), plan: plan, source: source, log: { _ in },
                completion: {
                    #expect(outcome.result == nil, "told twice")
                    outcome.result = $0
                }))
        #expect(try sent() == [.connect])
        return outcome
    }

    @Test("a message of QoS 0 is sent, and that is it")
    func atMostOnce() throws {
        let outcome = try publisher(.atMostOnce, count: 2)
        try connack()
        #expect(try sent() == [.publish, .publish, .disconnect])
        #expect(outcome.description == "success")
        #expect(!channel.isActive)
    }

    @Test("messages of QoS 1 wait for their acknowledgement, no more at once than the window")
    func atLeastOnce() throws {
        let outcome = try publisher(.atLeastOnce, count: 3, window: 2)
        try connack()
        #expect(try sent() == [.publish, .publish])
        try acknowledge(.puback, 2)
        #expect(try sent() == [.publish])
        try acknowledge(.puback, 1)
        #expect(outcome.result == nil)
        try acknowledge(.puback, 2)
        #expect(try sent() == [.disconnect])
        #expect(outcome.description == "success")
    }

    @Test("a message of QoS 2 takes four packets")
    func exactlyOnce() throws {
        let outcome = try publisher(.exactlyOnce)
        try connack()
        #expect(try sent() == [.publish])
        try acknowledge(.pubrec, 1)
        #expect(try sent() == [.pubrel])
        try acknowledge(.pubcomp, 1)
        #expect(try sent() == [.disconnect])
        #expect(outcome.description == "success")
    }

    @Test("a refused message is said in words, after the others")
    func refusedMessage() throws {
        let outcome = try publisher(.atLeastOnce)
        try connack()
        try acknowledge(.puback, 1, .quotaExceeded)
        #expect(outcome.description == "1 messages refused: quota exceeded (0x97)")
    }

    @Test("a refused connection is said in words")
    func refusedConnection() throws {
        let outcome = try publisher(.atLeastOnce)
        var properties = Properties()
        properties.reasonString = "go away"
        try connack(.notAuthorized, properties)
        #expect(outcome.description == "refused: not authorized (0x87): go away")
    }

    @Test("a lost connection is a failure as long as something is not acknowledged")
    func lost() throws {
        let outcome = try publisher(.atLeastOnce)
        try connack()
        channel.pipeline.fireChannelInactive()
        #expect(outcome.description == "connection lost")
    }

    @Test("what the broker has said that it cannot do is not tried")
    func limits() throws {
        var properties = Properties()
        properties.maximumQoS = 0
        let outcome = try publisher(.atLeastOnce)
        try connack(.success, properties)
        #expect(try sent() == [.disconnect])
        #expect(outcome.description.contains("QoS 0 at most"))
    }

    @Test("a message that is too large for the broker is not sent")
    func tooLarge() throws {
        var properties = Properties()
        properties.maximumPacketSize = 7
        let outcome = try publisher(.atMostOnce)
        try connack(.success, properties)
        #expect(try sent() == [.disconnect])
        #expect(outcome.description.contains("7 bytes"))
    }
}
