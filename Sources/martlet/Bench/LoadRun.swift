import Core
import MQTTClient
import NIOCore

/// A run: connections are opened, one message of each publisher is sent through every flow, and when all of them have
/// arrived the same is done with the messages that are measured.
///
///     opening ──▶ probing ──▶ measuring ──▶ settling ──▶ ended
///
/// Where messages are stored first, they are sent and acknowledged, and what is measured afterwards is their delivery.
///
///     opening ──▶ storing ──▶ opening ──▶ measuring ──▶ settling ──▶ cleaning ──▶ ended
///
/// Belongs to the event loop. `LoadRun+Phases` says what happens in which order, `LoadRun+Sending` who may send when.
final class LoadRun {
    enum Phase {
        case opening, probing, storing, measuring, settling, cleaning, ended
    }

    let plan: LoadPlan
    let topics: LoadTopics
    let endpoint: ClientEndpoint
    let loop: any EventLoop
    let promise: EventLoopPromise<LoadOutcome>
    var phase = Phase.opening
    var publishers: [LoadPublisher] = []
    var subscribers: [LoadSubscriber] = []
    var outcome = LoadOutcome()

    // Shared by the connections, which use them one after the other.
    var output = ByteBuffer()
    let payload: UnsafeMutableRawBufferPointer
    /// When what is being looked at arrived; nanoseconds.
    private var readAt: Int64 = 0

    // The round
    private(set) var round: UInt32
    /// Of each publisher.
    var messages: UInt32 = 0
    private(set) var ledger = DeliveryLedger(flows: 0)
    private var latency = LatencyHistogram()
    private var strange = 0
    var messagesSent = 0
    /// Deliveries that are still to come.
    var outstanding = 0
    /// QoS 1 and 2: messages that the broker has not acknowledged.
    var unacknowledged = 0

    // Progress
    var meter: LoadMeter?
    var hasProgress = false
    var lastProgress = MonotonicTime.zero

    // Sending
    var queue: PublisherQueue
    var isPumpScheduled = false
    var pace: Pace?
    /// Messages that the pace has made due.
    var paced: UInt64 = 0
    var lag = LatencyHistogram()

    init(plan: LoadPlan, to endpoint: ClientEndpoint, on loop: any EventLoop) {
        self.plan = plan
        self.endpoint = endpoint
        self.loop = loop
        topics = LoadTopics(plan)
        promise = loop.makePromise()
        payload = .allocate(byteCount: plan.payload, alignment: 8)
        for index in payload.indices { payload[index] = UInt8(truncatingIfNeeded: index) }
        round = plan.tag
        queue = PublisherQueue(capacity: plan.publishers)
    }

    deinit { payload.deallocate() }

    // MARK: Rounds

    /// Forgets the last round.
    func beginRound(messages: UInt32) {
        round &+= 1
        self.messages = messages
        ledger = makeLedger()
        latency = LatencyHistogram()
        lag = LatencyHistogram()
        strange = 0
        messagesSent = 0
        outstanding = 0
    }

    private func makeLedger() -> DeliveryLedger {
        let count = Int(messages)
        switch plan.scenario {
        case .wild:
            return DeliveryLedger(
                sets: plan.subscribers, subscribers: plan.subscribers, publishers: plan.publishers, messages: count,
                order: .ofTopic(stride: plan.topics))
        case .sharedSub:
            return DeliveryLedger(
                sets: plan.groups, subscribers: plan.subscribers, publishers: plan.publishers, messages: count,
                order: .ofPublisher)
        case .retain:
            return DeliveryLedger(
                sets: plan.subscribers, subscribers: plan.subscribers, publishers: plan.publishers, messages: count,
                order: .none)
        case .pairs:
            return DeliveryLedger(flows: plan.publishers)
        default:
            return DeliveryLedger(flows: plan.publishers * plan.subscribers)
        }
    }

    /// The measurement's results, as far as the round has come.
    func takeResults() {
        outcome.messages = publishers.reduce(0) { $0 + Int($1.sent) }
        outcome.deliveries = ledger.arrived
        outcome.lost = max(0, outstanding)
        outcome.duplicates = ledger.duplicates
        outcome.outOfOrder = ledger.outOfOrder
        outcome.strange = strange
        outcome.meter = meter
        outcome.latency = plan.scenario.isStored ? LatencyHistogram() : latency
        outcome.lag = lag
    }

    /// What it took to store the messages.
    func takeStored() {
        guard let meter else { return }
        outcome.storing = LoadOutcome.Storing(messages: messagesSent, meter: meter, latency: latency)
    }

    // MARK: What the connections report

    func beginRead() {
        output.clear()
        readAt = SystemClock.monotonic().nanoseconds
    }

    @inline(__always)
    func received(_ stamp: MessageStamp, bySubscriber subscriber: Int) {
        let publisher = Int(stamp.publisher)
        let isNew: Bool
        switch plan.scenario {
        case .pairs: isNew = ledger.record(stamp.sequence, flow: publisher)
        case .wild, .retain:
            isNew = ledger.record(stamp.sequence, publisher: publisher, subscriber: subscriber, set: subscriber)
        case .sharedSub:
            let group = plan.group(ofSubscriber: subscriber)
            isNew = ledger.record(stamp.sequence, publisher: publisher, subscriber: subscriber, set: group)
        default: isNew = ledger.record(stamp.sequence, flow: subscriber * plan.publishers + publisher)
        }
        guard isNew else { return }
        latency.record(readAt &- stamp.sentAt)
        outstanding -= 1
        hasProgress = true
    }

    func receivedStrange() { strange += 1 }

    /// What the last byte of a message's payload is.
    @inline(__always)
    func lastByte(of stamp: MessageStamp) -> UInt8 {
        payload.count > MessageStamp.size
            ? UInt8(truncatingIfNeeded: payload.count - 1) : UInt8(truncatingIfNeeded: UInt64(bitPattern: stamp.sentAt) >> 56)
    }

    @inline(__always)
    func acknowledged(sentAt: Int64) {
        unacknowledged -= 1
        hasProgress = true
        if phase == .storing { latency.record(readAt &- sentAt) }
    }

    /// A connection has looked at all that arrived.
    func afterRead() {
        guard phase == .probing || phase == .storing || phase == .measuring else { return }
        if isComplete { return completeRound() }
        if !queue.isEmpty { schedulePump() }
    }
}
