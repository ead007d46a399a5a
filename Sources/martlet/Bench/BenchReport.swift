import Core

// What a run found, as one line of JSON for programs and as a table for people.

extension LatencyHistogram {
    /// What a report says of them, in microseconds.
    fileprivate var summary: [(name: String, microseconds: Double?)] {
        let shares = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)]
        return shares.map { ($0.0, percentile($0.1).map { Double($0) / 1000 }) }
            + [("max", count > 0 ? Double(maximum) / 1000 : nil)]
    }

    fileprivate var json: JSONLine {
        var line = JSONLine()
        for (name, value) in summary { line.add(name, value, digits: 1) }
        return line
    }

    fileprivate var text: String {
        summary.map { "\($0.name) \(Decimals.text($0.microseconds, digits: 1))" }.joined(separator: "  ")
    }
}

extension LoadMeter {
    /// What was used in the measured time.
    ///
    /// - Parameter count: what the broker's time is divided by.
    fileprivate func add(to line: inout JSONLine, brokerSecondsPerMillion: Double?) {
        line.add("broker_cpu_seconds", brokerSeconds, digits: 6)
        line.add("broker_cpu_per_million", brokerSecondsPerMillion, digits: 4)
        line.add("broker_cpu_share", seconds > 0 ? brokerSeconds.map { $0 / seconds } : nil, digits: 3)
        line.add("broker_rss_kib", residentKiB)
        line.add("broker_peak_rss_kib", peakResidentKiB)
        line.add("tool_cpu_seconds", toolSeconds, digits: 6)
        line.add("tool_cpu_share", seconds > 0 ? toolSeconds / seconds : nil, digits: 3)
        line.add("others_cpu_share", othersShare, digits: 3)
        line.add("stolen_cpu_share", stolenShare, digits: 3)
    }

    fileprivate func rows(brokerSecondsPerMillion: Double?) -> [(String, String)] {
        var rows: [(String, String)] = []
        if let brokerSeconds {
            rows += [
                ("broker's CPU", "\(Decimals.text(brokerSeconds, digits: 3)) s"),
                ("  per million", "\(Decimals.text(brokerSecondsPerMillion, digits: 3)) s"),
                ("broker's RSS", "\(residentKiB ?? 0) KiB, at most \(peakResidentKiB ?? 0) KiB"),
            ]
        }
        let share = seconds > 0 ? Decimals.text(100 * toolSeconds / seconds, digits: 0) : "0"
        rows.append(("bench's CPU", "\(Decimals.text(toolSeconds, digits: 3)) s, \(share) %"))
        return rows
    }
}

extension LoadOutcome {
    func json(_ plan: LoadPlan) -> String {
        var line = JSONLine()
        line.add("scenario", text: plan.scenario.rawValue)
        line.add("qos", Int(plan.qos.rawValue))
        line.add("publishers", plan.publishers)
        line.add("subscribers", plan.subscribers)
        line.add("payload", plan.payload)
        line.add("messages", messages)
        line.add("deliveries", deliveries)
        line.add("seconds", seconds, digits: 6)
        line.add("deliveries_per_second", deliveriesPerSecond, digits: 1)
        meter?.add(to: &line, brokerSecondsPerMillion: brokerSecondsPerMillion)
        line.add("latency_us", latency.json)
        if plan.rate > 0 { line.add("lag_us", lag.json) }
        if let storing {
            var stored = JSONLine()
            stored.add("messages", storing.messages)
            stored.add("seconds", storing.meter.seconds, digits: 6)
            stored.add("messages_per_second", storing.messagesPerSecond, digits: 1)
            storing.meter.add(to: &stored, brokerSecondsPerMillion: storing.brokerSecondsPerMillion)
            stored.add("acknowledgement_us", storing.latency.json)
            line.add("stored", stored)
        }
        line.add("lost", lost)
        line.add("duplicates", duplicates)
        line.add("out_of_order", outOfOrder)
        line.add("strange", strange)
        return line.text
    }

    func table(_ plan: LoadPlan) -> String {
        var rows = [
            (
                plan.scenario.rawValue,
                "\(plan.publishers) to \(plan.subscribers), QoS \(plan.qos.rawValue), \(plan.payload) bytes"
            ),
            ("messages", "\(messages)"),
        ]
        if let storing {
            rows += [
                ("stored", "\(storing.messages) in \(Decimals.text(storing.meter.seconds, digits: 3)) s"),
                ("acknowledged/s", Decimals.text(storing.messagesPerSecond, digits: 0)),
                ("after (µs)", storing.latency.text),
            ]
            rows += storing.meter.rows(brokerSecondsPerMillion: storing.brokerSecondsPerMillion)
        }
        rows += [
            ("deliveries", "\(deliveries) in \(Decimals.text(seconds, digits: 3)) s"),
            ("deliveries/s", Decimals.text(deliveriesPerSecond, digits: 0)),
        ]
        if latency.count > 0 { rows.append(("latency (µs)", latency.text)) }
        if lag.count > 0 { rows.append(("sent late (µs)", lag.text)) }
        if let meter { rows += meter.rows(brokerSecondsPerMillion: brokerSecondsPerMillion) }
        rows.append(("faults", "lost \(lost)  duplicates \(duplicates)  out of order \(outOfOrder)  strange \(strange)"))
        return TextTable.text(rows)
    }
}

extension ConnectionOutcome {
    var connectionsPerSecond: Double { meter.seconds > 0 ? Double(connections) / meter.seconds : 0 }

    /// Bytes that a connection has added to the broker's resident memory.
    var bytesPerConnection: Double? {
        guard let before = meter.residentKiBAtStart, let held = holding?.residentKiBAtStart else { return nil }
        return Double(held - before) * 1024 / Double(max(1, connections))
    }

    /// Processor seconds of the broker for a million connections.
    private var brokerSecondsPerMillion: Double? { meter.brokerSeconds.map { $0 / Double(max(1, connections)) * 1e6 } }

    /// Processor milliseconds of the broker for a second in which the connections are only held.
    private var holdingMilliseconds: Double? {
        holding.flatMap { held in held.seconds > 0 ? held.brokerSeconds.map { $0 / held.seconds * 1000 } : nil }
    }

    var json: String {
        var line = JSONLine()
        line.add("scenario", text: scenario.rawValue)
        line.add("connections", connections)
        line.add("seconds", meter.seconds, digits: 6)
        line.add("connections_per_second", connectionsPerSecond, digits: 1)
        meter.add(to: &line, brokerSecondsPerMillion: brokerSecondsPerMillion)
        line.add("latency_us", latency.json)
        if scenario == .conn {
            line.add("rss_bytes_per_connection", bytesPerConnection, digits: 0)
            line.add("holding_cpu_ms_per_second", holdingMilliseconds, digits: 3)
        }
        line.add("lost", lost)
        return line.text
    }

    var table: String {
        var rows = [
            ("connections", "\(connections) in \(Decimals.text(meter.seconds, digits: 3)) s"),
            ("connections/s", Decimals.text(connectionsPerSecond, digits: 0)),
            ("latency (µs)", latency.text),
        ]
        rows += meter.rows(brokerSecondsPerMillion: brokerSecondsPerMillion)
        if let bytesPerConnection {
            rows += [
                ("each", "\(Decimals.text(bytesPerConnection, digits: 0)) bytes"),
                ("holding", "\(Decimals.text(holdingMilliseconds, digits: 3)) ms of the broker's CPU a second"),
            ]
        }
        rows.append(("lost", "\(lost)"))
        return TextTable.text(rows)
    }
}
