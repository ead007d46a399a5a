import Broker
import Core
import MQTTCodec
import TestSupport

/// A subscriber that changes its mind: sessions that end, resume and expire, subscriptions that come and go. It knows what it
/// is owed and what it must not get.
final class SimulatedChurner {
    /// What it has asked for in the session that it believes to have.
    struct Interest {
        /// When SUBACK came, in steps; nil before, and from when the session or the subscription may have ended.
        var grantedAt: Int?
        /// When UNSUBACK came.
        var endedAt: Int?
    }

    static let filters = ["t/p0/#", "t/+/q2", "t/p1/q1", "t/p2/+"]

    let name: String
    let version: ProtocolVersion
    private let receiveMaximum: UInt16
    var wire: Wire?
    private(set) var isConnected = false
    private(set) var interests: [String: Interest] = [:]
    /// Numbers that arrived in this session, by topic.
    private(set) var arrived: [String: [Int]] = [:]
    private var held: Set<UInt16> = []
    private var answers: [ClientPacket] = []
    private var inFlight: Set<UInt16> = []
    private var nextIdentifier: UInt16 = 1
    private var subscribing: [UInt16: String] = [:]
    private var unsubscribing: [UInt16: String] = [:]
    /// Seconds that the session lives at least once the connection is gone.
    private var expiry: UInt32 = 0
    private var askedExpiry: UInt32 = 0
    private var askedClean = true
    /// SUBACK has come in this session: it is on disk.
    private var isDurable = false
    private var lostAt: MonotonicTime?
    /// The box has crashed since CONNACK, which has cut the connection already.
    private var isCut = false
    /// The box has crashed since the session began. A session before it that had expired may have come back: that it was
    /// over need not have been on disk.
    private var isHaunted = false
    private(set) var resumptions = 0
    var faults: [String] = []

    init(name: String, version: ProtocolVersion, receiveMaximum: UInt16) {
        self.name = name
        self.version = version
        self.receiveMaximum = receiveMaximum
    }

    var isIdle: Bool { isConnected && answers.isEmpty && held.isEmpty && subscribing.isEmpty && unsubscribing.isEmpty }
    var hasAnswers: Bool { !answers.isEmpty }

    // MARK: Sessions

    func connect(_ wire: Wire, random: inout SeededRandom) {
        self.wire = wire
        askedClean = random.once(in: 4)
        askedExpiry = version == .v5 ? [0, 3, 60, .max][random.below(4)] : askedClean ? 0 : .max
        var packet = ConnectPacket(version: version, clientIdentifier: name, cleanStart: askedClean, keepAlive: 0)
        if version == .v5 {
            packet.properties.sessionExpiryInterval = askedExpiry
            packet.properties.receiveMaximum = receiveMaximum
        }
        // Whether the box handles it is not known before CONNACK; if it does, nothing of before is owed any more.
        if askedClean { forget() }
        wire.toBox.append(.connect(packet))
    }

    /// The connection is gone: whatever was asked for last may have been heard or not.
    func lose(now: MonotonicTime) {
        wire?.isOpenAtClient = false
        wire = nil
        // Without CONNACK it does not know what session there is by now.
        if !isConnected { forget() } else if !isCut { lostAt = now }
        isCut = false
        expiry = min(expiry, askedExpiry)
        isConnected = false
        answers = []
        inFlight = []
        subscribing = [:]
        unsubscribing = [:]
        if expiry == 0 { forget() }
    }

    func disconnect(now: MonotonicTime, random: inout SeededRandom) {
        guard isConnected, let wire else { return }
        var packet = DisconnectPacket()
        if version == .v5, expiry > 0, random.once(in: 2) {
            askedExpiry = [0, 5, .max][random.below(3)]
            packet.properties.sessionExpiryInterval = askedExpiry
        }
        wire.toBox.append(.disconnect(packet))
        // A polite end: the box gets what is on its way.
        let polite = wire
        lose(now: now)
        polite.isOpenAtClient = true
    }

    /// The session may be over, or another one: nothing is owed.
    private func forget() {
        arrived = [:]
        held = []
        for filter in interests.keys { interests[filter]?.grantedAt = nil }
        isDurable = false
    }

    private func begin(_ connack: ConnackPacket, now: MonotonicTime) {
        let mayHaveExpired = expiry != .max && lostAt.map { now >= $0 + .seconds(Int64(expiry)) } ?? true
        if connack.sessionPresent {
            resumptions += 1
            // [MQTT-3.2.2-2]
            if askedClean { faults.append("\(name): a session in spite of clean start") }
            // That it goes on may not be on disk: after a crash it may count as gone since the time before.
            if expiry != .max { isDurable = false }
        } else {
            // [MQTT-3.2.2-3]
            if isDurable, !mayHaveExpired { faults.append("\(name): the session is lost") }
            interests = [:]
            arrived = [:]
            held = []
            isDurable = false
            isHaunted = false
        }
        expiry = askedExpiry
        isConnected = true
    }

    func boxCrashed(now: MonotonicTime) {
        isHaunted = true
        guard isConnected, !isCut else { return }
        isCut = true
        lostAt = now
    }

    // MARK: Subscriptions

    func change(random: inout SeededRandom) {
        guard isConnected, let wire, subscribing.isEmpty, unsubscribing.isEmpty else { return }
        let filter = SimulatedChurner.filters[random.below(SimulatedChurner.filters.count)]
        let identifier = nextIdentifier
        nextIdentifier = nextIdentifier % 100 + 1
        if interests[filter]?.grantedAt != nil, random.once(in: 2) {
            interests[filter]?.grantedAt = nil
            unsubscribing[identifier] = filter
            wire.toBox.append(.unsubscribe(UnsubscribePacket(packetIdentifier: identifier, filters: [filter])))
        } else {
            interests[filter, default: Interest()].endedAt = nil
            subscribing[identifier] = filter
            let request = SubscribePacket.Request(filter: filter, options: SubscriptionOptions(qos: .exactlyOnce))
            wire.toBox.append(.subscribe(SubscribePacket(packetIdentifier: identifier, requests: [request])))
        }
    }

    // MARK: Packets

    func answer() {
        guard let wire, !answers.isEmpty else { return }
        let packet = answers.removeFirst()
        switch packet {
        case .puback(let identifier), .pubcomp(let identifier): inFlight.remove(identifier)
        default: break
        }
        wire.toBox.append(packet)
    }

    func receive(now: MonotonicTime, step: Int, sentAt: (_ topic: String, _ number: Int) -> Int?) {
        guard let wire, !wire.toClient.isEmpty else { return }
        let packet = wire.toClient.removeFirst()
        guard isConnected else {
            guard case .connack(let connack) = packet else {
                if case .disconnect = packet { return lose(now: now) }
                faults.append("\(name): the first packet is \(packet)")
                return
            }
            return begin(connack, now: now)
        }
        switch packet {
        case .publish(let publish):
            take(publish, sentAt: sentAt)
        case .pubrel(let packet):
            held.remove(packet.packetIdentifier)
            inFlight.insert(packet.packetIdentifier)
            answers.append(.pubcomp(packet.packetIdentifier))
        case .suback(let packet):
            guard let filter = subscribing.removeValue(forKey: packet.packetIdentifier) else { return }
            isDurable = true
            if interests[filter]?.grantedAt == nil { interests[filter]?.grantedAt = step }
        case .unsuback(let packet):
            guard let filter = unsubscribing.removeValue(forKey: packet.packetIdentifier) else { return }
            interests[filter]?.endedAt = step
        case .disconnect:
            lose(now: now)
        default:
            faults.append("\(name): unexpected \(packet)")
        }
    }

    private func take(_ publish: OutboundPublish, sentAt: (_ topic: String, _ number: Int) -> Int?) {
        let topic = publish.message.topic
        guard let number = Int(String(decoding: publish.message.payload, as: UTF8.self)), let sent = sentAt(topic, number) else {
            return faults.append("\(name): \(topic) that nobody sent")
        }
        let isWanted = interests.contains { filter, interest in
            TopicFilter(filter)!.matches(topic) && (interest.endedAt.map { sent <= $0 } ?? true)
        }
        if !isWanted, !isHaunted { faults.append("\(name): \(topic) \(number) without a subscription") }
        switch publish.qos {
        case .atMostOnce:
            arrived[topic, default: []].append(number)
        case .atLeastOnce:
            if arrived[topic]?.contains(number) != true { arrived[topic, default: []].append(number) }
            inFlight.insert(publish.packetIdentifier)
            answers.append(.puback(publish.packetIdentifier))
        case .exactlyOnce:
            if held.insert(publish.packetIdentifier).inserted {
                if arrived[topic]?.contains(number) == true { faults.append("\(name): \(topic) \(number) twice") }
                arrived[topic, default: []].append(number)
            }
            inFlight.insert(publish.packetIdentifier)
            answers.append(.pubrec(publish.packetIdentifier))
        }
        if version == .v5, inFlight.count > Int(receiveMaximum) { faults.append("\(name): \(inFlight.count) in flight") }
    }

    /// Since when, in steps, it is owed what is published to a topic; nil if it is not.
    func subscribedSince(_ topic: String) -> Int? {
        interests.filter { TopicFilter($0.key)!.matches(topic) }.compactMap(\.value.grantedAt).min()
    }
}
