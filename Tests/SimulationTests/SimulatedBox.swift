@testable import Bridge
import Broker
import Core
import MQTTCodec
import Store

/// The appliance from start to crash: broker, route, and the batches between them and the disk.
final class SimulatedBox {
    /// As the bridge's forwarding client: into the route within the publish.
    private final class Forwarder: Client {
        unowned let box: SimulatedBox

        init(box: SimulatedBox) {
            self.box = box
            super.init(takesInline: true)
        }

        override func receive(_ message: Message, qos: QoS, retain: Bool) {
            let outgoing = Message.create(
                topic: message.topic, payload: message.payload, qos: .atLeastOnce, publishedAt: message.publishedAt)
            if box.route.append(outgoing) { box.broker.touchBatch() }
        }
    }

    struct Commit {
        var number: Int64
        var operations: [SessionOperation]
        var cache: BridgeRoute.Batch
    }

    let broker: Broker
    var route: BridgeRoute
    private(set) var clients: [WireClient] = []
    private(set) var commit: Commit?
    /// Reads under way, the first asked for first.
    private(set) var reads: [LaneRead] = []
    var reconnection: Reconnection
    private lazy var forwarder = Forwarder(box: self)

    /// - Parameter forwards: whether what is published goes into the route too.
    init(
        store: ModelStore, laneLimits: BridgeLane.Limits, order: BridgeRoute.Order = .liveFirst, forwards: Bool = true,
        seed: UInt64, now: MonotonicTime, wall: Timestamp
    ) {
        var limits = BrokerLimits()
        limits.maximumSessionExpiryInterval = .max
        limits.maximumQueuedMessages = 1_000_000
        limits.maximumInFlight = 16
        broker = Broker(limits: limits, seed: seed)
        route = BridgeRoute(
            bridge: "up", priority: 5, index: 0, order: order, limits: laneLimits, stored: store.laneStatuses)
        reconnection = Reconnection(seed: seed)
        broker.restore(store.snapshot, now: now, wall: wall)
        guard forwards else { return }
        broker.attach(forwarder, identifier: "$bridge/up/forward")
        broker.subscribe(
            forwarder, filter: TopicFilter("t/#")!, options: SubscriptionOptions(qos: .exactlyOnce), now: now, wall: wall)
    }

    // MARK: Clients

    func accept(_ wire: Wire) { clients.append(WireClient(wire: wire)) }

    /// Handles the oldest packet of a client.
    func receive(from client: WireClient, now: MonotonicTime, wall: Timestamp) {
        guard !client.wire.toBox.isEmpty else { return }
        switch client.wire.toBox.removeFirst() {
        case .connect(let packet):
            broker.connect(client, packet: packet, now: now, wall: wall)
        case .publish(let topic, let payload, let qos, let packetIdentifier, let retain, let expiry):
            publish(topic, payload, qos, packetIdentifier, retain, expiry, from: client, now: now, wall: wall)
        case .puback(let identifier):
            broker.puback(AcknowledgementPacket(packetIdentifier: identifier), from: client, now: now)
        case .pubrec(let identifier):
            broker.pubrec(AcknowledgementPacket(packetIdentifier: identifier), from: client, now: now)
        case .pubrel(let identifier):
            broker.pubrel(AcknowledgementPacket(packetIdentifier: identifier), from: client)
        case .pubcomp(let identifier):
            broker.pubcomp(AcknowledgementPacket(packetIdentifier: identifier), from: client, now: now)
        case .subscribe(let packet):
            broker.subscribe(packet, from: client, now: now, wall: wall)
        case .unsubscribe(let packet):
            broker.unsubscribe(packet, from: client)
        case .disconnect(let packet):
            broker.disconnect(client, packet: packet, now: now, wall: wall)
            client.wire.isOpenAtBox = false
            clients.removeAll { $0 === client }
        }
        broker.flush()
    }

    private func publish(
        _ topic: String, _ payload: String, _ qos: QoS, _ packetIdentifier: UInt16, _ retain: Bool, _ expiry: UInt32?,
        from client: Client, now: MonotonicTime, wall: Timestamp
    ) {
        Array(topic.utf8).withUnsafeBytes { topic in
            Array(payload.utf8).withUnsafeBytes { payload in
                broker.publish(
                    Broker.Publish(
                        topic: topic, properties: UnsafeRawBufferPointer(start: nil, count: 0), payload: payload,
                        qos: qos, retain: retain, packetIdentifier: packetIdentifier, messageExpiryInterval: expiry),
                    from: client, now: now, wall: wall)
            }
        }
    }

    /// The box notices that a connection is gone.
    func lose(_ client: WireClient, now: MonotonicTime, wall: Timestamp) {
        client.wire.isOpenAtBox = false
        broker.connectionLost(client, now: now, wall: wall)
        clients.removeAll { $0 === client }
        broker.flush()
    }

    // MARK: Disk

    /// Closes a batch, if there is none under way and there is something to put into it.
    func takeCommit(now: MonotonicTime) -> Bool {
        guard commit == nil, broker.hasBatch || route.needsBatch(now: now) else { return false }
        broker.touchBatch()
        guard let batch = broker.takeBatch() else { return false }
        commit = Commit(
            number: batch.number, operations: batch.operations, cache: route.takeBatch(batch.number, now: now))
        return true
    }

    func finishCommit(succeeded: Bool, now: MonotonicTime) {
        guard let commit else { return }
        self.commit = nil
        if succeeded {
            broker.committed(commit.number, now: now)
            route.committed(commit.number, losses: [], now: now)
        } else {
            broker.commitFailed(commit.operations)
            route.commitFailed()
        }
        broker.flush()
    }

    func takeRead() {
        if let read = route.takeRead() { reads.append(read) }
    }

    /// Ends the first read under way.
    func finishRead(_ result: (messages: [CachedMessage], next: Int64)?) {
        let read = reads.removeFirst()
        route.withLane(read.lane) { lane in
            if let result {
                lane.finishRead(read, result.messages, nextSequence: result.next, damaged: 0)
            } else {
                lane.readFailed(read)
            }
        }
    }
}
