import Broker
import Core
import MQTTCodec
import NIOCore
import Testing

@testable import MQTTServer

/// Every version to every version, with every quality of service, retained or not.
@Suite("From any client to any other")
struct MatrixTests {
    struct Versions: CustomTestStringConvertible {
        let sender: ProtocolVersion
        let receiver: ProtocolVersion
        var testDescription: String { "\(sender) to \(receiver)" }
    }

    private static let versions: [ProtocolVersion] = [.v31, .v311, .v5]
    static let pairs = versions.flatMap { sender in versions.map { Versions(sender: sender, receiver: $0) } }

    @Test("a message arrives as sender, subscription and way ask for it, and is acknowledged step by step", arguments: pairs)
    func matrix(_ versions: Versions) throws {
        for one in MatrixCase.all(sender: versions.sender, receiver: versions.receiver) {
            let run = try MatrixRun(one)
            try run.run()
            #expect(run.broken == [], "\(one)")
        }
    }
}

/// Two clients of a broker that has one message in flight at a time.
private final class MatrixRun {
    private let matrixCase: MatrixCase
    private let server: ServerHarness
    private let sender: Peer
    private var receiver: Peer
    private(set) var broken: [String] = []

    init(_ matrixCase: MatrixCase) throws {
        self.matrixCase = matrixCase
        var limits = BrokerLimits()
        limits.maximumInFlight = 1
        server = ServerHarness(limits: limits)
        sender = try server.open()
        receiver = try server.open()
    }

    func run() throws {
        try connect(sender, "sender", matrixCase.sender, will: matrixCase.will)
        expect(try texts(sender), ["CONNACK 0 0"], "the sender's CONNECT")
        switch matrixCase.way {
        case .live:
            try subscribe()
            try send()
        case .retained:
            try send()
            try subscribe()
        case .offline:
            try subscribe()
            receiver.lose()
            try send()
            try reconnect()
        case .redelivered:
            try subscribe()
            try send()
            try receive("one", 1, duplicate: false)
            receiver.lose()
            try reconnect()
        }
        // [MQTT-4.6.0-6] in the order of their sending.
        for (index, payload) in matrixCase.arriving.enumerated() {
            // [MQTT-3.3.1-1], [MQTT-3.3.1-3] the flag is the delivery's own.
            let isAgain = matrixCase.way == .redelivered && index == 0
            let identifier: UInt16 = matrixCase.granted == .atMostOnce ? 0 : UInt16(index + 1)
            try receive(payload, identifier, duplicate: isAgain)
            try acknowledge(identifier)
        }
        expect(try texts(receiver), [], "nothing more for the receiver")
        expect(try texts(sender), [], "nothing more for the sender")
        if !matrixCase.isWill, !sender.isOpen { broken.append("the sender was disconnected") }
        if !receiver.isOpen { broken.append("the receiver was disconnected") }
    }

    // MARK: The sender

    private func send() throws {
        if matrixCase.isWill {
            sender.lose()
            return
        }
        try sender.send(matrixCase.publish("one", 1) + matrixCase.publish("two", 2))
        // [MQTT-4.3.2-4], [MQTT-4.3.3-8]; that nobody is there only MQTT 5.0 can say.
        let code = matrixCase.way == .retained && matrixCase.sender == .v5 ? 16 : 0
        switch matrixCase.published {
        case .atMostOnce:
            expect(try texts(sender), [], "no acknowledgement")
        case .atLeastOnce:
            // [MQTT-4.6.0-2]
            expect(try texts(sender), ["PUBACK 1 \(code)", "PUBACK 2 \(code)"], "acknowledgements")
        case .exactlyOnce:
            // [MQTT-4.6.0-3]
            expect(try texts(sender), ["PUBREC 1 \(code)", "PUBREC 2 \(code)"], "first acknowledgements")
            // [MQTT-4.3.3-10] the same packet again is acknowledged, not published.
            try sender.send(matrixCase.publish("two", 2))
            expect(try texts(sender), ["PUBREC 2 0"], "the acknowledgement of a repetition")
            try sender.send(
                Packets.acknowledge(.pubrel, 1, version: matrixCase.sender)
                    + Packets.acknowledge(.pubrel, 2, version: matrixCase.sender))
            // [MQTT-4.3.3-11]
            expect(try texts(sender), ["PUBCOMP 1 0", "PUBCOMP 2 0"], "last acknowledgements")
        }
    }

    // MARK: The receiver

    private var isPersistent: Bool { matrixCase.way == .offline || matrixCase.way == .redelivered }

    private func subscribe() throws {
        try connect(receiver, "receiver", matrixCase.receiver, isPersistent: isPersistent)
        var buffer = ByteBuffer()
        let options = SubscriptionOptions(qos: matrixCase.subscribed, retainAsPublished: matrixCase.retainAsPublished)
        try SubscribePacket(
            packetIdentifier: 9, requests: [SubscribePacket.Request(filter: "m/+/t", options: options)],
            subscriptionIdentifier: matrixCase.receiver == .v5 ? MatrixCase.subscriptionIdentifier : nil
        ).write(version: matrixCase.receiver, into: &buffer)
        try receiver.send(Array(buffer.readableBytesView))
        let packets = try receiver.takePackets()
        let first = try packets.prefix(2).map { try Packets.text(of: $0, version: matrixCase.receiver) }
        expect(first, ["CONNACK 0 0", "SUBACK 9 \(matrixCase.subscribed.rawValue)"], "the subscription")
        waiting = Array(packets.dropFirst(2))
    }

    /// What has come to the receiver and has not been looked at.
    private var waiting: [ReceivedPacket] = []

    private func reconnect() throws {
        receiver = try server.open()
        try connect(receiver, "receiver", matrixCase.receiver, isPersistent: true)
        waiting = try receiver.takePackets()
        // MQTT 3.1 has no flag for a session that is there; the bit is set all the same or not, as one likes.
        let flag = waiting.first?.body.first
        expect(waiting.first.map { "\($0.type)" }, "connack", "the answer to the second CONNECT")
        if matrixCase.receiver != .v31 { expect(flag, 1, "session present") }
        if !waiting.isEmpty { waiting.removeFirst() }
    }

    private func receive(_ payload: String, _ packetIdentifier: UInt16, duplicate: Bool) throws {
        waiting += try receiver.takePackets()
        guard !waiting.isEmpty else {
            broken.append("'\(payload)' has not arrived")
            return
        }
        let packet = waiting.removeFirst()
        guard var delivery = DeliveredPublish(packet, version: matrixCase.receiver) else {
            broken.append("\(packet) instead of '\(payload)'")
            return
        }
        if !matrixCase.hasRightExpiry(delivery) {
            broken.append("message expiry interval \(delivery.messageExpiryInterval.map(String.init) ?? "none")")
        }
        delivery.messageExpiryInterval = nil
        expect(delivery, matrixCase.delivery(payload, packetIdentifier, duplicate: duplicate), "'\(payload)'")
        if packetIdentifier > 0 { expect(waiting.count, 0, "packets before '\(payload)' is acknowledged") }
    }

    /// The next message must come with the last step, and not before.
    private func acknowledge(_ packetIdentifier: UInt16) throws {
        let version = matrixCase.receiver
        switch matrixCase.granted {
        case .atMostOnce:
            break
        case .atLeastOnce:
            try receiver.send(Packets.acknowledge(.puback, packetIdentifier, version: version))
        case .exactlyOnce:
            try receiver.send(Packets.acknowledge(.pubrec, packetIdentifier, version: version))
            expect(try texts(receiver), ["PUBREL \(packetIdentifier) 0"], "the answer to PUBREC")
            try receiver.send(Packets.acknowledge(.pubcomp, packetIdentifier, version: version))
        }
    }

    // MARK: Common

    private func connect(
        _ peer: Peer, _ identifier: String, _ version: ProtocolVersion, isPersistent: Bool = false, will: Will? = nil
    ) throws {
        var packet = ConnectPacket(
            version: version, clientIdentifier: identifier, cleanStart: !isPersistent, keepAlive: 0, will: will)
        if version == .v5, isPersistent { packet.properties.sessionExpiryInterval = 1000 }
        var buffer = ByteBuffer()
        try packet.write(into: &buffer)
        try peer.send(Array(buffer.readableBytesView))
    }

    private func texts(_ peer: Peer) throws -> [String] {
        let version = peer === sender ? matrixCase.sender : matrixCase.receiver
        let before = peer === receiver ? waiting : []
        if peer === receiver { waiting = [] }
        return try (before + peer.takePackets()).map { try Packets.text(of: $0, version: version) }
    }

    private func expect<Value: Equatable>(_ found: Value, _ expected: Value, _ what: String) {
        if found != expected { broken.append("\(what): \(found) instead of \(expected)") }
    }
}
