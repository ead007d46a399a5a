import Core
import Glibc
import MQTTClient
import MQTTCodec
import NIOCore

/// A subscriber: reads deliveries in place and acknowledges all that came in one read with one write.
final class LoadSubscriber: LoadConnection {
    /// When it is ready for its part.
    enum Part {
        /// When all its subscriptions are granted.
        case subscribes
        /// When it is connected; ``subscribe()`` is called later.
        case subscribesLater
        /// When it is connected and the broker still has its session.
        case resumes
    }

    private let run: LoadRun
    private let part: Part
    private let index: Int
    /// The publishers it hears.
    private let sources: Range<Int>
    /// The subscriptions that were not asked for yet.
    private var filters: ArraySlice<String>

    /// Filters of one SUBSCRIBE.
    private static let filtersPerPacket = 50

    init(run: LoadRun, index: Int, part: Part) {
        self.run = run
        self.part = part
        self.index = index
        sources = run.plan.sources(ofSubscriber: index)
        filters = run.topics.filters(ofSubscriber: index)[...]
        super.init(packet: run.plan.connect("s", index, isPersistent: run.plan.scenario == .durable))
    }

    override func established(_ packet: ConnackPacket) {
        switch part {
        case .subscribes: subscribe()
        case .subscribesLater: becomeReady()
        case .resumes:
            guard packet.sessionPresent || version == .v31 else { return fail("the broker does not have its session any more") }
            becomeReady()
        }
    }

    /// Asks for the next subscriptions.
    func subscribe() {
        let options = SubscriptionOptions(qos: run.plan.qos)
        let requests = filters.prefix(LoadSubscriber.filtersPerPacket).map {
            SubscribePacket.Request(filter: $0, options: options)
        }
        filters = filters.dropFirst(LoadSubscriber.filtersPerPacket)
        add(SubscribePacket(packetIdentifier: 1, requests: requests))
        flush()
    }

    override func beginRead() { run.beginRead() }

    override func receive(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        switch frame.type {
        case .publish:
            let view = try PublishView.read(body: body, flags: frame.flags, version: version)
            note(view, body)
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
            guard packet.reasonCodes.allSatisfy({ $0.rawValue == run.plan.qos.rawValue }) else {
                let refusal = packet.reasonCodes.first { $0.isError }.map { ": \($0)" } ?? ""
                return fail("the broker does not grant a subscription with QoS \(run.plan.qos.rawValue)\(refusal)")
            }
            if !filters.isEmpty { subscribe() } else { becomeReady() }
        default:
            throw unexpected(frame.type)
        }
    }

    @inline(__always)
    private func note(_ view: PublishView, _ body: UnsafeRawBufferPointer) {
        let payload = UnsafeRawBufferPointer(rebasing: body[view.payload])
        guard payload.count == run.plan.payload, let stamp = MessageStamp(payload), stamp.round == run.round,
            sources.contains(Int(stamp.publisher)), stamp.sequence < run.messages, payload[payload.count - 1] == run.lastByte(of: stamp)
        else { return run.receivedStrange() }
        let topic = run.topics.topic(publisher: Int(stamp.publisher), sequence: stamp.sequence)
        let name = run.topics.name(topic)
        guard view.topic.count == name.count,
            memcmp(body.baseAddress.unsafelyUnwrapped + view.topic.lowerBound, name.baseAddress.unsafelyUnwrapped, name.count) == 0,
            run.topics.isExpected(topic, bySubscriber: index), view.retain || run.plan.scenario != .retain
        else { return run.receivedStrange() }
        run.received(stamp, bySubscriber: index)
    }

    override func turn() {
        if run.output.readableBytes > 0 { send(run.output) }
        run.afterRead()
    }

    override func writable() {}
}
