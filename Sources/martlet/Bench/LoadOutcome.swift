/// What a run found.
struct LoadOutcome: Sendable {
    /// Messages sent by all publishers.
    var messages = 0
    /// Deliveries that arrived, each counted once.
    var deliveries = 0
    var lost = 0
    var duplicates = 0
    var outOfOrder = 0
    /// Messages that are not of this round, not for their receiver, or whose content is wrong.
    var strange = 0
    /// From the first message sent, or the first request for what is stored, to the last delivery or acknowledgement.
    var meter: LoadMeter?
    /// Of the deliveries; empty where messages are stored first.
    var latency = LatencyHistogram()
    /// With a rate: how much later than due a message was sent though nothing held it up; the load generator's own lateness.
    var lag = LatencyHistogram()
    /// What it took to store the messages.
    var storing: Storing?
    /// Why the run ended before everything had arrived; nil if it has.
    var interruption: String?

    struct Storing: Sendable {
        var messages: Int
        /// From the first message sent to the last acknowledgement.
        var meter: LoadMeter
        /// From a message to its acknowledgement.
        var latency: LatencyHistogram
    }

    var isFaultless: Bool {
        lost == 0 && duplicates == 0 && outOfOrder == 0 && strange == 0 && interruption == nil
    }

    var seconds: Double { meter?.seconds ?? 0 }
    var deliveriesPerSecond: Double { seconds > 0 ? Double(deliveries) / seconds : 0 }

    /// Processor seconds of the broker for a million deliveries.
    var brokerSecondsPerMillion: Double? {
        guard let used = meter?.brokerSeconds, deliveries > 0 else { return nil }
        return used / Double(deliveries) * 1e6
    }
}

extension LoadOutcome.Storing {
    var messagesPerSecond: Double { meter.seconds > 0 ? Double(messages) / meter.seconds : 0 }

    /// Processor seconds of the broker for a million messages.
    var brokerSecondsPerMillion: Double? { meter.brokerSeconds.map { $0 / Double(max(1, messages)) * 1e6 } }
}
