import Core
import Synchronization

/// Polls the devices of one line and writes to them, on a thread of its own.
///
/// One request at a time is on the line. Between two requests the actor takes the writes that have come meanwhile.
actor PolledBus<Line: BusLine>: FieldBusDriver {
    private nonisolated let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    nonisolated let name: String
    nonisolated let writes = WriteQueue()
    nonisolated let record: BusRecord
    let deviceIndex: [DeviceIdentifier: Int]
    let line: Line
    var schedule: BusSchedule
    /// What the record was told of polls left out.
    private var overruns: UInt64 = 0
    /// The line could be used the last time.
    private var isUp = false
    /// Between the beginning and the end of ``run(deliver:events:)``; nil before the first.
    private(set) var isRunning: Bool?

    /// - Parameter line: opens nothing yet.
    init(name: String, line: sending Line, record: BusRecord, maxBackOff: Duration) {
        self.name = name
        self.record = record
        let devices = line.devices
        deviceIndex = Dictionary(devices.enumerated().map { ($1.identifier, $0) }) { first, _ in first }
        schedule = BusSchedule(
            devices: devices.map {
                BusSchedule.Device(intervals: $0.intervals, probeCost: $0.responseTimeout, retries: $0.retries)
            }, maxBackOff: maxBackOff, start: SystemClock.monotonic())
        self.line = line
        executor = ThreadExecutor(name: name)
    }

    func run(
        deliver: @escaping @Sendable (DeviceReading) -> Void, events: @escaping @Sendable (BusEvent) -> Void
    ) async {
        record.begin(deliver: deliver, events: events)
        isUp = false
        isRunning = true
        while !Task.isCancelled {
            switch await line.tend() {
            case .up(let isAsked):
                if !isUp { begin() }
                await step(isAsked: isAsked)
            case .down(let detail, let again):
                isUp = false
                if let detail, !Task.isCancelled { lost(detail, again: again) }
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
        // A write that waits would open the line anew.
        isRunning = false
        line.close()
        record.end()
    }

    nonisolated func status() -> BusStatus { record.status(now: SystemClock.monotonic()) }

    func trace(_ receive: (@Sendable (TracedExchange) -> Void)?) { line.trace(receive) }

    // MARK: Asking

    private func begin() {
        isUp = true
        let now = SystemClock.monotonic()
        schedule.begin(at: now, phase: BusSchedule.phase(name))
        schedule.opened(now: now)
    }

    private func step(isAsked: Bool) async {
        let now = SystemClock.monotonic()
        switch isAsked ? schedule.next(now: now) : .wait(until: .distantFuture) {
        case .poll(let device, let group):
            if schedule.overruns != overruns {
                overruns = schedule.overruns
                record.setOverruns(overruns)
            }
            await poll(device: device, group: group)
            await Task.yield()
        case .probe(let device):
            await probe(device: device)
            await Task.yield()
        case .wait(let until):
            // A write can bring a device back meanwhile, so no wait is long.
            try? await Task.sleep(for: min(until - now, line.longestWait))
        }
    }

    /// Makes the next request of a group's poll, once, and delivers the group when it was the last.
    private func poll(device: Int, group: Int) async {
        var step: PollStep
        do throws(Line.Failure) {
            step = try await line.poll(device: device, group: group)
            noteRequest(to: device)
        } catch {
            // Whoever stops the bus does not wait for answers.
            if Task.isCancelled { return }
            noteRequest(to: device)
            let now = SystemClock.monotonic()
            if schedule.unanswered(device: device, group: group, lineIsDown: error.isLine, now: now) { return }
            guard let rest = line.leaveOut(device: device, group: group, error) else {
                deviceFailed(device, error, started: now)
                return
            }
            step = rest
        }
        // A write that was let in may have found it dead.
        schedule.recovered(device: device, now: SystemClock.monotonic())
        switch step {
        case .unfinished:
            schedule.answered(device: device, group: group, finished: false)
        case .finished(let samples):
            record.deliver(samples, of: device)
            schedule.answered(device: device, group: group, finished: true)
        }
    }

    private func probe(device: Int) async {
        let started = SystemClock.monotonic()
        do throws(Line.Failure) {
            let samples = try await line.probe(device: device)
            record.deliver(samples, of: device)
        } catch {
            if Task.isCancelled { return }
            noteRequest(to: device)
            deviceFailed(device, error, started: started)
            return
        }
        noteRequest(to: device)
        schedule.recovered(device: device, now: SystemClock.monotonic())
    }

    // MARK: What does not answer

    /// After each request: a line that is open again is worth a try of all that is on it, and an answer may still come.
    func noteRequest(to device: Int) {
        if record.takeReopened() { schedule.opened(now: SystemClock.monotonic()) }
        schedule.hold(device: device, until: line.answerIsOwed(by: device))
    }

    /// The device did not answer its last try: all its points are bad, at once. A line that cannot be opened makes all devices bad.
    func deviceFailed(_ device: Int, _ failure: Line.Failure, started: MonotonicTime) {
        if failure.isLine {
            for device in deviceIndex.values { markDead(device, failure.reason, nil, started: started) }
        } else {
            markDead(device, failure.reason, failure.detail, started: started)
        }
    }

    /// The line went down: nothing is known of any device.
    private func lost(_ detail: String, again: Duration?) {
        record.lineIsDown(detail, again: again)
        let now = SystemClock.monotonic()
        for device in deviceIndex.values { markDead(device, .notConnected, nil, started: now) }
    }

    /// - Parameter detail: nil where the line is told of and not each device.
    private func markDead(_ device: Int, _ reason: QualityReason, _ detail: String?, started: MonotonicTime) {
        line.abandonPolls(device: device)
        let now = SystemClock.monotonic()
        let isDue = schedule.failed(device: device, reason: reason, started: started, now: now)
        if isDue { record.deliverBad(line.points(of: device), reason, of: device) }
        record.failed(device, reason, detail: detail, retryAt: now + (schedule.backOff(device: device, now: now) ?? .zero))
    }
}
