import Core

// What a run found, as one line of JSON for programs and as a table for people.

extension LoadOutcome {
    var deliveriesPerSecond: Double { seconds > 0 ? Double(deliveries) / seconds : 0 }

    /// Processor seconds of the broker for a million deliveries.
    var brokerSecondsPerMillion: Double? {
        guard let brokerSeconds, deliveries > 0 else { return nil }
        return brokerSeconds / Double(deliveries) * 1e6
    }

    /// Microseconds.
    private func percentile(_ share: Double) -> Double? { latency.percentile(share).map { Double($0) / 1000 } }

    private var latencies: [(String, Double?)] {
        [
            ("p50", percentile(0.5)), ("p90", percentile(0.9)), ("p99", percentile(0.99)),
            ("max", latency.count > 0 ? Double(latency.maximum) / 1000 : nil),
        ]
    }

    func json(_ plan: LoadPlan) -> String {
        var latency = JSONLine()
        for (name, value) in latencies { latency.add(name, value, digits: 1) }
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
        line.add("broker_cpu_seconds", brokerSeconds, digits: 6)
        line.add("broker_cpu_per_million", brokerSecondsPerMillion, digits: 4)
        line.add("broker_rss_kib", brokerResidentKiB)
        line.add("latency_us", latency)
        line.add("lost", lost)
        line.add("duplicates", duplicates)
        line.add("out_of_order", outOfOrder)
        return line.text
    }

    func table(_ plan: LoadPlan) -> String {
        let latency = latencies.map { "\($0.0) \(Decimals.text($0.1, digits: 1))" }.joined(separator: "  ")
        var rows = [
            (
                plan.scenario.rawValue,
                "\(plan.publishers) to \(plan.subscribers), QoS \(plan.qos.rawValue), \(plan.payload) bytes"
            ),
            ("messages", "\(messages)"),
            ("deliveries", "\(deliveries) in \(Decimals.text(seconds, digits: 3)) s"),
            ("deliveries/s", Decimals.text(deliveriesPerSecond, digits: 0)),
            ("latency (µs)", latency),
        ]
        if let brokerSeconds {
            rows += [
                ("broker's CPU", "\(Decimals.text(brokerSeconds, digits: 3)) s"),
                ("  per million", "\(Decimals.text(brokerSecondsPerMillion, digits: 3)) s"),
                ("broker's RSS", "\(brokerResidentKiB ?? 0) KiB"),
            ]
        }
        rows.append(("faults", "lost \(lost)  duplicates \(duplicates)  out of order \(outOfOrder)"))
        return TextTable.text(rows)
    }
}

extension IdleOutcome {
    var connectionsPerSecond: Double { seconds > 0 ? Double(connections) / seconds : 0 }

    /// Bytes that a connection has added to the broker's resident memory.
    var bytesPerConnection: Double? {
        guard let residentKiBBefore, let residentKiBAfter else { return nil }
        return Double(residentKiBAfter - residentKiBBefore) * 1024 / Double(connections)
    }

    private var brokerSecondsPerMillion: Double? { brokerSeconds.map { $0 / Double(connections) * 1e6 } }

    var json: String {
        var line = JSONLine()
        line.add("scenario", text: Scenario.conn.rawValue)
        line.add("connections", connections)
        line.add("seconds", seconds, digits: 6)
        line.add("connections_per_second", connectionsPerSecond, digits: 1)
        line.add("broker_cpu_seconds", brokerSeconds, digits: 6)
        line.add("broker_cpu_per_million", brokerSecondsPerMillion, digits: 4)
        line.add("broker_rss_kib", residentKiBAfter)
        line.add("rss_bytes_per_connection", bytesPerConnection, digits: 0)
        line.add("lost", lost)
        return line.text
    }

    var table: String {
        var rows = [
            ("connections", "\(connections) in \(Decimals.text(seconds, digits: 3)) s"),
            ("connections/s", Decimals.text(connectionsPerSecond, digits: 0)),
        ]
        if let brokerSeconds {
            rows += [
                ("broker's CPU", "\(Decimals.text(brokerSeconds, digits: 3)) s"),
                ("broker's RSS", "\(residentKiBBefore ?? 0) KiB before, \(residentKiBAfter ?? 0) KiB now"),
                ("  each", "\(Decimals.text(bytesPerConnection, digits: 0)) bytes"),
            ]
        }
        rows.append(("lost", "\(lost)"))
        return TextTable.text(rows)
    }
}
