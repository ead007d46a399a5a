import Core
import NIOCore

/// What a run found.
struct LoadOutcome: Sendable {
    /// Messages sent by all publishers.
    var messages = 0
    /// Deliveries that arrived, each counted once.
    var deliveries = 0
    var lost = 0
    var duplicates = 0
    var outOfOrder = 0
    /// Messages that are not of this round or whose content is wrong.
    var strange = 0
    /// From the first message sent to the last delivery or acknowledgement.
    var seconds = 0.0
    /// Processor time of the broker in that time, nil if no process was named.
    var brokerSeconds: Double?
    var brokerResidentKiB: Int?
    var latency = LatencyHistogram()
    /// Why the run ended before everything had arrived; nil if it has.
    var interruption: String?

    var isFaultless: Bool {
        lost == 0 && duplicates == 0 && outOfOrder == 0 && strange == 0 && interruption == nil
    }
}

/// A run: connections are opened, one message of each publisher is sent through every flow, and when all of them have
/// arrived the same is done with the messages that are measured.
///
///     opening ──▶ probing ──▶ measuring ──▶ settling ──▶ ended
///
/// Belongs to the event loop. `LoadRun+Sending` says who may send when.
final class LoadRun {
    enum Phase {
        case opening, probing, measuring, settling, ended
    }

    /// Time after the last delivery in which duplicates are still counted.
    static let settlingTime = TimeAmount.milliseconds(100)
    private static let tick = TimeAmount.milliseconds(100)
    private static let pingInterval = Duration.seconds(20)

    let plan: LoadPlan
    let loop: any EventLoop
    private let promise: EventLoopPromise<LoadOutcome>
    private(set) var phase = Phase.opening
    private(set) var publishers: [LoadPublisher] = []
    private(set) var subscribers: [LoadSubscriber] = []

    // Shared by the connections, which use them one after the other.
    var output = ByteBuffer()
    let payload: UnsafeMutableRawBufferPointer
    /// When what is being looked at arrived; nanoseconds.
    private var readAt: Int64 = 0

    // The round
    private(set) var round: UInt32
    /// Of each publisher.
    private(set) var messages: UInt32 = 0
    private var ledger = DeliveryLedger(flows: 0)
    private var latency = LatencyHistogram()
    private var strange = 0
    var messagesSent = 0
    /// Deliveries that are still to come.
    var outstanding = 0
    /// QoS 1 and 2: messages that the broker has not acknowledged.
    var unacknowledged = 0
    private var startedAt = MonotonicTime.zero
    private var usageAtStart: ProcessUsage?

    // Progress
    private var hasProgress = false
    private var lastProgress = MonotonicTime.zero
    private var usageAtLastProgress: ProcessUsage?
    private var lastPing = MonotonicTime.zero
    private var outcome = LoadOutcome()

    // Sending
    var queue: PublisherQueue
    var isPumpScheduled = false
    var paced: UInt64 = 0

    init(plan: LoadPlan, on loop: any EventLoop) {
        self.plan = plan
        self.loop = loop
        promise = loop.makePromise()
        payload = .allocate(byteCount: plan.payload, alignment: 8)
        for index in payload.indices { payload[index] = UInt8(truncatingIfNeeded: index) }
        round = plan.tag
        queue = PublisherQueue(capacity: plan.publishers)
    }

    deinit { payload.deallocate() }

    /// To be called on the event loop, once. The future fails with ``BenchError`` if there is nothing to measure.
    func start(at address: SocketAddress) -> EventLoopFuture<LoadOutcome> {
        publishers = (0..<plan.publishers).map { LoadPublisher(run: self, index: $0) }
        subscribers = (0..<plan.subscribers).map { LoadSubscriber(run: self, index: $0) }
        let connections = subscribers as [LoadConnection] + publishers
        let opener = ConnectionOpener(connections, to: address, on: loop) { [self] result in
            if case .failure(let error) = result { return giveUp(error) }
            for connection in connections { connection.onEnd = { [self] reason in interrupt(reason) } }
            begin(.probing)
            watch()
        }
        opener.start()
        return promise.futureResult
    }

    // MARK: Rounds

    private func begin(_ next: Phase) {
        phase = next
        round &+= 1
        messages = next == .probing ? 1 : plan.messages
        ledger = DeliveryLedger(flows: plan.flows)
        latency = LatencyHistogram()
        strange = 0
        messagesSent = 0
        outstanding = 0
        usageAtStart = plan.brokerProcess.flatMap { ProcessUsage(process: $0) }
        if plan.brokerProcess != nil, usageAtStart == nil {
            return giveUp(.noProcess(plan.brokerProcess ?? 0))
        }
        usageAtLastProgress = usageAtStart
        startedAt = SystemClock.monotonic()
        lastProgress = startedAt
        lastPing = startedAt
        for publisher in publishers { publisher.beginRound() }
        startSending(paced: next == .measuring && plan.rate > 0)
    }

    private var isComplete: Bool {
        messagesSent == Int(messages) * plan.publishers && outstanding == 0 && unacknowledged == 0
    }

    private func completeRound() {
        switch phase {
        case .probing: begin(.measuring)
        case .measuring: settle()
        case .opening, .settling, .ended: break
        }
    }

    /// The measurement is over; what still arrives should not have been sent.
    private func settle() {
        noteProgress(at: SystemClock.monotonic())
        phase = .settling
        loop.assumeIsolated().scheduleTask(in: LoadRun.settlingTime) { [self] in finish() }
    }

    /// The run ends before all has arrived.
    private func interrupt(_ reason: String) {
        switch phase {
        case .opening, .probing: giveUp(.cannotConnect(reason))
        case .measuring, .settling:
            if outcome.interruption == nil { outcome.interruption = reason }
            finish()
        case .ended: break
        }
    }

    private func finish() {
        guard phase != .ended else { return }
        outcome.messages = publishers.reduce(0) { $0 + Int($1.sent) }
        outcome.deliveries = ledger.arrived
        outcome.lost = ledger.lost { publishers[plan.publisher(ofFlow: $0)].sent }
        outcome.duplicates = ledger.duplicates
        outcome.outOfOrder = ledger.outOfOrder
        outcome.strange = strange
        outcome.seconds = Double((lastProgress - startedAt).wholeNanoseconds) / 1e9
        if let usageAtStart, let usageAtLastProgress {
            outcome.brokerSeconds = Double(usageAtLastProgress.runTime(since: usageAtStart)) / 1e9
            outcome.brokerResidentKiB = usageAtLastProgress.residentKiB
        }
        outcome.latency = latency
        end()
        promise.succeed(outcome)
    }

    private func giveUp(_ error: BenchError) {
        guard phase != .ended else { return }
        end()
        promise.fail(error)
    }

    private func end() {
        phase = .ended
        for connection in subscribers as [LoadConnection] + publishers { connection.close() }
        subscribers = []
        publishers = []
    }

    // MARK: What the connections report

    func beginRead() {
        output.clear()
        readAt = SystemClock.monotonic().nanoseconds
    }

    @inline(__always)
    func received(_ stamp: MessageStamp, flow: Int) {
        guard ledger.record(stamp.sequence, flow: flow) else { return }
        latency.record(readAt &- stamp.sentAt)
        outstanding -= 1
        hasProgress = true
    }

    func received(strangeMessage payload: UnsafeRawBufferPointer) { strange += 1 }

    func acknowledged() {
        unacknowledged -= 1
        hasProgress = true
    }

    /// A connection has looked at all that arrived.
    func afterRead() {
        guard phase == .probing || phase == .measuring else { return }
        if isComplete { return completeRound() }
        if !queue.isEmpty { schedulePump() }
    }

    // MARK: Progress

    /// Looks now and then whether anything has moved, and keeps the connections alive.
    private func watch() {
        let now = SystemClock.monotonic()
        switch phase {
        case .probing, .measuring: break
        case .opening, .settling, .ended: return
        }
        // A slow rate leaves nothing to wait for between two messages.
        if hasProgress || (outstanding == 0 && unacknowledged == 0) {
            if hasProgress { noteProgress(at: now) } else { lastProgress = now }
        } else if now - lastProgress > plan.stallTimeout {
            let missing = "\(outstanding) deliveries and \(unacknowledged) acknowledgements are missing"
            return interrupt("nothing has arrived for \(plan.stallTimeout); \(missing)")
        }
        if now - lastPing > LoadRun.pingInterval {
            lastPing = now
            for connection in subscribers as [LoadConnection] + publishers { connection.ping() }
        }
        loop.assumeIsolated().scheduleTask(in: LoadRun.tick) { [self] in watch() }
    }

    private func noteProgress(at now: MonotonicTime) {
        hasProgress = false
        lastProgress = now
        if let process = plan.brokerProcess, let usage = ProcessUsage(process: process) { usageAtLastProgress = usage }
    }
}
