import Core
import MQTTClient
import MQTTCodec
import NIOCore

// What a run leaves at the broker is removed: retained messages and sessions.

extension LoadRun {
    /// Time for all of it. What is left then stays.
    private static let timeout = TimeAmount.seconds(10)

    func clean(then done: @escaping () -> Void) {
        let connections: [LoadConnection]
        switch plan.scenario {
        case .retain: connections = [RetainedRemover(run: self)]
        case .durable: connections = (0..<plan.subscribers).map { LoadConnection(packet: plan.connect("s", $0)) }
        default: return done()
        }
        var isDone = false
        func end() {
            guard !isDone else { return }
            isDone = true
            for connection in connections { connection.leave() }
            done()
        }
        let opener = ConnectionOpener(connections, to: endpoint, maximumPending: plan.pending, on: loop) { _ in end() }
        opener.start()
        after(LoadRun.timeout) { end() }
    }
}

/// Publishes an empty retained message to each topic, and is ready when the last one is acknowledged.
private final class RetainedRemover: LoadConnection {
    private let run: LoadRun
    private var next = 0
    private var window = SendWindow(size: 20)

    init(run: LoadRun) {
        self.run = run
        super.init(packet: run.plan.connect("r", 0))
    }

    private var count: Int { run.plan.publishers * Int(run.plan.messages) }

    override func established(_ packet: ConnackPacket) {
        window = SendWindow(size: max(1, min(20, Int(packet.properties.receiveMaximum ?? .max))))
        publish()
    }

    private func publish() {
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        while next < count, let identifier = window.take(.atLeastOnce) {
            _ = PublishEncoder.write(
                topic: run.topics.name(next), payload: nothing, packetIdentifier: identifier, qos: .atLeastOnce, retain: true,
                version: version, into: &output)
            next += 1
        }
        flush()
        if next == count, window.unacknowledged == 0 { becomeReady() }
    }

    override func receive(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        guard frame.type == .puback else { throw unexpected(frame.type) }
        _ = window.acknowledge(.puback, try AcknowledgementPacket.read(body: body, type: .puback, version: version))
    }

    override func turn() { publish() }
}
