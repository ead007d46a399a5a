import Core
import MQTTCodec
import NIOCore

/// A publisher: writes as many messages in one piece as the run allows it, and follows their acknowledgement.
final class LoadPublisher: LoadConnection {
    /// What a packet identifier waits for.
    private enum Waiting: UInt8 {
        case nothing, pubackOrPubrec, pubcomp
    }

    private let run: LoadRun
    private let index: Int
    private let topic: [UInt8]
    /// Messages sent in this round; the next one's number.
    private(set) var sent: UInt32 = 0
    /// How many messages may have been sent by now: all, or what the rate has made due.
    var due: UInt32 = 0
    /// Whether the publisher stands in the run's queue of those that can send.
    var isQueued = false

    /// Indexed by packet identifier; the first is unused. Empty for QoS 0.
    private var waiting: [Waiting] = []
    private var freeIdentifiers: [UInt16] = []

    /// A publisher writes pieces of about this many bytes, so that none keeps the others waiting.
    private static let piece = 16 * 1024

    init(run: LoadRun, index: Int) {
        self.run = run
        self.index = index
        topic = Array(run.plan.topic(ofPublisher: index).utf8)
        super.init(clientIdentifier: run.plan.clientIdentifier("p", index), version: run.plan.version)
    }

    override func established(_ connack: ConnackPacket) {
        // [MQTT-3.2.2-11] no more than the Maximum QoS; [MQTT-3.3.4-7] no more than the Receive Maximum at once.
        if let maximum = connack.properties.maximumQoS, maximum < run.plan.qos.rawValue {
            return fail("the broker's maximum QoS is \(maximum)")
        }
        // Fixed header 5, topic length 2, packet identifier 2, property length 1.
        let size = 10 + topic.count + run.plan.payload
        if let maximum = connack.properties.maximumPacketSize, maximum < size {
            return fail("the broker takes packets of at most \(maximum) bytes, and these have \(size)")
        }
        if run.plan.qos != .atMostOnce {
            let window = min(run.plan.window, Int(connack.properties.receiveMaximum ?? .max))
            waiting = Array(repeating: .nothing, count: window + 1)
            freeIdentifiers = (1...window).reversed().map { UInt16($0) }
        }
        becomeReady()
    }

    // MARK: Sending

    /// Starts to count anew.
    func beginRound() {
        sent = 0
        due = 0
    }

    /// Whether there is something to send that only the run's limit can forbid.
    var canSend: Bool {
        sent < due && (run.plan.qos == .atMostOnce || !freeIdentifiers.isEmpty)
            && context?.channel.isWritable == true
    }

    /// Writes messages that may be sent now, one piece at most.
    ///
    /// - Parameter limit: the most messages that the run allows, at least 1.
    /// - Returns: how many were written.
    func send(atMost limit: Int, now: Int64) -> Int {
        guard canSend else { return 0 }
        var count = min(limit, Int(due - sent))
        if run.plan.qos != .atMostOnce { count = min(count, freeIdentifiers.count) }
        var written = 0
        run.output.clear()
        topic.withUnsafeBytes { topic in
            while written < count, written == 0 || run.output.readableBytes < LoadPublisher.piece {
                append(topic: topic, now: now)
                written += 1
            }
        }
        send(run.output)
        return written
    }

    @inline(__always)
    private func append(topic: UnsafeRawBufferPointer, now: Int64) {
        let qos = run.plan.qos
        var identifier: UInt16 = 0
        if qos != .atMostOnce {
            identifier = freeIdentifiers.removeLast()
            waiting[Int(identifier)] = .pubackOrPubrec
        }
        MessageStamp(round: run.round, publisher: UInt32(index), sequence: sent, sentAt: now).write(to: run.payload)
        let fits = PublishEncoder.write(
            topic: topic, payload: UnsafeRawBufferPointer(run.payload), packetIdentifier: identifier, qos: qos,
            version: version, into: &run.output)
        precondition(fits, "the plan allows a packet that is too large")
        sent += 1
    }

    override func channelWritabilityChanged(context: ChannelHandlerContext) {
        run.enqueue(self)
        run.schedulePump()
    }

    // MARK: Acknowledgements

    override func beginRead() { run.beginRead() }

    override func receive(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        switch (frame.type, run.plan.qos) {
        case (.puback, .atLeastOnce):
            complete(try take(frame, body, from: .pubackOrPubrec))
        case (.pubrec, .exactlyOnce):
            let identifier = try take(frame, body, from: .pubackOrPubrec)
            waiting[Int(identifier)] = .pubcomp
            AcknowledgementPacket(packetIdentifier: identifier).write(type: .pubrel, version: version, into: &run.output)
        case (.pubcomp, .exactlyOnce):
            complete(try take(frame, body, from: .pubcomp))
        default:
            throw unexpected(frame)
        }
    }

    /// The identifier of an acknowledgement that this publisher waits for.
    private func take(
        _ frame: Frame, _ body: UnsafeRawBufferPointer, from expected: Waiting
    ) throws(DecodeError) -> UInt16 {
        let packet = try AcknowledgementPacket.read(body: body, type: frame.type, version: version)
        guard Int(packet.packetIdentifier) < waiting.count, waiting[Int(packet.packetIdentifier)] == expected else {
            throw DecodeError(reasonCode: .protocolError, reason: "\(frame.type) that nothing waits for", offset: 0)
        }
        guard !packet.reasonCode.isError else {
            throw DecodeError(reasonCode: packet.reasonCode, reason: "the broker refused a message", offset: 2)
        }
        return packet.packetIdentifier
    }

    private func complete(_ identifier: UInt16) {
        waiting[Int(identifier)] = .nothing
        freeIdentifiers.append(identifier)
        run.acknowledged()
    }

    override func endRead() {
        if run.output.readableBytes > 0 { send(run.output) }
        run.enqueue(self)
        run.afterRead()
    }
}
