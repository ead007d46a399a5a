import Core

// Some upstreams have no answer to a message that they do not take but the end of the connection (MQTT 3.1.1 has no other). The
// message would be sent again for ever, and hold up what is behind it. So:
//
//     all at once ── the same message was the oldest unacknowledged one of its lane at 3 ends in a row ──> one at a time
//
//     one at a time: others first, as many as a retry wants to be proven by, then who is suspected
//         acknowledged ─> not, or no longer, suspected
//         ended while it was alone on its way ─> suspected; if others had been acknowledged on that connection, it counts
//         3 of those ─> skipped: the upstream works, and ends over this one every time
//
//     one at a time ── nobody is suspected, and 100 in a row were acknowledged or nothing waits ──> all at once
//
// An upstream that is away, or takes nothing from anybody, acknowledges nothing in between: then nothing is ever skipped.

/// Finds the messages over which an upstream ends the connection. A value without I/O or clock.
struct RefusalSearch {
    /// A message of a lane.
    struct Place: Hashable {
        var lane: String
        var sequence: Int64
        var topic: String
    }

    struct Limits {
        /// Ends in a row at which the same message was the oldest unacknowledged one of its lane, before the search begins.
        var ends = 3
        /// Others acknowledged on the connection before each retry of a suspect, as far as there are others. They differ, so that
        /// an upstream that ends every connection after so many messages accuses nobody three times. As many as there are of
        /// them, so many ends count before a message is skipped.
        var proofs = [20, 1, 7]
        /// Messages acknowledged one after the other, with nobody suspected, before all go at once again.
        var acknowledgedInRow = 100
        /// An end that comes later after a message has other reasons.
        var longestAnswer = Duration.seconds(20)
        /// Suspects at a time; beyond it the oldest is one no more.
        var suspects = 100
        /// Topics of which a message was skipped; of these one end that counts is enough for the next.
        var topics = 100
    }

    private struct Suspect {
        let place: Place
        /// Ends that count.
        var ends = 0
    }

    private let limits: Limits
    /// Oldest unacknowledged messages at the last end, and at how many ends in a row they were.
    private var heads: [Place: Int] = [:]
    /// Messages are sent one at a time.
    private(set) var isActive = false
    private var found: [Suspect] = []
    private var refusedTopics: Set<String> = []
    /// Acknowledged on this connection.
    private var acknowledgedHere = 0
    private var acknowledgedInRow = 0
    private var sentAt = MonotonicTime.zero

    init(limits: Limits = Limits()) { self.limits = limits }

    /// Who is suspected, in the order in which they are to be tried again.
    var suspects: [Place] { found.map(\.place) }

    /// Whether a suspect is to be sent next: enough of the others have arrived on this connection.
    var isRetryDue: Bool {
        guard let first = found.first else { return false }
        return acknowledgedHere >= limits.proofs[min(first.ends, limits.proofs.count - 1)]
    }

    /// Whether the connection has shown that the upstream works.
    var hasProof: Bool { isActive && acknowledgedHere > 0 }

    /// The upstream accepted a connection.
    mutating func connected() { acknowledgedHere = 0 }

    /// A message is alone on its way.
    mutating func sent(now: MonotonicTime) { sentAt = now }

    /// The one that was alone on its way has arrived, or was refused in words.
    mutating func acknowledged(_ place: Place) {
        guard isActive else { return }
        acknowledgedHere += 1
        acknowledgedInRow += 1
        found.removeAll { $0.place == place }
        refusedTopics.remove(place.topic)
        if found.isEmpty, acknowledgedInRow >= limits.acknowledgedInRow { stop() }
    }

    /// Nothing can be sent, not even a suspect. Those that there are have been given up, or have expired.
    mutating func nothingWaits() { stop() }

    private mutating func stop() {
        isActive = false
        found.removeAll()
        heads.removeAll()
    }

    /// The upstream has ended the connection.
    ///
    /// - Parameters:
    ///   - oldest: of each lane the oldest message that was not acknowledged.
    ///   - isAlone: nothing else was on its way.
    /// - Returns: the message to be skipped.
    mutating func ended(oldest: [Place], isAlone: Bool, now: MonotonicTime) -> Place? {
        guard isActive else {
            heads = Dictionary(oldest.map { ($0, heads[$0, default: 0] + 1) }, uniquingKeysWith: max)
            isActive = heads.values.contains { $0 >= limits.ends }
            acknowledgedInRow = 0
            return nil
        }
        acknowledgedInRow = 0
        guard isAlone, let place = oldest.first, now - sentAt <= limits.longestAnswer else { return nil }
        var suspect = Suspect(place: place)
        if let index = found.firstIndex(where: { $0.place == place }) { suspect = found.remove(at: index) }
        if acknowledgedHere > 0 { suspect.ends += 1 }
        if suspect.ends >= (refusedTopics.contains(place.topic) ? 1 : limits.proofs.count) {
            if refusedTopics.count >= limits.topics { refusedTopics.removeAll() }
            refusedTopics.insert(place.topic)
            return place
        }
        found.append(suspect)
        if found.count > limits.suspects { found.removeFirst() }
        return nil
    }
}
