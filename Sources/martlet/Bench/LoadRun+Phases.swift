import Core
import MQTTClient
import NIOCore

// What happens in which order.

extension LoadRun {
    /// Time after the last delivery in which duplicates are still counted.
    static let settlingTime = TimeAmount.milliseconds(100)
    private static let tick = TimeAmount.milliseconds(100)

    /// To be called on the event loop, once. The future fails with ``BenchError`` if there is nothing to measure.
    func start() -> EventLoopFuture<LoadOutcome> {
        switch plan.scenario {
        case .retain:
            open(publishers: true) { [self] in begin(.storing) }
        case .durable:
            // Their sessions stay when they leave.
            open(subscribers: .subscribes) { [self] in
                leave()
                after(LoadRun.settlingTime) { [self] in
                    open(publishers: true) { [self] in begin(.storing) }
                }
            }
        default:
            open(subscribers: .subscribes, publishers: true) { [self] in begin(.probing) }
        }
        watch()
        return promise.futureResult
    }

    private func open(
        subscribers part: LoadSubscriber.Part? = nil, publishers opensPublishers: Bool = false, then next: @escaping () -> Void
    ) {
        var connections: [LoadConnection] = []
        if let part {
            subscribers = (0..<plan.subscribers).map { LoadSubscriber(run: self, index: $0, part: part) }
            connections += subscribers
        }
        if opensPublishers {
            publishers = (0..<plan.publishers).map { LoadPublisher(run: self, index: $0) }
            connections += publishers
        }
        let opener = ConnectionOpener(connections, to: endpoint, maximumPending: plan.pending, on: loop) { [self] result in
            if case .failure(let error) = result { return giveUp(error) }
            for connection in connections { connection.onEnd = { [self] reason in interrupt(reason) } }
            guard phase != .ended else { return }
            // The broker settles.
            after(LoadRun.settlingTime, next)
        }
        opener.start()
    }

    private func begin(_ next: Phase) {
        guard phase != .ended else { return }
        phase = next
        do throws(BenchError) {
            meter = try LoadMeter(process: plan.brokerProcess)
        } catch {
            return giveUp(error)
        }
        lastProgress = SystemClock.monotonic()
        if next == .measuring, plan.scenario.isStored { return beginDelivery() }
        beginRound(messages: next == .probing ? 1 : plan.messages)
        for publisher in publishers { publisher.beginRound() }
        startSending()
    }

    /// The stored messages are asked for.
    private func beginDelivery() {
        outstanding = messagesSent * plan.subscribers
        if plan.scenario == .retain {
            for subscriber in subscribers { subscriber.subscribe() }
        } else {
            // Deliveries may come before all are connected.
            open(subscribers: .resumes) {}
        }
    }

    var isComplete: Bool {
        messagesSent == Int(messages) * plan.publishers && outstanding == 0 && unacknowledged == 0
    }

    func completeRound() {
        switch phase {
        case .probing: begin(.measuring)
        case .storing:
            meter?.note(at: SystemClock.monotonic())
            takeStored()
            // The meter of what follows is a new one.
            phase = .opening
            if plan.scenario == .retain {
                open(subscribers: .subscribesLater) { [self] in begin(.measuring) }
            } else {
                after(LoadRun.settlingTime) { [self] in begin(.measuring) }
            }
        case .measuring: settle()
        case .opening, .settling, .cleaning, .ended: break
        }
    }

    /// The measurement is over; what still arrives should not have been sent.
    private func settle() {
        noteProgress(at: SystemClock.monotonic())
        phase = .settling
        after(LoadRun.settlingTime) { [self] in finish() }
    }

    /// The run ends before all has arrived.
    private func interrupt(_ reason: String) {
        switch phase {
        case .opening, .probing: giveUp(.cannotConnect(reason))
        case .storing:
            meter?.note(at: SystemClock.monotonic())
            takeStored()
            outcome.interruption = reason
            finish()
        case .measuring, .settling:
            if outcome.interruption == nil { outcome.interruption = reason }
            finish()
        case .cleaning, .ended: break
        }
    }

    private func finish() {
        guard phase != .ended, phase != .cleaning else { return }
        takeResults()
        phase = .cleaning
        leave()
        clean { [self] in
            phase = .ended
            leave()
            promise.succeed(outcome)
        }
    }

    private func giveUp(_ error: BenchError) {
        guard phase != .ended else { return }
        phase = .ended
        leave()
        promise.fail(error)
    }

    private func leave() {
        for connection in subscribers as [LoadConnection] + publishers { connection.leave() }
        subscribers = []
        publishers = []
    }

    func after(_ delay: TimeAmount, _ body: @escaping () -> Void) {
        loop.assumeIsolated().scheduleTask(in: delay) { body() }
    }

    // MARK: Progress

    /// Looks now and then whether anything has moved.
    private func watch() {
        let now = SystemClock.monotonic()
        switch phase {
        case .probing, .storing, .measuring:
            // A slow rate leaves nothing to wait for between two messages.
            if hasProgress {
                noteProgress(at: now)
            } else if outstanding == 0 && unacknowledged == 0 {
                lastProgress = now
            } else if now - lastProgress > plan.stallTimeout {
                let missing = "\(outstanding) deliveries and \(unacknowledged) acknowledgements are missing"
                interrupt("nothing has arrived for \(plan.stallTimeout); \(missing)")
            }
        case .opening, .settling: break
        case .cleaning, .ended: return
        }
        after(LoadRun.tick) { [self] in watch() }
    }

    private func noteProgress(at now: MonotonicTime) {
        hasProgress = false
        lastProgress = now
        meter?.note(at: now)
    }
}
