import Core
import MQTTClient
import NIOCore

/// Waits until a broker accepts a connection. Belongs to the event loop.
final class ProbeRun {
    /// Time between two attempts.
    private static let pause = TimeAmount.milliseconds(1)

    private let plan: LoadPlan
    private let endpoint: ClientEndpoint
    private let deadline: MonotonicTime
    private let loop: any EventLoop
    private let promise: EventLoopPromise<Timestamp>

    init(plan: LoadPlan, timeout: Duration, to endpoint: ClientEndpoint, on loop: any EventLoop) {
        self.plan = plan
        self.endpoint = endpoint
        self.loop = loop
        deadline = SystemClock.monotonic() + timeout
        promise = loop.makePromise()
    }

    /// To be called on the event loop, once. Gives the moment of the CONNACK; fails with ``BenchError`` if none came in time.
    func start() -> EventLoopFuture<Timestamp> {
        attempt()
        return promise.futureResult
    }

    private func attempt() {
        let connection = LoadConnection(packet: plan.connect("c", 0))
        connection.onReady = { [self, unowned connection] in
            let now = SystemClock.wall()
            connection.leave()
            promise.succeed(now)
        }
        connection.onEnd = { [self] reason in again(reason) }
        endpoint.connect(connection, on: loop).assumeIsolated().whenFailure { [self] error in
            again(ClientEndpoint.text(error))
        }
    }

    private func again(_ reason: String) {
        guard SystemClock.monotonic() < deadline else { return promise.fail(BenchError.cannotConnect(reason)) }
        loop.assumeIsolated().scheduleTask(in: ProbeRun.pause) { [self] in attempt() }
    }
}
