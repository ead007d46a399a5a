import Broker
import Core
import MQTTCodec
import Store

/// A client whose connection is an array.
final class RecordingClient: Client {
    private(set) var sent: [Outbound] = []
    private(set) var flushes = 0

    override func flush() {
        flushes += 1
        while let outbound = popOutbound() { sent.append(outbound) }
    }

    /// What was sent since the last call.
    func take() -> [Outbound] {
        defer { sent.removeAll() }
        return sent
    }

    /// The messages among what was sent since the last call.
    func takePublishes() -> [OutboundPublish] {
        take().compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
    }

    func takeTexts() -> [String] { takePublishes().map { String(decoding: $0.message.payload, as: UTF8.self) } }
}

/// A broker with time and a disk under the test's control.
final class BrokerHarness {
    var broker: Broker
    var now = MonotonicTime(nanoseconds: 1_000_000_000)
    var wall = Timestamp(milliseconds: 1_700_000_000_000)
    private(set) var disk: [SessionOperation] = []

    init(limits: BrokerLimits = BrokerLimits()) { broker = Broker(limits: limits, seed: 7) }

    func connect(
        _ identifier: String, version: ProtocolVersion = .v5, cleanStart: Bool = true, expiry: UInt32? = nil,
        keepAlive: UInt16 = 0, will: Will? = nil, receiveMaximum: UInt16? = nil, user: String? = nil,
        address: NetworkAddress? = nil
    ) -> RecordingClient {
        let client = RecordingClient()
        if user != nil || address != nil {
            client.identity = ClientIdentity(
                principal: Principal(userName: user, origin: user == nil ? .anonymous : .password),
                credentials: Credentials(listener: "test", address: address, clientIdentifier: identifier, userName: user))
        }
        var properties = Properties()
        properties.sessionExpiryInterval = expiry
        properties.receiveMaximum = receiveMaximum
        broker.connect(
            client,
            packet: ConnectPacket(
                version: version, clientIdentifier: identifier, cleanStart: cleanStart, keepAlive: keepAlive, will: will,
                properties: version == .v5 ? properties : Properties()), now: now, wall: wall)
        return client
    }

    func subscribe(
        _ client: Client, _ filter: String, qos: QoS = .exactlyOnce, noLocal: Bool = false,
        retainAsPublished: Bool = false, handling: SubscriptionOptions.RetainHandling = .sendAtSubscribe,
        identifier: UInt32? = nil
    ) {
        let options = SubscriptionOptions(
            qos: qos, noLocal: noLocal, retainAsPublished: retainAsPublished, retainHandling: handling)
        broker.subscribe(
            SubscribePacket(
                packetIdentifier: 1, requests: [SubscribePacket.Request(filter: filter, options: options)],
                subscriptionIdentifier: identifier), from: client, now: now, wall: wall)
    }

    func publish(
        _ client: Client, _ topic: String, _ payload: String, qos: QoS = .atMostOnce, retain: Bool = false,
        packetIdentifier: UInt16 = 1, expiry: UInt32? = nil
    ) {
        var topic = topic
        var payload = payload
        topic.withUTF8 { topic in
            payload.withUTF8 { payload in
                broker.publish(
                    Broker.Publish(
                        topic: UnsafeRawBufferPointer(topic), properties: UnsafeRawBufferPointer(start: nil, count: 0),
                        payload: UnsafeRawBufferPointer(payload), qos: qos, retain: retain,
                        packetIdentifier: qos == .atMostOnce ? 0 : packetIdentifier, messageExpiryInterval: expiry),
                    from: client, now: now, wall: wall)
            }
        }
    }

    /// Ends the turn without the disk having done anything.
    func flush() { broker.flush() }

    /// Ends the turn; all that is to be stored is on disk afterwards.
    func settle() {
        broker.flush()
        while let batch = broker.takeBatch() {
            disk += batch.operations
            broker.committed(batch.number, now: now)
            broker.flush()
        }
    }

    func advance(_ duration: Duration) {
        now += duration
        wall.milliseconds += duration.wholeMilliseconds
        broker.tick(now: now, wall: wall)
        broker.flush()
    }

    /// The power goes and comes back: what was not committed is gone.
    func restart() {
        var store = StoreModel()
        for operation in disk { store.apply(operation) }
        broker = Broker(limits: broker.limits, seed: 8)
        broker.restore(store.snapshot, now: now, wall: wall)
    }

    /// The store had to begin anew.
    func replaceDisk() {
        disk = []
        broker.commitFailed(broker.everything(now: now, wall: wall))
    }

    func puback(_ client: Client, _ packetIdentifier: UInt16) {
        broker.puback(AcknowledgementPacket(packetIdentifier: packetIdentifier), from: client, now: now)
    }

    /// A client that has subscribed with QoS 1 goes away; its session stays.
    func leaveSession(_ identifier: String, _ filter: String) {
        let client = connect(identifier, expiry: 3600)
        subscribe(client, filter, qos: .atLeastOnce)
        lose(client)
    }

    func lose(_ client: Client) { broker.connectionLost(client, now: now, wall: wall) }
}

/// What a store holds after a list of operations.
struct StoreModel {
    private var sessions: [Int64: SessionSnapshot.Session] = [:]
    private var messages: [Int64: Message] = [:]
    private var retained: [String: Message] = [:]

    mutating func apply(_ operation: SessionOperation) {
        switch operation {
        case .putSession(let session):
            sessions[session.number, default: SessionSnapshot.Session(session: session)].session = session
        case .deleteSession(let number):
            sessions[number] = nil
        case .putSubscription(let number, let subscription):
            sessions[number]?.subscriptions.removeAll { $0.filter == subscription.filter }
            sessions[number]?.subscriptions.append(subscription)
        case .deleteSubscription(let number, let filter):
            sessions[number]?.subscriptions.removeAll { $0.filter == filter }
        case .putMessage(let number, let message, _):
            messages[number] = message
        case .deleteMessage(let number):
            messages[number] = nil
        case .enqueue(let number, let sequence, let message, let qos, let retain, let identifiers):
            sessions[number]?.queue.append(
                SessionSnapshot.QueueEntry(
                    sequence: sequence, message: message, qos: qos, retain: retain, released: false,
                    subscriptionIdentifiers: identifiers))
        case .setReleased(let number, let sequence):
            guard let index = sessions[number]?.queue.firstIndex(where: { $0.sequence == sequence }) else { return }
            sessions[number]?.queue[index].released = true
        case .dequeue(let number, let sequence):
            sessions[number]?.queue.removeAll { $0.sequence == sequence }
        case .putReceived(let number, let identifier):
            sessions[number]?.receivedPacketIdentifiers.append(identifier)
        case .deleteReceived(let number, let identifier):
            sessions[number]?.receivedPacketIdentifiers.removeAll { $0 == identifier }
        case .putRetained(let message, _):
            retained[message.topic] = message
        case .deleteRetained(let topic):
            retained[topic] = nil
        }
    }

    var snapshot: SessionSnapshot {
        var snapshot = SessionSnapshot()
        snapshot.sessions = sessions.values.sorted { $0.session.number < $1.session.number }
        snapshot.messages = messages
        snapshot.retained = Array(retained.values)
        return snapshot
    }
}

extension Outbound {
    /// A short text, for comparing.
    var text: String {
        switch self {
        case .publish(let publish): "PUBLISH \(publish.packetIdentifier) \(publish.message.topic)"
        case .puback(let packet): "PUBACK \(packet.packetIdentifier) \(packet.reasonCode.rawValue)"
        case .pubrec(let packet): "PUBREC \(packet.packetIdentifier) \(packet.reasonCode.rawValue)"
        case .pubrel(let packet): "PUBREL \(packet.packetIdentifier) \(packet.reasonCode.rawValue)"
        case .pubcomp(let packet): "PUBCOMP \(packet.packetIdentifier) \(packet.reasonCode.rawValue)"
        case .suback(let packet): "SUBACK \(packet.reasonCodes.map(\.rawValue))"
        case .unsuback(let packet): "UNSUBACK \(packet.reasonCodes.map(\.rawValue))"
        case .connack(let packet): "CONNACK \(packet.sessionPresent ? 1 : 0) \(packet.reasonCode.rawValue)"
        case .pingresp: "PINGRESP"
        case .disconnect(let reason): "DISCONNECT \(reason.rawValue)"
        }
    }
}
