import Broker
import Core
import MQTTCodec
import TestSupport

/// A client that sets and clears retained messages, one at a time.
final class SimulatedRetainer {
    let name = "retainer"
    var wire: Wire?
    private var isConnected = false
    private var pending: (topic: String, payload: String)?
    private var published = 0
    /// What was acknowledged last, by topic; empty if it was cleared.
    private(set) var retained: [String: String] = [:]
    private(set) var faults: [String] = []

    var isIdle: Bool { pending == nil }

    func connect(_ wire: Wire) {
        self.wire = wire
        var packet = ConnectPacket(version: .v5, clientIdentifier: name, cleanStart: true, keepAlive: 0)
        packet.properties.sessionExpiryInterval = 0
        wire.toBox.append(.connect(packet))
    }

    func lose() {
        wire?.isOpenAtClient = false
        wire = nil
        isConnected = false
    }

    func publish(random: inout SeededRandom) {
        guard isConnected, pending == nil else { return }
        published += 1
        pending = ("r/\(random.below(3))", random.once(in: 3) ? "" : "\(published)")
        send()
    }

    private func send() {
        guard let pending else { return }
        wire?.toBox.append(
            .publish(topic: pending.topic, payload: pending.payload, qos: .atLeastOnce, packetIdentifier: 1, retain: true))
    }

    func receive() {
        guard let wire, !wire.toClient.isEmpty else { return }
        switch wire.toClient.removeFirst() {
        case .connack:
            isConnected = true
            send()
        case .puback:
            if let pending { retained[pending.topic] = pending.payload }
            pending = nil
        case .disconnect: lose()
        case let packet: faults.append("\(name): unexpected \(packet)")
        }
    }
}

/// Subscribes in the broker's own program and keeps what is retained.
final class RetainedReader: Client {
    private(set) var found: [String: String] = [:]

    init() { super.init(takesInline: true) }

    override func receive(_ message: Message, qos: QoS, retain: Bool) {
        if retain { found[message.topic] = String(decoding: message.payload, as: UTF8.self) }
    }
}
