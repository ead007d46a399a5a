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

extension LoadRun {
    /// How many messages the limit of outstanding deliveries allows now. One that exceeds the limit by itself is allowed
    /// when nothing is outstanding.
    private var allowance: Int {
        guard let limit = plan.maximumOutstanding else { return .max }
        let room = max(0, limit - outstanding) / plan.deliveriesPerMessage
        return room == 0 && outstanding <= 0 ? 1 : room
    }

    func startSending(paced isPaced: Bool) {
        paced = 0
        if isPaced { return keepPace(since: SystemClock.monotonic()) }
        for publisher in publishers {
            publisher.due = messages
            enqueue(publisher)
        }
        schedulePump()
    }

    func enqueue(_ publisher: LoadPublisher) {
        guard phase == .probing || phase == .measuring, !publisher.isQueued, publisher.canSend else { return }
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
        guard phase == .probing || phase == .measuring else { return }
        let now = SystemClock.monotonic().nanoseconds
        var turns = queue.count
        while turns > 0 {
            let limit = allowance
            guard limit > 0, let publisher = queue.popFirst() else { break }
            turns -= 1
            publisher.isQueued = false
            let written = publisher.send(atMost: limit, now: now)
            enqueue(publisher)
            messagesSent += written
            outstanding += written * plan.deliveriesPerMessage
            if plan.qos != .atMostOnce { unacknowledged += written }
        }
        schedulePump()
    }

    /// Makes messages due as the rate says. The publishers take turns, evenly spread over the interval.
    private func keepPace(since start: MonotonicTime) {
        guard phase == .measuring else { return }
        let total = UInt64(messages) * UInt64(plan.publishers)
        let perNanosecond = plan.rate * Double(plan.publishers) / 1e9
        let elapsed = Double((SystemClock.monotonic() - start).wholeNanoseconds)
        let due = min(total, UInt64(elapsed * perNanosecond) + 1)
        while paced < due {
            let publisher = publishers[Int(paced % UInt64(plan.publishers))]
            publisher.due += 1
            enqueue(publisher)
            paced += 1
        }
        schedulePump()
        guard paced < total else { return }
        // At most 20,000 wake-ups a second; above that several messages become due together.
        let wait = max(50_000, Int64(Double(paced) / perNanosecond - elapsed))
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait)) { [self] in keepPace(since: start) }
    }
}
