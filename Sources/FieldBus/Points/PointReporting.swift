public import Configuration
public import Core

// Which of the values that a device gives are published. The same for all drivers; a value that takes time as an argument.
//
//     reading ──▶ unchanged, and not silent for too long? ──▶ left out
//              └▶ otherwise ──▶ published, and what later ones are compared with
//     no reading for stale-after ──▶ the last value once more, uncertain (stale), with its own source time

/// The rules of reporting of one device's points, and what was published last.
public struct PointReporting: Sendable {
    struct Rule: Sendable {
        let onChange: Bool
        let deadband: Double
        /// 0…1
        let deadbandShare: Double
        let maxSilence: Duration?
        let staleAfter: Duration?
    }

    struct Point: Sendable {
        let rule: Rule
        /// What was published last.
        var published: Sample?
        var publishedAt = MonotonicTime.zero
        /// The last value that was read, whether it was published or not.
        var received: Sample?
        var receivedAt = MonotonicTime.zero
        var isStale = false
    }

    /// At their ``places``.
    private var points: [Point]
    private let places: PointPlaces
    /// Whether any of the points can become stale.
    public let hasStaleness: Bool

    /// - Returns: nil when every value is published as it comes, which needs no looking at.
    public init?(_ configured: [MartletConfiguration.Product.Point]) {
        let points = configured.map { point in
            Point(
                rule: Rule(
                    onChange: point.report == .onChange, deadband: point.deadband ?? 0,
                    deadbandShare: (point.deadbandPercent ?? 0) / 100, maxSilence: point.maxSilence,
                    staleAfter: point.staleAfter))
        }
        hasStaleness = points.contains { $0.rule.staleAfter != nil }
        guard hasStaleness || points.contains(where: \.rule.onChange) else { return nil }
        self.points = points
        places = PointPlaces(configured.map(\.identifier))
    }

    /// Leaves out what need not be published.
    public mutating func filter(_ samples: [Sample], now: MonotonicTime) -> [Sample] {
        var hint = 0
        return samples.filter { sample in
            guard let place = places.place(of: sample.point, hint: &hint) else { return true }
            return points[place].take(sample, now: now)
        }
    }

    /// The samples of points that have become stale since the last call.
    public mutating func stale(now: MonotonicTime) -> [Sample] {
        guard hasStaleness else { return [] }
        var samples: [Sample] = []
        for place in points.indices {
            if let sample = points[place].becomeStale(now: now) { samples.append(sample) }
        }
        return samples
    }
}

extension PointReporting.Point {
    /// Whether the sample is to be published.
    mutating func take(_ sample: Sample, now: MonotonicTime) -> Bool {
        received = sample
        receivedAt = now
        isStale = false
        if rule.onChange, let published, !rule.isChange(from: published, to: sample) {
            guard let maxSilence = rule.maxSilence, now - publishedAt >= maxSilence else { return false }
        }
        published = sample
        publishedAt = now
        return true
    }

    /// The last value as an uncertain one, once, when it has become too old.
    mutating func becomeStale(now: MonotonicTime) -> Sample? {
        guard let staleAfter = rule.staleAfter, let received, !isStale, now - receivedAt >= staleAfter else { return nil }
        isStale = true
        // What is bad already cannot be trusted less.
        if case .bad = received.quality { return nil }
        var sample = received
        sample.quality = .uncertain(.stale)
        published = sample
        publishedAt = now
        return sample
    }
}

extension PointReporting.Rule {
    func isChange(from old: Sample, to new: Sample) -> Bool {
        if old.quality != new.quality { return true }
        if old.value == new.value { return false }
        guard let before = old.value?.number, let after = new.value?.number else { return true }
        let difference = abs(after - before)
        // Nothing is greater than what is not a number.
        guard difference.isFinite else { return true }
        return difference > 0 && difference >= max(deadband, abs(before) * deadbandShare)
    }
}
