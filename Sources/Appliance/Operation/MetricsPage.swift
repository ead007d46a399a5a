import Bridge
import Broker
import Console
import Core
import MQTTCodec
import MQTTServer
import Store

/// Writes the report as metrics. Names are part of what users build on: they stay.
struct MetricsPage {
    private typealias Sample = OpenMetricsWriter.Sample

    var writer = OpenMetricsWriter()

    static func text(_ report: ApplianceReport, process: ProcessStatus) -> [UInt8] {
        var page = MetricsPage()
        page.writeTraffic(report.traffic)
        page.writeConnections(report)
        page.writeMessages(report.statistics, report.census)
        page.writeStore(report.commits, report.census, damagedFiles: report.damagedFiles)
        page.writeCache(report)
        page.writeBridges(report.bridges.map(\.status), now: report.now, wall: report.wall)
        page.writeRates(report.bridges)
        page.writeRules(report.rules)
        page.writeBuses(report.buses)
        page.writer.counter("martlet_points_read", help: "Values read from field buses.", report.samples)
        page.writer.counter(
            "martlet_points_lost", help: "Values read from field buses that came faster than they could be published.", report.lostSamples)
        page.writeProcess(process, report)
        return page.writer.finish()
    }

    private mutating func writeTraffic(_ traffic: Traffic) {
        writer.counter(
            "martlet_mqtt_messages_received", help: "PUBLISH packets from clients.", MetricsPage.byQoS(traffic.publishesReceived))
        writer.counter(
            "martlet_mqtt_messages_sent", help: "PUBLISH packets to clients, those sent again included.",
            MetricsPage.byQoS(traffic.publishesSent))
        writer.counter(
            "martlet_mqtt_payload_received_bytes", unit: "bytes", help: "Payloads of messages from clients.",
            traffic.publishBytesReceived)
        writer.counter(
            "martlet_mqtt_payload_sent_bytes", unit: "bytes", help: "Payloads of messages to clients.", traffic.publishBytesSent)
        writer.counter("martlet_mqtt_packets_received", help: "MQTT packets from clients.", traffic.packetsReceived)
        writer.counter("martlet_mqtt_packets_sent", help: "MQTT packets to clients.", traffic.packetsSent)
        writer.counter("martlet_mqtt_received_bytes", unit: "bytes", help: "Bytes from clients.", traffic.bytesReceived)
        writer.counter("martlet_mqtt_sent_bytes", unit: "bytes", help: "Bytes to clients.", traffic.bytesSent)
    }

    private static func byQoS(_ counts: CountByQoS) -> [Sample] {
        [
            Sample([("qos", "0")], counts.atMostOnce), Sample([("qos", "1")], counts.atLeastOnce),
            Sample([("qos", "2")], counts.exactlyOnce),
        ]
    }

    private mutating func writeConnections(_ report: ApplianceReport) {
        let statistics = report.statistics
        writer.gauge("martlet_mqtt_clients", help: "Clients connected.", report.census.clients)
        writer.gauge("martlet_mqtt_clients_maximum", help: "The most clients connected at one time.", statistics.maximumClients)
        writer.gauge(
            "martlet_mqtt_listener_connections", help: "Open connections of a listener, with or without a CONNECT.",
            report.connections.map { Sample([("listener", $0.listener)], $0.count) })
        writer.counter("martlet_mqtt_connections_accepted", help: "Connections that were opened.", report.traffic.accepted)
        writer.counter("martlet_mqtt_connects_accepted", help: "CONNECTs accepted.", statistics.connections)
        writer.counter(
            "martlet_mqtt_connects_refused", help: "CONNECTs refused.", MetricsPage.byReason(statistics.refusals))
        writer.counter(
            "martlet_mqtt_disconnects", help: "Connections of clients that ended, by who ended them and why.",
            MetricsPage.ends(statistics).map { Sample([("by", $0.cause.by), ("reason", $0.cause.reason)], $0.count) })
        writer.gauge("martlet_mqtt_sessions", help: "Sessions, connected or not.", report.census.sessions)
        writer.counter("martlet_mqtt_sessions_expired", help: "Sessions that ended by their expiry.", statistics.expiredSessions)
        writer.gauge("martlet_mqtt_subscriptions", help: "Subscriptions.", report.census.subscriptions)
        writer.gauge("martlet_mqtt_shared_subscriptions", help: "Of those, shared ones.", report.census.sharedSubscriptions)
    }

    /// The causes that an event can have too. Those of every day are there from the start.
    private static func ends(_ statistics: BrokerStatistics) -> [(cause: DisconnectCause, count: UInt64)] {
        func sorted(_ counts: [ReasonCode: UInt64]) -> [(key: ReasonCode, value: UInt64)] {
            counts.sorted { $0.key.rawValue < $1.key.rawValue }
        }
        let departures = statistics.departures.merging([.success: 0, .disconnectWithWill: 0], uniquingKeysWith: { count, _ in count })
        return sorted(departures).map { (.byClient($0.key), $0.value) } + [(.connectionLost, statistics.connectionsLost)]
            + sorted(statistics.closings).map { (.byBroker($0.key), $0.value) }
    }

    private static func byReason(_ counts: [ReasonCode: UInt64]) -> [Sample] {
        counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { Sample([("reason", $0.key.keyword)], $0.value) }
    }

    private mutating func writeMessages(_ statistics: BrokerStatistics, _ census: BrokerCensus) {
        writer.counter(
            "martlet_broker_messages_published", help: "Messages published by clients, drivers, rules and bridges.",
            statistics.received)
        writer.counter(
            "martlet_broker_messages_delivered", help: "Deliveries, one for each receiver, parts of the program included.",
            statistics.delivered)
        writer.counter(
            "martlet_broker_messages_dropped", help: "Messages that did not reach a receiver, or were not retained.",
            DropReason.allCases.map { Sample([("reason", $0.name)], statistics.drops[$0]) })
        writer.gauge("martlet_broker_retained_messages", help: "Retained messages.", census.retainedMessages)
        writer.gauge("martlet_broker_retained_bytes", unit: "bytes", help: "Bytes of those.", census.retainedBytes)
        writer.gauge(
            "martlet_broker_queued_messages", help: "QoS 1 and 2 messages in the queues of sessions, one for each session.",
            census.queuedMessages)
        writer.gauge("martlet_broker_queued_bytes", unit: "bytes", help: "Bytes of those.", census.queuedBytes)
        writer.gauge("martlet_broker_inflight_messages", help: "Of those, sent and not acknowledged.", census.inFlight)
        writer.gauge(
            "martlet_broker_outbox_bytes", unit: "bytes", help: "Bytes of messages that wait to be written to connections.",
            census.outboxBytes)
    }

    private mutating func writeStore(_ commits: CommitStatistics, _ census: BrokerCensus, damagedFiles: Int) {
        writer.histogram(
            "martlet_store_commit_duration_seconds", unit: "seconds", help: "How long commits took.",
            bounds: CommitStatistics.bounds, counts: commits.buckets, sum: commits.seconds)
        writer.counter("martlet_store_commit_failures", help: "Commits that failed.", commits.failures)
        writer.gauge("martlet_store_failing", help: "1 while nothing can be stored.", commits.isFailing ? 1 : 0)
        writer.gauge(
            "martlet_store_damaged_files", help: "Damaged files that were set aside and have not been taken away.", damagedFiles)
        writer.gauge("martlet_store_pending_operations", help: "Changes that wait for the next commit.", census.pendingOperations)
        writer.gauge(
            "martlet_store_pending_bytes", unit: "bytes", help: "Bytes of the messages in those.", census.pendingBytes)
    }

    private mutating func writeCache(_ report: ApplianceReport) {
        let cache = report.cache
        writer.gauge("martlet_cache_bytes", unit: "bytes", help: "Bytes of all that waits for upstream brokers.", Int(cache.usedBytes))
        writer.gauge("martlet_cache_limit_bytes", unit: "bytes", help: "Bytes that it may have.", Int(cache.size.bytes))
        writer.gauge("martlet_cache_messages", help: "Messages that wait for upstream brokers.", Int(cache.messages))
        let load = cache.plan.load
        writer.gauge(
            "martlet_cache_in_messages_per_second", help: "Messages that come to wait, as a mean of some minutes.",
            [Sample([], load.recordsPerSecond)])
        let seconds: [(String, String, Double)] = [
            ("martlet_cache_held_seconds", "How long the whole cache holds what comes at that rate, from empty to full.", cache.plan.secondsHeld),
            ("martlet_cache_full_in_seconds", "When it is full at that rate, if nothing leaves it.", cache.secondsUntilFull),
        ]
        for (name, help, value) in seconds where value.isFinite {
            writer.gauge(name, unit: "seconds", help: help, [Sample([], value)])
        }
        writer.gauge(
            "martlet_disk_written_bytes_per_day", help: "Bytes that the program writes to the disk a day, as a mean of some minutes.",
            [Sample([], cache.plan.writtenPerDay)])
        if let years = cache.plan.yearsOfEndurance, years.isFinite {
            writer.gauge(
                "martlet_disk_endurance_years", help: "How long the board's declared endurance lasts for that.", [Sample([], years)])
        }
        writer.counter(
            "martlet_cache_messages_lost", help: "Messages that the cache gave up or did not take.",
            report.losses.map {
                Sample(
                    [("bridge", $0.bridge), ("priority", "\($0.priority)"), ("reason", $0.reason.rawValue)], UInt64(clamping: $0.messages))
            })
    }

    private mutating func writeRates(_ bridges: [BridgeReport]) {
        guard !bridges.isEmpty else { return }
        writer.gauge(
            "martlet_bridge_in_messages_per_second", help: "Messages that come to wait, over some seconds.",
            bridges.map { Sample([("bridge", $0.name)], $0.inPerSecond) })
        writer.gauge(
            "martlet_bridge_out_messages_per_second", help: "Messages that arrive upstream, over some seconds.",
            bridges.map { Sample([("bridge", $0.name)], $0.outPerSecond) })
        writer.gauge(
            "martlet_bridge_drain_seconds", unit: "seconds", help: "How long what waits takes at these rates.",
            bridges.compactMap { bridge in bridge.drainSeconds.map { Sample([("bridge", bridge.name)], $0) } })
        writer.gauge(
            "martlet_bridge_route_fill_ratio", unit: "ratio", help: "How much is used of what a priority may hold, where that is not the whole cache.",
            bridges.flatMap { bridge in bridge.fills.map { Sample([("bridge", $0.route.bridge), ("priority", "\($0.route.priority)")], $0.fraction) } })
        let fills: [(name: String, help: String, value: (RouteFill) -> Double)] = [
            ("martlet_bridge_route_used_bytes", "Bytes that count against what a priority may hold, where that is not the whole cache.", { Double($0.usedBytes) }),
            ("martlet_bridge_route_limit_bytes", "Bytes that such a priority may hold.", { Double($0.limitBytes) }),
            ("martlet_bridge_route_held_seconds", "How long such a priority holds what comes, from empty to full.", \.secondsHeld),
            ("martlet_bridge_route_full_in_seconds", "When such a priority is full, if nothing leaves it.", \.secondsUntilFull),
        ]
        for (name, help, value) in fills {
            let samples = bridges.flatMap(\.fills).filter { value($0).isFinite }.map {
                Sample([("bridge", $0.route.bridge), ("priority", "\($0.route.priority)")], value($0))
            }
            writer.gauge(name, unit: name.hasSuffix("bytes") ? "bytes" : "seconds", help: help, samples)
        }
        writer.gauge(
            "martlet_bridge_route_messages", help: "Messages of a priority that have not arrived upstream.",
            bridges.flatMap { bridge in
                bridge.status.routes.map { Sample([("bridge", bridge.name), ("priority", "\($0.priority)")], UInt64(clamping: $0.messages)) }
            })
    }

    private mutating func writeBridges(_ bridges: [BridgeStatus], now: MonotonicTime, wall: Timestamp) {
        guard !bridges.isEmpty else { return }
        func samples(_ value: (BridgeStatus) -> UInt64) -> [Sample] {
            bridges.map { Sample([("bridge", $0.name)], value($0)) }
        }
        writer.gauge(
            "martlet_bridge_connected", help: "1 while the upstream broker is connected.",
            samples { $0.state.isConnected ? 1 : 0 })
        writer.gauge(
            "martlet_bridge_connected_since_seconds", unit: "seconds",
            help: "Since when the upstream is connected, in seconds since 1970; absent while it is not.",
            bridges.compactMap { bridge in
                guard case .connected(let since) = bridge.state else { return nil }
                return Sample([("bridge", bridge.name)], Double(wall.milliseconds - (now - since).wholeMilliseconds) / 1000)
            })
        writer.counter("martlet_bridge_connections", help: "Connections that the upstream accepted.", samples { $0.counts.connections })
        writer.gauge(
            "martlet_bridge_cached_messages", help: "Messages that have not arrived upstream.",
            samples { UInt64(clamping: $0.messages) })
        writer.gauge(
            "martlet_bridge_cached_bytes", unit: "bytes", help: "Bytes of their blocks on disk.",
            samples { UInt64(clamping: $0.bytes) })
        writer.gauge(
            "martlet_bridge_oldest_age_seconds", unit: "seconds", help: "How long ago the oldest of them was published.",
            bridges.map { bridge in
                let age = bridge.oldestPublishedAt.map { max(0, wall.milliseconds - $0.milliseconds) } ?? 0
                return Sample([("bridge", bridge.name)], Double(age) / 1000)
            })
        writer.counter("martlet_bridge_messages_forwarded", help: "Messages that arrived upstream.", samples { $0.lane.acknowledged })
        writer.counter("martlet_bridge_messages_sent", help: "Messages sent, those sent again included.", samples { $0.lane.sent })
        writer.counter("martlet_bridge_messages_received", help: "Messages from upstream published here.", samples { $0.counts.received })
        let lost: [(String, (BridgeStatus) -> UInt64)] = [
            ("refused", { $0.lane.refused }), ("too-large", { $0.lane.tooLarge }), ("expired", { $0.lane.expired }),
            ("storage", { $0.lane.overflowed }), ("cache-full", { $0.lane.dropped }), ("damaged", { $0.lane.damaged }),
            ("no-topic", { $0.counts.unmapped }), ("no-room", { $0.counts.refused }),
        ]
        writer.counter(
            "martlet_bridge_messages_dropped", help: "Messages that will not arrive upstream.",
            bridges.flatMap { bridge in lost.map { Sample([("bridge", bridge.name), ("reason", $0.0)], $0.1(bridge)) } })
    }

    private mutating func writeRules(_ rules: [ApplianceReport.Rule]) {
        guard !rules.isEmpty else { return }
        writer.counter(
            "martlet_rule_matches", help: "Messages that gave a result.", rules.map { Sample([("rule", $0.name)], $0.matched) })
        writer.counter(
            "martlet_rule_failures", help: "Messages that could not be evaluated, or whose result has no valid topic.",
            rules.map { Sample([("rule", $0.name)], $0.failed) })
    }

    private mutating func writeProcess(_ process: ProcessStatus, _ report: ApplianceReport) {
        writer.info("martlet_build", help: "The program.", [("version", Appliance.version)])
        let uptime = Double(report.uptime.wholeMilliseconds) / 1000
        writer.gauge("martlet_uptime_seconds", unit: "seconds", help: "Time since the start.", [Sample([], uptime)])
        writer.gauge(
            "process_start_time_seconds", unit: "seconds", help: "When the program started, in seconds since 1970.",
            [Sample([], Double(report.wall.milliseconds) / 1000 - uptime)])
        writer.counter(
            "process_cpu_seconds", unit: "seconds", help: "CPU time used.", [Sample([], process.cpuSeconds)])
        writer.gauge("process_resident_memory_bytes", unit: "bytes", help: "Memory in use.", process.residentBytes)
        writer.gauge("process_virtual_memory_bytes", unit: "bytes", help: "Address space in use.", process.virtualBytes)
        writer.gauge("process_open_fds", help: "Open file descriptors.", process.openFiles)
        writer.gauge("process_max_fds", help: "The most that there may be.", process.maximumOpenFiles)
    }
}
