import Broker
import Core
import Logging
import MQTTClient
import MQTTCodec
import NIOCore
import NIOEmbedded

@testable import Bridge
@testable import Store

/// A bridge between a broker without I/O and an upstream that the test plays.
final class BridgeFixture {
    let loop = EmbeddedEventLoop()
    let broker = Broker(limits: BrokerLimits(), seed: 1)
    let bridge: Bridge
    /// The newest connection; nil before the first.
    private(set) var channel: EmbeddedChannel?
    private(set) var connections = 0
    /// Where the bridge has tried to connect.
    private(set) var tried: [String] = []
    /// Servers whose ports take no connection.
    var deadServers: Set<String> = []
    private(set) var probes = 0
    /// The newest CONNECT that only looks at a server; nil before the first.
    private(set) var probe: EmbeddedChannel?
    private let clock = Clock()
    private let disk = Disk()
    /// What the disk has of each lane.
    private var stored: [String: LaneStatus] = [:]

    private final class Clock {
        var now = MonotonicTime(nanoseconds: 1_000_000_000)
    }

    private final class Disk {
        var appends: [LaneAppend] = []

        func read(_ read: LaneRead) -> CacheReading {
            var reading = CacheReading(nextSequence: read.from)
            for append in appends where append.lane == read.lane {
                for (index, message) in append.messages.enumerated() where reading.messages.count < read.maximumCount {
                    let sequence = append.firstSequence + Int64(index)
                    guard sequence >= read.from else { continue }
                    reading.messages.append(CachedMessage(sequence: sequence, message: message))
                    reading.nextSequence = sequence + 1
                }
            }
            return reading
        }
    }

    init(lastSequence: Int64 = 0, _ configure: (inout BridgeConfiguration) throws -> Void) rethrows {
        var configuration = BridgeConfiguration(name: "cloud", host: "upstream.example", clientIdentifier: "box")
        try configure(&configuration)
        let clock = clock
        var environment = BridgeEnvironment(
            read: { [disk] read, completion in completion(disk.read(read)) }, scheduleTurn: {})
        environment.reportTopic = "martlet/box/cache/lost"
        environment.monotonicTime = { clock.now }
        environment.wallTime = { Timestamp(milliseconds: 1_700_000_000_000) }
        var logger = Logger(label: "bridge")
        logger.logLevel = .critical
        bridge = Bridge(
            configuration: configuration, stored: [], broker: broker, eventLoop: loop, environment: environment,
            logger: logger, seed: 1)
        bridge.openChannel = { [unowned self] connection, endpoint in
            guard case .host(let host, port: _) = endpoint.address else { return loop.makeFailedFuture(ChannelError.unknownLocalAddress) }
            if connection is ServerProbe { probes += 1 } else { tried.append(host) }
            if deadServers.contains(host) { return loop.makeFailedFuture(ChannelError.connectTimeout(.seconds(1))) }
            do {
                let channel = EmbeddedChannel(loop: loop)
                try channel.pipeline.syncOperations.addHandler(connection)
                try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1883)).wait()
                if connection is ServerProbe {
                    probe = channel
                } else {
                    self.channel = channel
                    connections += 1
                }
                return loop.makeSucceededFuture(channel)
            } catch {
                return loop.makeFailedFuture(error)
            }
        }
        playProbes()
    }

    /// Takes the place of the look at a port.
    private func playProbes() {
        bridge.openProbe = { [unowned self] server in
            probes += 1
            return deadServers.contains(server.host)
                ? loop.makeFailedFuture(ChannelError.connectTimeout(.seconds(1))) : loop.makeSucceededVoidFuture()
        }
    }

    /// Starts the bridge and accepts its connection.
    func start(_ connack: ByteBuffer = PacketBytes.connack()) throws {
        bridge.start()
        loop.run()
        try upstream(connack)
    }

    /// Lets time pass and the bridge see it.
    func wait(_ duration: Duration) {
        clock.now += duration
        bridge.tick()
        loop.run()
    }

    /// The upstream sends.
    func upstream(_ bytes: ByteBuffer) throws {
        try channel?.writeInbound(bytes)
        broker.flush()
    }

    /// The packets that have arrived upstream since the last time.
    func sent() throws -> [PacketBytes.Sent] { try channel?.sentPackets().flatMap { $0 } ?? [] }

    func publishes() throws -> [String] { try sent().compactMap(\.publish) }

    /// A local publisher's message, which is committed at once unless said otherwise.
    func publish(_ topic: String, _ payload: String, qos: QoS = .atLeastOnce, retain: Bool = false, commits: Bool = true) {
        let message = Message.create(
            topic: topic, payload: Array(payload.utf8), qos: qos, retain: retain,
            publishedAt: Timestamp(milliseconds: 1))
        broker.publish(message, now: clock.now, wall: Timestamp(milliseconds: 1))
        if commits { commit() }
    }

    /// A network client with MQTT 5.0.
    func connect(_ identifier: String) -> Client {
        let client = Client()
        let packet = ConnectPacket(version: .v5, clientIdentifier: identifier, cleanStart: true, keepAlive: 0)
        broker.connect(client, packet: packet, now: clock.now, wall: Timestamp(milliseconds: 1))
        commit()
        return client
    }

    /// A network client's message with QoS 1, which is committed at once.
    func publish(_ topic: String, _ payload: String, from client: Client) {
        var topic = topic
        topic.withUTF8 { topic in
            Array(payload.utf8).withUnsafeBytes { payload in
                broker.publish(
                    Broker.Publish(
                        topic: UnsafeRawBufferPointer(topic), properties: UnsafeRawBufferPointer(start: nil, count: 0),
                        payload: payload, qos: .atLeastOnce, retain: false, packetIdentifier: 1, messageExpiryInterval: nil),
                    from: client, now: clock.now, wall: Timestamp(milliseconds: 1))
            }
        }
        commit()
    }

    /// A commit says that these lanes, and no others, have no room.
    func full(_ lanes: [String]) {
        for lane in lanes + ["cloud/5#1"] where stored[lane] == nil {
            stored[lane] = LaneStatus(
                lane: lane, firstSequence: 1, lastSequence: 1, acknowledgedSequence: 0, messages: 1, bytes: 1, blocks: 1,
                oldestPublishedAt: nil)
        }
        stored = stored.mapValues { status in
            var status = status
            status.isFull = lanes.contains(status.lane)
            return status
        }
        bridge.committed(0, losses: [], lanes: Array(stored.values))
        broker.hasFullClients = bridge.isFull
    }

    func commit() {
        broker.flush()
        guard let batch = broker.takeBatch() else { return }
        let taken = bridge.takeBatch(batch.number)
        disk.appends += taken.appends
        store(taken)
        broker.committed(batch.number, now: clock.now)
        bridge.committed(batch.number, losses: [], lanes: Array(stored.values))
        broker.flush()
    }

    private func store(_ batch: BridgeRoute.Batch) {
        for lane in batch.removals { stored[lane] = nil }
        for append in batch.appends {
            let last = append.firstSequence + Int64(append.messages.count) - 1
            var status = stored[append.lane]
                ?? LaneStatus(
                    lane: append.lane, firstSequence: nil, lastSequence: 0, acknowledgedSequence: append.firstSequence - 1,
                    messages: 0, bytes: 0, blocks: 0, oldestPublishedAt: nil)
            status.lastSequence = last
            stored[append.lane] = status
        }
        for acknowledgement in batch.acknowledgements {
            stored[acknowledgement.lane]?.acknowledgedSequence = acknowledgement.through
        }
        stored = stored.mapValues { status in
            var status = status
            status.messages = status.lastSequence - status.acknowledgedSequence
            return status
        }
    }

    /// A local subscriber that writes down what it gets.
    func subscribe(_ filter: String) -> LocalSubscriber {
        let client = LocalSubscriber()
        broker.attach(client, identifier: "local-\(filter)")
        if let filter = TopicFilter(filter) {
            broker.subscribe(
                client, filter: filter, options: SubscriptionOptions(qos: .atLeastOnce), now: clock.now,
                wall: Timestamp(milliseconds: 1))
        }
        return client
    }

    /// A network client with a persistent session that is away: what is queued for it makes a batch.
    func subscribeOffline(_ filter: String) {
        let client = Client()
        var packet = ConnectPacket(version: .v5, clientIdentifier: "offline", cleanStart: false, keepAlive: 0)
        packet.properties.sessionExpiryInterval = .max
        let wall = Timestamp(milliseconds: 1)
        broker.connect(client, packet: packet, now: clock.now, wall: wall)
        let request = SubscribePacket.Request(filter: filter, options: SubscriptionOptions(qos: .atLeastOnce))
        broker.subscribe(SubscribePacket(packetIdentifier: 1, requests: [request]), from: client, now: clock.now, wall: wall)
        broker.connectionLost(client, now: clock.now, wall: wall)
        commit()
    }
}

final class LocalSubscriber: Client {
    private(set) var received: [String] = []

    init() { super.init(takesInline: true) }

    override func receive(_ message: Message, qos: QoS, retain: Bool) {
        received.append("\(message.topic)=\(String(decoding: message.payload, as: UTF8.self))")
    }
}
