import Core
import NIOCore

// Who may send when. Publishers that have something to send stand in a queue, each at most once. After everything that
// has arrived was read, the *pump* goes through the queue once and lets each publisher write one piece, as long as the
// limit of outstanding deliveries allows any. Who cannot go on leaves the queue, and comes back when an acknowledgement,
// the rate or its channel's writability lets it.

/// Publishers in the order of their turns.
struct PublisherQueue {
    private var slots: [LoadPublisher?]
    private var head = 0
    private(set) var count = 0

    /// - Parameter capacity: the number of publishers.
    init(capacity: Int) { slots = Array(repeating: nil, count: max(1, capacity)) }

    var isEmpty: Bool { count == 0 }

    mutating func append(_ publisher: LoadPublisher) {
        precondition(count < slots.count, "a publisher is queued twice")
        slots[(head + count) % slots.count] = publisher
        count += 1
    }

    mutating func popFirst() -> LoadPublisher? {
        guard count > 0, let first = slots[head] else { return nil }
        slots[head] = nil
        head = (head + 1) % slots.count
        count -= 1
        return first
    }
}

/// When each message is due: the publishers take turns, evenly spread over the interval.
struct Pace {
    let startedAt: Int64
    /// Nanoseconds between two messages, of whichever publishers.
    let step: Double
    let publishers: Int

    /// Messages that are due by now, of all publishers.
    func due(at now: Int64) -> UInt64 { now < startedAt ? 0 : UInt64(Double(now - startedAt) / step) + 1 }

    func dueAt(_ number: UInt64) -> Int64 { startedAt + Int64(Double(number) * step) }

    func dueAt(publisher: Int, sequence: UInt32) -> Int64 {
        dueAt(UInt64(sequence) * UInt64(publishers) + UInt64(publisher))
    }
}

extension LoadRun {
    /// How many deliveries the limit of outstanding ones allows now. A message that exceeds the limit by itself is allowed when
    /// nothing is outstanding.
    private var allowance: Int {
        guard let limit = plan.maximumOutstanding else { return .max }
        return max(limit - outstanding, outstanding <= 0 ? 1 : 0)
    }

    func startSending() {
        pace = nil
        paced = 0
        if phase == .measuring, plan.rate > 0 {
            let now = SystemClock.monotonic().nanoseconds
            let step = 1e9 / (plan.rate * Double(plan.publishers))
            pace = Pace(startedAt: now, step: step, publishers: plan.publishers)
            return keepPace()
        }
        for publisher in publishers {
            publisher.due = messages
            enqueue(publisher)
        }
        schedulePump()
    }

    private var isSending: Bool { phase == .probing || phase == .storing || phase == .measuring }

    func enqueue(_ publisher: LoadPublisher) {
        guard isSending, !publisher.isQueued, publisher.canSend else { return }
        publisher.isQueued = true
        queue.append(publisher)
    }

    /// Runs the pump when all that has arrived is read.
    func schedulePump() {
        guard !isPumpScheduled, !queue.isEmpty, allowance > 0 else { return }
        isPumpScheduled = true
        loop.assumeIsolated().execute { [self] in
            isPumpScheduled = false
            pump()
        }
    }

    private func pump() {
        guard isSending else { return }
        var turns = queue.count
        while turns > 0 {
            let limit = allowance
            guard limit > 0, let publisher = queue.popFirst() else { break }
            turns -= 1
            publisher.isQueued = false
            let written = publisher.send(deliveringAtMost: limit)
            enqueue(publisher)
            messagesSent += written.messages
            // What is stored is delivered later.
            if phase != .storing { outstanding += written.deliveries }
            if plan.qos != .atMostOnce { unacknowledged += written.messages }
        }
        if isComplete { return completeRound() }
        schedulePump()
    }

    /// The moment that a message's latency counts from: now, or when it was due if the broker has held it up.
    @inline(__always)
    func sentAt(_ now: Int64, publisher: Int, sequence: UInt32, isLate: Bool) -> Int64 {
        guard let pace else { return now }
        let dueAt = pace.dueAt(publisher: publisher, sequence: sequence)
        if isLate { return min(now, dueAt) }
        lag.record(now - dueAt)
        return now
    }

    /// Makes messages due as the rate says.
    private func keepPace() {
        guard phase == .measuring, let pace else { return }
        let total = UInt64(messages) * UInt64(plan.publishers)
        let due = min(total, pace.due(at: SystemClock.monotonic().nanoseconds))
        while paced < due, phase == .measuring {
            let publisher = publishers[Int(paced % UInt64(plan.publishers))]
            paced += 1
            publisher.due += 1
            enqueue(publisher)
            pump()
            if publisher.sent < publisher.due { publisher.isHeldUp = true }
        }
        guard paced < total, phase == .measuring else { return }
        let wait = max(0, pace.dueAt(paced) - SystemClock.monotonic().nanoseconds)
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait)) { [self] in keepPace() }
    }
}
