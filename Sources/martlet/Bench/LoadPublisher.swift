import Core
import MQTTClient
import MQTTCodec
import NIOCore

/// A publisher: writes as many messages in one piece as the run allows it, and follows their acknowledgement.
final class LoadPublisher: LoadConnection {
    private let run: LoadRun
    private let index: Int
    /// Messages sent in this round; the next one's number.
    private(set) var sent: UInt32 = 0
    /// How many messages may have been sent by now: all, or what the rate has made due.
    var due: UInt32 = 0
    /// Whether a message was due and could not be sent, so that it is the broker's doing that it comes late.
    var isHeldUp = false
    /// Whether the publisher stands in the run's queue of those that can send.
    var isQueued = false
    /// Without a meaning for QoS 0.
    private var window = SendWindow(size: 1)
    /// When what is not acknowledged was sent, in nanoseconds, by packet identifier.
    private var sentAt: [Int64] = []

    /// A publisher writes pieces of about this many bytes, so that none keeps the others waiting.
    private static let piece = 16 * 1024

    init(run: LoadRun, index: Int) {
        self.run = run
        self.index = index
        super.init(packet: run.plan.connect("p", index))
    }

    override func established(_ packet: ConnackPacket) {
        let plan = run.plan
        // [MQTT-3.2.2-11] no more than the Maximum QoS; [MQTT-3.3.4-7] no more than the Receive Maximum at once.
        if let maximum = packet.properties.maximumQoS, maximum < plan.qos.rawValue {
            return fail("the broker's maximum QoS is \(maximum)")
        }
        // [MQTT-3.2.2-14] no RETAIN if the server does not keep messages.
        if plan.scenario == .retain, packet.properties.retainAvailable == false {
            return fail("the broker does not keep retained messages")
        }
        // Fixed header 5, topic length 2, packet identifier 2, property length 1.
        let size = 10 + run.topics.name(run.topics.topic(publisher: index, sequence: 0)).count + plan.payload
        if let maximum = packet.properties.maximumPacketSize, maximum < size {
            return fail("the broker takes packets of at most \(maximum) bytes, and these have \(size)")
        }
        if plan.qos != .atMostOnce {
            let size = max(1, min(plan.window, Int(packet.properties.receiveMaximum ?? .max)))
            window = SendWindow(size: size)
            sentAt = Array(repeating: 0, count: size + 1)
        }
        becomeReady()
    }

    // MARK: Sending

    /// Starts to count anew.
    func beginRound() {
        sent = 0
        due = 0
        isHeldUp = false
    }

    /// Whether a message would be taken by the broker now, as far as is known.
    var isOpen: Bool {
        (run.plan.qos == .atMostOnce || window.available > 0) && context?.channel.isWritable == true
    }

    /// Whether there is something to send that only the run's limit can forbid.
    var canSend: Bool { sent < due && isOpen }

    /// Writes messages that may be sent now, one piece at most.
    ///
    /// - Parameter limit: the most deliveries that they may lead to, except that one message is always written.
    /// - Returns: how many messages were written, and how many deliveries they lead to.
    func send(deliveringAtMost limit: Int) -> (messages: Int, deliveries: Int) {
        guard canSend else { return (0, 0) }
        let now = SystemClock.monotonic().nanoseconds
        var count = Int(due - sent)
        if run.plan.qos != .atMostOnce { count = min(count, window.available) }
        var (written, deliveries) = (0, 0)
        run.output.clear()
        while written < count, written == 0 || (deliveries < limit && run.output.readableBytes < LoadPublisher.piece) {
            deliveries += append(now: now)
            written += 1
        }
        isHeldUp = false
        send(run.output)
        return (written, deliveries)
    }

    /// - Returns: how many deliveries the message leads to.
    @inline(__always)
    private func append(now: Int64) -> Int {
        let qos = run.plan.qos
        var identifier: UInt16 = 0
        if qos != .atMostOnce {
            guard let free = window.take(qos) else { preconditionFailure("the window is full") }
            identifier = free
            sentAt[Int(identifier)] = now
        }
        let stampedAt = run.sentAt(now, publisher: index, sequence: sent, isLate: isHeldUp)
        MessageStamp(round: run.round, publisher: UInt32(index), sequence: sent, sentAt: stampedAt).write(to: run.payload)
        let topic = run.topics.topic(publisher: index, sequence: sent)
        let fits = PublishEncoder.write(
            topic: run.topics.name(topic), payload: UnsafeRawBufferPointer(run.payload), packetIdentifier: identifier,
            qos: qos, retain: run.plan.scenario == .retain, version: version, into: &run.output)
        precondition(fits, "the plan allows a packet that is too large")
        sent += 1
        return run.topics.deliveries(topic)
    }

    // MARK: Acknowledgements

    override func beginRead() { run.beginRead() }

    override func receive(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        guard run.plan.qos != .atMostOnce, frame.type == .puback || frame.type == .pubrec || frame.type == .pubcomp else {
            throw unexpected(frame.type)
        }
        let packet = try AcknowledgementPacket.read(body: body, type: frame.type, version: version)
        switch window.acknowledge(frame.type, packet) {
        case .arrived(let identifier):
            run.acknowledged(sentAt: sentAt[Int(identifier)])
        case .release(let identifier):
            AcknowledgementPacket(packetIdentifier: identifier).write(type: .pubrel, version: version, into: &run.output)
        case .refused(_, let reason):
            throw DecodeError(reasonCode: reason, reason: "the broker refused a message", offset: 2)
        case .unexpected:
            throw DecodeError(reasonCode: .protocolError, reason: "\(frame.type) that nothing waits for", offset: 0)
        }
    }

    override func turn() {
        if run.output.readableBytes > 0 { send(run.output) }
        run.enqueue(self)
        run.afterRead()
    }

    override func writable() {
        run.enqueue(self)
        run.schedulePump()
    }
}
