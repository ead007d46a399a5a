import Broker
import Core
import MQTTCodec

/// A client with a persistent session that subscribes once and writes down what arrives.
final class SimulatedSubscriber {
    let name: String
    let version: ProtocolVersion
    /// What it subscribes with.
    let qos: QoS
    let receiveMaximum: UInt16
    let filter: String
    var wire: Wire?
    private var isConnected = false
    private var hasSubscribed = false
    /// Packet identifiers of QoS 2 messages that were taken and not released.
    private var held: Set<UInt16> = []
    /// Acknowledgements that it has not got round to.
    private var answers: [ClientPacket] = []
    /// Packet identifiers that count towards the Receive Maximum on this connection.
    private var inFlight: Set<UInt16> = []
    /// Numbers that arrived, by topic.
    private(set) var arrived: [String: [Int]] = [:]
    var faults: [String] = []

    init(name: String, version: ProtocolVersion, qos: QoS, receiveMaximum: UInt16, filter: String = "t/#") {
        self.name = name
        self.version = version
        self.qos = qos
        self.receiveMaximum = receiveMaximum
        self.filter = filter
    }

    private(set) var isSubscribed = false
    var hasAnswers: Bool { !answers.isEmpty }
    var isIdle: Bool { held.isEmpty && answers.isEmpty }

    func connect(_ wire: Wire) {
        self.wire = wire
        var packet = ConnectPacket(version: version, clientIdentifier: name, cleanStart: false, keepAlive: 0)
        if version == .v5 {
            packet.properties.sessionExpiryInterval = .max
            packet.properties.receiveMaximum = receiveMaximum
        }
        wire.toBox.append(.connect(packet))
    }

    func lose() {
        wire?.isOpenAtClient = false
        wire = nil
        isConnected = false
        answers = []
        inFlight = []
    }

    /// Sends the oldest acknowledgement.
    func answer() {
        guard let wire, !answers.isEmpty else { return }
        let packet = answers.removeFirst()
        switch packet {
        case .puback(let identifier), .pubcomp(let identifier): inFlight.remove(identifier)
        default: break
        }
        wire.toBox.append(packet)
    }

    func receive() {
        guard let wire, !wire.toClient.isEmpty else { return }
        let packet = wire.toClient.removeFirst()
        guard isConnected else {
            guard case .connack(let connack) = packet else {
                faults.append("\(name): the first packet is \(packet)")
                return
            }
            if isSubscribed, !connack.sessionPresent { faults.append("\(name): the session is lost") }
            isConnected = true
            if !hasSubscribed {
                hasSubscribed = true
                wire.toBox.append(
                    .subscribe(
                        SubscribePacket(
                            packetIdentifier: 1,
                            requests: [.init(filter: filter, options: SubscriptionOptions(qos: qos))])))
            }
            return
        }
        switch packet {
        case .publish(let publish):
            take(publish)
        case .pubrel(let packet):
            held.remove(packet.packetIdentifier)
            inFlight.insert(packet.packetIdentifier)
            answers.append(.pubcomp(packet.packetIdentifier))
        case .suback:
            isSubscribed = true
        case .disconnect:
            lose()
        default:
            faults.append("\(name): unexpected \(packet)")
        }
    }

    private func take(_ publish: OutboundPublish) {
        let text = String(decoding: publish.message.payload, as: UTF8.self)
        guard let number = Int(text) else { return faults.append("\(name): payload \(text)") }
        switch publish.qos {
        case .atMostOnce:
            arrived[publish.message.topic, default: []].append(number)
        case .atLeastOnce:
            arrived[publish.message.topic, default: []].append(number)
            inFlight.insert(publish.packetIdentifier)
            answers.append(.puback(publish.packetIdentifier))
        case .exactlyOnce:
            if held.insert(publish.packetIdentifier).inserted {
                arrived[publish.message.topic, default: []].append(number)
            } else if !publish.duplicate {
                faults.append("\(name): identifier \(publish.packetIdentifier) is used for another message")
            }
            inFlight.insert(publish.packetIdentifier)
            answers.append(.pubrec(publish.packetIdentifier))
        }
        if version == .v5, inFlight.count > Int(receiveMaximum) {
            faults.append("\(name): \(inFlight.count) messages in flight exceed the Receive Maximum \(receiveMaximum)")
        }
    }
}
