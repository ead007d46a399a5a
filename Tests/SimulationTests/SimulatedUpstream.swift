import Bridge
import Core
import MQTTCodec
import TestSupport

/// The upstream broker: slow, restarted now and then, with what it has not acknowledged lost or kept as it falls.
final class SimulatedUpstream {
    struct Arrival {
        /// Counts arrivals.
        var order: Int
        var topic: String
        var number: Int
    }

    private struct Unacknowledged {
        var order: Int
        var packetIdentifier: UInt16
    }

    let receiveMaximum: Int
    /// Says no now and then, with Quota exceeded. Then order is not to be expected.
    let refuses: Bool
    /// Forgets at a restart what it has not acknowledged, and then acknowledges in order [MQTT-4.6.0-2]; otherwise it keeps all
    /// and acknowledges as it likes.
    let forgets: Bool
    /// What is stored there for good, in the order of arrival.
    private(set) var stored: [Arrival] = []
    private var unacknowledged: [Unacknowledged] = []
    private var arrivals = 0
    private var hasSession = false
    var faults: [String] = []

    // The connection
    private var toUpstream: [LanePublish] = []
    private(set) var toBox: [AcknowledgementPacket] = []
    private(set) var isConnected = false
    /// What the box has sent on this connection and not heard of.
    private var outstanding: Set<UInt16> = []

    init(receiveMaximum: Int, refuses: Bool, forgets: Bool) {
        self.receiveMaximum = receiveMaximum
        self.refuses = refuses
        self.forgets = forgets
    }

    func connect() -> BridgeLane.Link {
        let isResumed = hasSession
        hasSession = true
        isConnected = true
        return BridgeLane.Link(
            version: .v5, isResumed: isResumed, receiveMaximum: receiveMaximum, maximumPacketSize: .max)
    }

    func lose() {
        isConnected = false
        toUpstream = []
        toBox = []
        outstanding = []
        unacknowledged = []
    }

    func restart(random: inout SeededRandom) {
        if forgets {
            let lost = Set(unacknowledged.map(\.order))
            stored.removeAll { lost.contains($0.order) }
        }
        if random.once(in: 3) { hasSession = false }
        lose()
    }

    /// The box sends.
    func send(_ publish: LanePublish) {
        if !outstanding.insert(publish.packetIdentifier).inserted {
            faults.append("upstream: identifier \(publish.packetIdentifier) is in flight already")
        }
        if outstanding.count > receiveMaximum {
            faults.append("upstream: \(outstanding.count) in flight exceed the Receive Maximum \(receiveMaximum)")
        }
        toUpstream.append(publish)
    }

    /// Takes one packet from the connection.
    func receive(random: inout SeededRandom) {
        guard !toUpstream.isEmpty else { return }
        let publish = toUpstream.removeFirst()
        if refuses, random.once(in: 20) {
            toBox.append(
                AcknowledgementPacket(packetIdentifier: publish.packetIdentifier, reasonCode: .quotaExceeded))
            return
        }
        guard let number = Int(String(decoding: publish.message.payload, as: UTF8.self)) else {
            return faults.append("upstream: a payload that nobody sent")
        }
        arrivals += 1
        stored.append(Arrival(order: arrivals, topic: publish.message.topic, number: number))
        unacknowledged.append(Unacknowledged(order: arrivals, packetIdentifier: publish.packetIdentifier))
    }

    /// Acknowledges one message, sometimes twice.
    func acknowledge(random: inout SeededRandom) {
        guard !unacknowledged.isEmpty else { return }
        let index = !forgets && random.once(in: 10) ? random.below(unacknowledged.count) : 0
        let packet = AcknowledgementPacket(packetIdentifier: unacknowledged.remove(at: index).packetIdentifier)
        toBox.append(packet)
        if random.once(in: 10) { toBox.append(packet) }
    }

    /// The oldest PUBACK reaches the box.
    func takeAcknowledgement() -> AcknowledgementPacket? {
        guard !toBox.isEmpty else { return nil }
        let packet = toBox.removeFirst()
        outstanding.remove(packet.packetIdentifier)
        return packet
    }
}
