import Bridge
import Broker
import Core
import FieldBus
import MQTTServer

/// Publishes what the broker has counted on `$SYS/broker/…`, under mosquitto's names: every value that has changed, every so
/// often. The values are retained in memory and never stored.
///
/// Belongs to the broker's event loop.
final class SystemTopics {
    /// Time between two publications; nil for none at all.
    var interval: Duration? {
        didSet { if interval == nil { withdraw() } else { dueAt = .zero } }
    }
    private let broker: Broker
    private var dueAt = MonotonicTime.zero
    private var updatedAt: MonotonicTime
    /// What was published last, by topic.
    private var published: [String: String] = [:]
    private var loads: [String: LoadAverage] = [:]
    private var heapMaximum = 0
    private var busTopics: Set<String> = []
    /// By bridge, as published last.
    private var connected: [String: Bool] = [:]

    init(broker: Broker, interval: Duration?, now: MonotonicTime) {
        self.broker = broker
        self.interval = interval
        updatedAt = now
    }

    /// To be called about once a second.
    func tick(now: MonotonicTime, report: () -> ApplianceReport, bridges: () -> [BridgeReport]) {
        guard let interval else { return }
        guard now >= dueAt else {
            // That a bridge comes or goes is said at once.
            for bridge in bridges() where connected[bridge.name] != bridge.status.state.isConnected {
                publish(bridge, now: now, wall: SystemClock.wall())
            }
            return
        }
        dueAt = now + interval
        let report = report()
        updateLoads(report, after: Double((now - updatedAt).wholeNanoseconds) / 1e9)
        updatedAt = now
        var values = SystemTopics.values(report)
        for (name, load) in loads {
            for (window, value) in zip(LoadAverage.windows, load.perMinute) {
                values.append(("load/\(name)/\(window)", LoadAverage.text(value)))
            }
        }
        let heap = ProcessStatus.memory().anonymousBytes
        heapMaximum = max(heap, heapMaximum)
        values += [("heap/current", "\(heap)"), ("heap/maximum", "\(heapMaximum)")]
        for (name, value) in values { publish("$SYS/broker/\(name)", value, now: now, wall: report.wall) }
        for bridge in report.bridges { publish(bridge, now: now, wall: report.wall) }
        publish(report.buses, now: now, wall: report.wall)
        for name in connected.keys where !report.bridges.contains(where: { $0.name == name }) {
            for topic in ["state", "status"] { publish("$SYS/broker/connection/\(name)/\(topic)", "", now: now, wall: report.wall) }
            connected[name] = nil
        }
    }

    private func publish(_ bridge: BridgeReport, now: MonotonicTime, wall: Timestamp) {
        let isConnected = bridge.status.state.isConnected
        connected[bridge.name] = isConnected
        let topic = "$SYS/broker/connection/\(bridge.name)"
        publish("\(topic)/state", isConnected ? "1" : "0", now: now, wall: wall)
        publish("\(topic)/status", String(decoding: bridge.json(now: now, wall: wall), as: UTF8.self), now: now, wall: wall)
    }

    /// The topics of buses and devices that are gone are taken away.
    private func publish(_ buses: [BusStatus], now: MonotonicTime, wall: Timestamp) {
        var topics: Set<String> = []
        for bus in buses {
            let topic = "$SYS/broker/bus/\(bus.name)"
            var values = [("\(topic)/state", bus.isOpen ? "1" : "0"), ("\(topic)/status", String(decoding: bus.json, as: UTF8.self))]
            values += bus.devices.map { ("\(topic)/device/\($0.device)", String(decoding: $0.json, as: UTF8.self)) }
            for (topic, value) in values {
                topics.insert(topic)
                publish(topic, value, now: now, wall: wall)
            }
        }
        for topic in busTopics.subtracting(topics) {
            publish(topic, "", now: now, wall: wall)
            published[topic] = nil
        }
        busTopics = topics
    }

    private func publish(_ topic: String, _ value: String, now: MonotonicTime, wall: Timestamp) {
        guard published[topic] != value else { return }
        published[topic] = value
        let message = Message.create(
            topic: topic, payload: Array(value.utf8), qos: .atMostOnce, retain: true, publishedAt: wall)
        broker.publish(message, now: now, wall: wall)
    }

    /// Takes the topics away.
    private func withdraw() {
        let now = SystemClock.monotonic()
        let wall = SystemClock.wall()
        for topic in published.keys { publish(topic, "", now: now, wall: wall) }
        published = [:]
        connected = [:]
    }

    private func updateLoads(_ report: ApplianceReport, after seconds: Double) {
        guard seconds > 0 else { return }
        let counts: [(String, UInt64)] = [
            ("messages/received", report.traffic.packetsReceived), ("messages/sent", report.traffic.packetsSent),
            ("publish/received", report.traffic.publishesReceived.total),
            ("publish/sent", report.traffic.publishesSent.total), ("publish/dropped", report.statistics.dropped),
            ("bytes/received", report.traffic.bytesReceived), ("bytes/sent", report.traffic.bytesSent),
            ("sockets", report.traffic.accepted), ("connections", report.statistics.connections),
        ]
        for (name, count) in counts { loads[name, default: LoadAverage()].update(count: count, after: seconds) }
    }

    /// mosquitto(8), section Broker Status; `messages` are packets of every type there.
    private static func values(_ report: ApplianceReport) -> [(name: String, value: String)] {
        let census = report.census
        let away = census.sessions - census.clients
        return [
            ("version", "martlet version \(Appliance.version)"),
            ("uptime", "\(report.uptime.components.seconds) seconds"),
            ("clients/total", "\(census.sessions)"),
            ("clients/connected", "\(census.clients)"),
            ("clients/active", "\(census.clients)"),
            ("clients/disconnected", "\(away)"),
            ("clients/inactive", "\(away)"),
            ("clients/expired", "\(report.statistics.expiredSessions)"),
            ("clients/maximum", "\(report.statistics.maximumClients)"),
            ("messages/received", "\(report.traffic.packetsReceived)"),
            ("messages/sent", "\(report.traffic.packetsSent)"),
            ("messages/inflight", "\(census.inFlight)"),
            ("messages/stored", "\(census.queuedMessages + census.retainedMessages)"),
            ("store/messages/count", "\(census.queuedMessages + census.retainedMessages)"),
            ("store/messages/bytes", "\(census.queuedBytes + census.retainedBytes)"),
            ("store/damaged/count", "\(report.damagedFiles)"),
            ("subscriptions/count", "\(census.subscriptions)"),
            ("shared_subscriptions/count", "\(census.sharedSubscriptions)"),
            ("retained messages/count", "\(census.retainedMessages)"),
            ("publish/messages/received", "\(report.traffic.publishesReceived.total)"),
            ("publish/messages/sent", "\(report.traffic.publishesSent.total)"),
            ("publish/messages/dropped", "\(report.statistics.dropped)"),
            ("publish/bytes/received", "\(report.traffic.publishBytesReceived)"),
            ("publish/bytes/sent", "\(report.traffic.publishBytesSent)"),
            ("bytes/received", "\(report.traffic.bytesReceived)"),
            ("bytes/sent", "\(report.traffic.bytesSent)"),
            ("points/published", "\(report.samples)"),
            ("points/lost", "\(report.lostSamples)"),
        ]
    }
}
