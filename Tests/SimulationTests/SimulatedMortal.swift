import Broker
import Core
import MQTTCodec
import TestSupport

/// A client with a will, and what has to become of each will that it ever had.
final class SimulatedMortal {
    enum Fate: Equatable {
        /// The connection stands.
        case alive
        /// It is published at this time, or earlier if the session ends.
        case due(MonotonicTime)
        case published
        case cancelled
        /// A crash came between: either is right.
        case unknown
    }

    struct Life {
        let clean: Bool
        let expiry: UInt32
        let delay: UInt32
        let qos: QoS
        var fate = Fate.alive
        /// CONNACK has come: the will is on disk, if the session outlives its connection.
        var isPromised = false
        /// What has become of it is on disk.
        var isSettled = false
    }

    let name: String
    var wire: Wire?
    private(set) var lives: [Int: Life] = [:]
    /// The will of the connection that the box believes in, or of the session that waits for its delay to pass.
    private(set) var current: Int?
    private var next = 0
    /// The connections that it made, one for each will.
    private var wires: [Wire] = []
    /// One that it has left open beside the newer one.
    private var abandoned: Wire?
    private(set) var faults: [String] = []

    init(name: String) { self.name = name }

    var topic: String { "w/\(name)" }

    // MARK: The client

    func connect(_ wire: Wire, random: inout SeededRandom) {
        abandoned?.isOpenAtClient = false
        abandoned = self.wire
        self.wire = wire
        next += 1
        let life = Life(
            clean: random.once(in: 3), expiry: [0, 2, 60][random.below(3)], delay: [0, 1, 3][random.below(3)],
            qos: random.once(in: 2) ? .atLeastOnce : .exactlyOnce, fate: .unknown)
        lives[next] = life
        wires.append(wire)
        var packet = ConnectPacket(
            version: .v5, clientIdentifier: name, cleanStart: life.clean, keepAlive: 0,
            will: Will(
                topic: topic, payload: Array("\(next)".utf8), qos: life.qos, delayInterval: life.delay))
        packet.properties.sessionExpiryInterval = life.expiry
        wire.toBox.append(.connect(packet))
    }

    func receive() {
        guard let wire, !wire.toClient.isEmpty else { return }
        switch wire.toClient.removeFirst() {
        case .connack: if let will = will(of: wire) { lives[will]?.isPromised = true }
        default: lose()
        }
    }

    func lose() {
        wire?.isOpenAtClient = false
        wire = nil
    }

    func closeAbandoned() {
        abandoned?.isOpenAtClient = false
        abandoned = nil
    }

    private func will(of wire: Wire) -> Int? { wires.lastIndex { $0 === wire }.map { $0 + 1 } }

    func disconnect(withWill: Bool) {
        wire?.toBox.append(.disconnect(DisconnectPacket(reasonCode: withWill ? .disconnectWithWill : .success)))
        wire = nil
    }

    // MARK: What happens at the box

    func boxConnected(_ wire: Wire, now: MonotonicTime) {
        guard let will = will(of: wire), let life = lives[will] else { return }
        if let old = current, let before = lives[old] {
            switch before.fate {
            case .alive:
                // MQTT 5.0 §3.1.2.5: taken over; a delay that has just begun is cut off by the session's end or its resumption.
                decide(old, before.delay == 0 || before.expiry == 0 || life.clean ? .published : .cancelled)
            case .due(let at):
                // [MQTT-3.1.3-9]; at the same time as the delay passes it may go either way.
                decide(old, at <= now ? .unknown : life.clean ? .published : .cancelled)
            default: break
            }
        }
        lives[will]?.fate = .alive
        current = will
    }

    func boxDisconnected(_ wire: Wire, withWill: Bool, now: MonotonicTime) {
        guard let will = will(of: wire), will == current else { return }
        withWill ? boxLost(wire, now: now) : decide(will, .cancelled)
    }

    func boxLost(_ wire: Wire, now: MonotonicTime) {
        guard let will = will(of: wire), will == current, let life = lives[will], life.fate == .alive else { return }
        let delay = min(life.delay, life.expiry)
        if delay == 0 { decide(will, .published) } else { lives[will]?.fate = .due(now + .seconds(Int64(delay))) }
    }

    private func decide(_ will: Int, _ fate: Fate) {
        lives[will]?.fate = fate
        if current == will { current = nil }
    }

    /// All that has been decided before this commit began is on disk.
    var decided: [Int] { lives.filter { $0.value.fate == .published || $0.value.fate == .cancelled }.map(\.key) }
    func settle(_ wills: [Int]) { for will in wills { lives[will]?.isSettled = true } }

    /// The box starts anew with what is on disk.
    func boxCrashed(now: MonotonicTime) {
        for (will, life) in lives where !life.isSettled {
            let survives = life.expiry > 0 && life.isPromised
            switch life.fate {
            case .alive: lives[will]?.fate = survives ? .due(now) : .unknown
            case .due: if !survives { lives[will]?.fate = .unknown }
            case .published: if !survives { lives[will]?.fate = .unknown }
            case .cancelled: lives[will]?.fate = .unknown
            case .unknown: break
            }
        }
        if let will = current, case .due? = lives[will]?.fate { return }
        current = nil
    }

    // MARK: What arrives

    func judge(arrived: [Int], now: MonotonicTime) -> [String] {
        var faults: [String] = []
        for will in arrived {
            switch lives[will]?.fate {
            case .alive, .cancelled, nil:
                faults.append("\(topic) \(will) arrived although \(lives[will].map { "\($0)" } ?? "unknown")")
            case .due(let at): if at > now { faults.append("\(topic) \(will) arrived before its delay has passed") }
            case .published, .unknown: break
            }
        }
        let once = arrived.filter { lives[$0]?.qos == .exactlyOnce }
        if Set(once).count != once.count { faults.append("\(topic): a will twice in \(arrived)") }
        return faults
    }

    /// Wills that have to arrive and have not.
    func outstanding(arrived: [Int]) -> [Int] {
        lives.filter { will, life in
            switch life.fate {
            case .published, .due: !arrived.contains(will)
            default: false
            }
        }.map(\.key).sorted()
    }
}
