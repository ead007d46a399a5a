import Core
import NIOCore

/// What many idle connections cost.
struct IdleOutcome: Sendable {
    var connections: Int
    /// From the first connection to the last CONNACK.
    var seconds: Double
    /// Processor time of the broker in that time, nil if no process was named.
    var brokerSeconds: Double?
    var residentKiBBefore: Int?
    /// After the connections have been held.
    var residentKiBAfter: Int?
    /// Connections that the broker ended while they were held.
    var lost: Int
}

/// Opens connections that do nothing, holds them, and closes them. Belongs to the event loop.
final class IdleRun {
    private let plan: LoadPlan
    private let count: Int
    private let hold: TimeAmount
    private let loop: any EventLoop
    private let promise: EventLoopPromise<IdleOutcome>
    private var connections: [LoadConnection] = []
    private var lost = 0

    init(plan: LoadPlan, connections count: Int, hold: TimeAmount, on loop: any EventLoop) {
        self.plan = plan
        self.count = count
        self.hold = hold
        self.loop = loop
        promise = loop.makePromise()
    }

    /// To be called on the event loop, once. The future fails with ``BenchError`` if a connection cannot be opened.
    func start(at address: SocketAddress) -> EventLoopFuture<IdleOutcome> {
        let usage = plan.brokerProcess.flatMap { ProcessUsage(process: $0) }
        if let process = plan.brokerProcess, usage == nil {
            promise.fail(BenchError.noProcess(process))
            return promise.futureResult
        }
        let startedAt = SystemClock.monotonic()
        connections = (0..<count).map {
            LoadConnection(clientIdentifier: plan.clientIdentifier("c", $0), version: plan.version)
        }
        ConnectionOpener(connections, to: address, on: loop) { [self] result in
            if case .failure(let error) = result {
                close()
                return promise.fail(error)
            }
            opened(since: startedAt, usage: usage)
        }.start()
        return promise.futureResult
    }

    private func opened(since startedAt: MonotonicTime, usage: ProcessUsage?) {
        let seconds = Double((SystemClock.monotonic() - startedAt).wholeNanoseconds) / 1e9
        let used = plan.brokerProcess.flatMap { ProcessUsage(process: $0) }
        for connection in connections { connection.onEnd = { [self] _ in lost += 1 } }
        loop.assumeIsolated().scheduleTask(in: .seconds(20)) { [self] in keepAlive() }
        loop.assumeIsolated().scheduleTask(in: hold) { [self] in
            let held = plan.brokerProcess.flatMap { ProcessUsage(process: $0) }
            let brokerSeconds = usage.flatMap { usage in used.map { Double($0.runTime(since: usage)) / 1e9 } }
            let outcome = IdleOutcome(
                connections: count, seconds: seconds, brokerSeconds: brokerSeconds, residentKiBBefore: usage?.residentKiB,
                residentKiBAfter: held?.residentKiB, lost: lost)
            close()
            promise.succeed(outcome)
        }
    }

    private func keepAlive() {
        for connection in connections { connection.ping() }
        guard !connections.isEmpty else { return }
        loop.assumeIsolated().scheduleTask(in: .seconds(20)) { [self] in keepAlive() }
    }

    private func close() {
        for connection in connections { connection.close() }
        connections = []
    }
}
