import Broker
import Core
import MQTTCodec

/// A client that publishes numbered messages and keeps each until the box has taken it over.
final class SimulatedPublisher {
    private struct Pending {
        var number: Int
        var qos: QoS
        var packetIdentifier: UInt16
        var expiry: UInt32?
        var isReleased = false
    }

    let name: String
    let version: ProtocolVersion
    var wire: Wire?
    private var isConnected = false
    /// The box has acknowledged something: from then on it knows the session.
    private var hadSession = false
    private var pending: [Pending] = []
    private var nextIdentifier: UInt16 = 1
    private(set) var published = 0
    /// Numbers of the messages that the box has acknowledged, by QoS.
    private(set) var acknowledged: [QoS: [Int]] = [:]
    /// Numbers of the messages that were ever sent, by QoS.
    private(set) var sent: [QoS: [Int]] = [:]
    var faults: [String] = []

    init(name: String, version: ProtocolVersion) {
        self.name = name
        self.version = version
    }

    /// When each number was sent first, in steps of the simulation.
    private(set) var sentAt: [Int: Int] = [:]
    /// Numbers of the messages that expire.
    private(set) var transient: Set<Int> = []

    var isIdle: Bool { pending.isEmpty }
    var canPublish: Bool { isConnected && pending.count < 8 }

    static func topic(_ name: String, _ qos: QoS) -> String { "t/\(name)/q\(qos.rawValue)" }

    func connect(_ wire: Wire) {
        self.wire = wire
        var packet = ConnectPacket(version: version, clientIdentifier: name, cleanStart: false, keepAlive: 0)
        if version == .v5 { packet.properties.sessionExpiryInterval = .max }
        wire.toBox.append(.connect(packet))
    }

    /// Gives the connection up.
    func lose() {
        wire?.isOpenAtClient = false
        wire = nil
        isConnected = false
    }

    func publish(qos: QoS, expiry: UInt32? = nil, step: Int = 0) {
        guard let wire, canPublish else { return }
        published += 1
        sentAt[published] = step
        let expiry = version == .v5 ? expiry : nil
        if expiry != nil { transient.insert(published) }
        sent[qos, default: []].append(published)
        guard qos != .atMostOnce else {
            wire.toBox.append(
                .publish(
                    topic: SimulatedPublisher.topic(name, qos), payload: "\(published)", qos: qos, packetIdentifier: 0,
                    expiry: expiry))
            return
        }
        while pending.contains(where: { $0.packetIdentifier == nextIdentifier }) { advanceIdentifier() }
        let message = Pending(number: published, qos: qos, packetIdentifier: nextIdentifier, expiry: expiry)
        advanceIdentifier()
        pending.append(message)
        send(message)
    }

    /// Few identifiers, so that each is soon used again.
    private func advanceIdentifier() { nextIdentifier = nextIdentifier % 12 + 1 }

    private func send(_ message: Pending) {
        if message.isReleased {
            wire?.toBox.append(.pubrel(message.packetIdentifier))
        } else {
            wire?.toBox.append(
                .publish(
                    topic: SimulatedPublisher.topic(name, message.qos), payload: "\(message.number)", qos: message.qos,
                    packetIdentifier: message.packetIdentifier, expiry: message.expiry))
        }
    }

    /// Takes the oldest packet from the box.
    func receive() {
        guard let wire, !wire.toClient.isEmpty else { return }
        let packet = wire.toClient.removeFirst()
        guard isConnected else {
            guard case .connack(let connack) = packet else {
                faults.append("\(name): the first packet is \(packet)")
                return
            }
            if hadSession, !connack.sessionPresent { faults.append("\(name): the session is lost") }
            guard connack.reasonCode == .success else { return lose() }
            isConnected = true
            // [MQTT-4.4.0-1] everything unacknowledged again, in order.
            for message in pending { send(message) }
            return
        }
        switch packet {
        case .puback(let packet): finish(packet, .atLeastOnce)
        case .pubrec(let packet):
            guard !packet.reasonCode.isError else { return faults.append("\(name): PUBREC \(packet.reasonCode)") }
            guard let index = pending.firstIndex(where: { $0.packetIdentifier == packet.packetIdentifier && $0.qos == .exactlyOnce })
            else { return faults.append("\(name): PUBREC for nothing") }
            if !pending[index].isReleased {
                pending[index].isReleased = true
                hadSession = true
                acknowledged[.exactlyOnce, default: []].append(pending[index].number)
            }
            send(pending[index])
        case .pubcomp(let packet):
            pending.removeAll { $0.packetIdentifier == packet.packetIdentifier && $0.isReleased }
        case .disconnect:
            lose()
        default:
            faults.append("\(name): unexpected \(packet)")
        }
    }

    private func finish(_ packet: AcknowledgementPacket, _ qos: QoS) {
        guard !packet.reasonCode.isError,
            let index = pending.firstIndex(where: { $0.packetIdentifier == packet.packetIdentifier && $0.qos == qos })
        else { return faults.append("\(name): PUBACK \(packet) for nothing") }
        hadSession = true
        acknowledged[qos, default: []].append(pending[index].number)
        pending.remove(at: index)
    }
}
