import Bridge
import Broker
import Core
import Logging
import NIOCore
import Store

// The broker's event loop, turn by turn.
//
//     sockets, drivers, bridges ──> broker ──┐            (any number of times)
//                                            ▼
//                                      end of the turn
//                                      │          │
//                     flush: one write per        commit: one batch under way at a time, as soon as an
//                     connection that has         acknowledgement waits for it, else after the commit interval
//                     something to send           │
//                                                 └──> Storage (own thread) ──> committed: acknowledgements go out
//
// While a batch is being written the next one fills: the slower the disk, the larger the batches.

/// Drives the broker, and joins what it and the bridges want stored into one commit.
///
/// Belongs to ``eventLoop``.
final class BrokerLoop {
    let eventLoop: any EventLoop
    let broker: Broker
    var bridges: [Bridge] = []

    /// Told of what happens to the store.
    var storageEvents: (StorageEvent) -> Void = { _ in }
    /// Told of what a commit or a purge did to the cache: messages that are new in it, those that it lost, all its lanes.
    var cacheChanged: (_ appended: Int64, _ losses: [CacheLoss], _ lanes: [LaneStatus]) -> Void = { _, _, _ in }
    /// What was lost outside of a commit and the lanes after that, for the bridges to learn with the next one.
    private var purge: (losses: [CacheLoss], lanes: [LaneStatus]?) = ([], nil)
    private(set) var commits = CommitStatistics()
    private var storedAt = MonotonicTime.zero

    /// Gives a batch to the store, which answers with ``commitDone(_:)`` or ``commitFailed(_:replaced:)``.
    private let store: (PendingCommit) -> Void
    private let commitInterval: Duration
    private let logger: Logger
    private var isTurnScheduled = false
    private var underWay: PendingCommit?
    private var timer: Scheduled<Void>?
    private var flushTimer: Scheduled<Void>?
    /// Why the last commit failed; nil once one has succeeded.
    private var failure: StoreError?
    /// Commits that failed one after the other.
    private var failures = 0

    /// A batch on its way to the store.
    struct PendingCommit: Sendable {
        var number: Int64
        var batch: CommitBatch
    }

    /// How long after a failed commit the next is tried.
    private static let retryInterval = Duration.seconds(1)
    /// Failed commits for each line in the log.
    private static let failuresPerLine = 60

    init(
        eventLoop: any EventLoop, broker: Broker, commitInterval: Duration, logger: Logger,
        store: @escaping (PendingCommit) -> Void
    ) {
        self.eventLoop = eventLoop
        self.broker = broker
        self.commitInterval = commitInterval
        self.logger = logger
        self.store = store
    }

    /// Runs the end of the turn once everything that is ready now has been handled.
    func scheduleTurn() {
        guard !isTurnScheduled else { return }
        isTurnScheduled = true
        eventLoop.assumeIsolated().execute { self.endTurn() }
    }

    private func endTurn() {
        isTurnScheduled = false
        broker.hasFullClients = bridges.contains(where: \.isFull)
        broker.isStoreBehind = bridges.contains(where: \.isBehind)
        flush()
        commitIfDue()
    }

    // MARK: Flush

    /// Writes to all connections that have something to write. When they are many, what comes within a moment goes into the
    /// same writes: then the system calls cost the most.
    private func flush() {
        guard flushTimer == nil else { return }
        guard broker.clientsToFlush >= BrokerLoop.manyConnections else { return broker.flush() }
        flushTimer = eventLoop.assumeIsolated().scheduleTask(in: BrokerLoop.flushDelay) {
            self.flushTimer = nil
            self.broker.flush()
        }
    }

    private static let manyConnections = 256
    private static let flushDelay = TimeAmount.microseconds(200)

    // MARK: Commit

    private func commitIfDue() {
        guard underWay == nil else { return }
        if failure != nil {
            commitLater(after: BrokerLoop.retryInterval)
        } else if broker.isCommitUrgent {
            commit()
        } else if broker.hasBatch || bridges.contains(where: \.needsBatch) {
            commitLater(after: commitInterval)
        }
    }

    private func commitLater(after delay: Duration) {
        guard timer == nil else { return }
        timer = eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(delay.wholeNanoseconds)) {
            self.timer = nil
            if self.underWay == nil { self.commit() }
        }
    }

    private func commit() {
        timer?.cancel()
        timer = nil
        // A batch number for the bridges even if the broker itself has nothing to store.
        if !broker.hasBatch { broker.touchBatch() }
        guard let taken = broker.takeBatch() else { return }
        var batch = CommitBatch(operations: taken.operations)
        for bridge in bridges {
            let part = bridge.takeBatch(taken.number)
            batch.appends += part.appends
            batch.acknowledgements += part.acknowledgements
            batch.removals += part.removals
        }
        let pending = PendingCommit(number: taken.number, batch: batch)
        if batch.isEmpty {
            finish(pending.number, losses: [], lanes: nil)
            return
        }
        underWay = pending
        storedAt = SystemClock.monotonic()
        store(pending)
    }

    /// The store has the batch.
    func commitDone(_ report: CommitReport) {
        guard let pending = underWay else { return }
        underWay = nil
        commits.succeeded(after: SystemClock.monotonic() - storedAt, operations: pending.batch.operations.count)
        broker.setDiskFull(false)
        if failure != nil {
            storageEvents(.recovered(failures: failures))
            logger.notice("the disk takes data again", metadata: ["failures": "\(failures)"])
            failure = nil
            failures = 0
        }
        cacheChanged(report.cache.appended, report.cache.losses, report.lanes)
        finish(pending.number, losses: report.cache.losses, lanes: report.lanes)
    }

    /// Messages were taken out of the cache.
    func purged(_ losses: [CacheLoss], lanes: [LaneStatus]) {
        purge.losses += losses
        purge.lanes = lanes
        cacheChanged(0, losses, lanes)
        broker.touchBatch()
        scheduleTurn()
    }

    private func finish(_ number: Int64, losses: [CacheLoss], lanes: [LaneStatus]?) {
        broker.committed(number, now: SystemClock.monotonic())
        let losses = losses + purge.losses
        let lanes = lanes ?? purge.lanes
        purge = ([], nil)
        for bridge in bridges { bridge.committed(number, losses: losses, lanes: lanes) }
        scheduleTurn()
    }

    /// The store has not taken the batch; it is given again, together with what has come since. Publishers wait for
    /// their acknowledgements meanwhile.
    func commitFailed(_ error: StoreError, replaced alarms: [StorageAlarm]) {
        guard let pending = underWay else { return }
        underWay = nil
        report(alarms)
        // At once, when it fails otherwise, then every minute: a disk that stays full must not fill the log too.
        if error != failure || failures % BrokerLoop.failuresPerLine == 0 {
            logger.error("cannot store data; it is kept in memory and tried again", metadata: ["error": "\(error)"])
        }
        if error != failure { storageEvents(.failing(error: "\(error)")) }
        commits.failed()
        failure = error
        failures += 1
        if case .full = error { broker.setDiskFull(true) } else { broker.setDiskFull(false) }
        for bridge in bridges { bridge.commitFailed() }
        if alarms.contains(where: { $0.file.hasSuffix("sessions.db") }) {
            broker.commitFailed(broker.everything(now: SystemClock.monotonic(), wall: SystemClock.wall()))
        } else {
            broker.commitFailed(pending.batch.operations)
        }
        commitLater(after: BrokerLoop.retryInterval)
        scheduleTurn()
    }

    /// Files were replaced by empty ones outside of a commit.
    func filesReplaced(_ alarms: [StorageAlarm]) {
        report(alarms)
        guard alarms.contains(where: { $0.file.hasSuffix("sessions.db") }) else { return }
        broker.commitFailed(broker.everything(now: SystemClock.monotonic(), wall: SystemClock.wall()))
        scheduleTurn()
    }

    private func report(_ alarms: [StorageAlarm]) {
        guard !alarms.isEmpty else { return }
        for alarm in alarms { logger.critical("a damaged file was set aside", metadata: ["detail": "\(alarm)"]) }
        storageEvents(.damaged(alarms))
    }

    /// Commits what is left; to be followed by ``isIdle``.
    func commitNow() {
        if underWay == nil, broker.hasBatch { commit() }
    }

    /// Whether nothing is on its way to the store.
    var isIdle: Bool { underWay == nil && !broker.hasBatch }
}
