import Core
import MQTTCodec
import NIOCore

/// A subscriber: reads deliveries in place and acknowledges all that came in one read with one write.
final class LoadSubscriber: LoadConnection {
    private let run: LoadRun
    private let filter: String
    /// The publishers it hears.
    private let sources: Range<Int>
    /// The flow from the first of them.
    private let firstFlow: Int

    init(run: LoadRun, index: Int) {
        self.run = run
        filter = run.plan.filter(ofSubscriber: index)
        sources = run.plan.sources(ofSubscriber: index)
        firstFlow = run.plan.firstFlow(ofSubscriber: index)
        super.init(clientIdentifier: run.plan.clientIdentifier("s", index), version: run.plan.version)
    }

    override func established(_ connack: ConnackPacket) {
        var buffer = ByteBuffer()
        let request = SubscribePacket.Request(filter: filter, options: SubscriptionOptions(qos: run.plan.qos))
        let packet = SubscribePacket(packetIdentifier: 1, requests: [request])
        encode { () throws(EncodeError) in try packet.write(version: version, into: &buffer) }
        send(buffer)
    }

    override func beginRead() { run.beginRead() }

    override func receive(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        switch frame.type {
        case .publish:
            let view = try PublishView.read(body: body, flags: frame.flags, version: version)
            note(UnsafeRawBufferPointer(rebasing: body[view.payload]))
            if view.qos != .atMostOnce {
                AcknowledgementPacket(packetIdentifier: view.packetIdentifier).write(
                    type: view.qos == .atLeastOnce ? .puback : .pubrec, version: version, into: &run.output)
            }
        case .pubrel:
            let packet = try AcknowledgementPacket.read(body: body, type: .pubrel, version: version)
            AcknowledgementPacket(packetIdentifier: packet.packetIdentifier).write(
                type: .pubcomp, version: version, into: &run.output)
        case .suback:
            let packet = try SubackPacket.read(body: body, version: version)
            guard packet.reasonCodes == [ReasonCode(rawValue: run.plan.qos.rawValue)] else {
                return fail("the broker does not grant a subscription to \(filter) with QoS \(run.plan.qos.rawValue)")
            }
            becomeReady()
        default:
            throw unexpected(frame)
        }
    }

    @inline(__always)
    private func note(_ payload: UnsafeRawBufferPointer) {
        guard payload.count == run.plan.payload, let stamp = MessageStamp(payload), stamp.round == run.round,
            sources.contains(Int(stamp.publisher)), stamp.sequence < run.messages
        else { return run.received(strangeMessage: payload) }
        run.received(stamp, flow: firstFlow + Int(stamp.publisher) - sources.lowerBound)
    }

    override func endRead() {
        if run.output.readableBytes > 0 { send(run.output) }
        run.afterRead()
    }
}
