import Core
import MQTTClient
import NIOCore

/// What it takes to open connections, to hold them, or to open and close them.
struct ConnectionOutcome: Sendable {
    var scenario: Scenario
    var connections: Int
    /// From the first connection to the last one that is ready, or that was closed.
    var meter: LoadMeter
    /// Of each of them.
    var latency: LatencyHistogram
    /// While they are held; nil if they are not.
    var holding: LoadMeter?
    /// Connections that the broker ended or did not let through.
    var lost = 0
}

/// Opens connections that do nothing, holds them, and closes them. Belongs to the event loop.
final class IdleRun {
    /// Time after the last connection in which the broker's last buffers go.
    private static let settlingTime = TimeAmount.milliseconds(200)

    private let plan: LoadPlan
    private let endpoint: ClientEndpoint
    private let count: Int
    private let hold: TimeAmount
    private let loop: any EventLoop
    private let promise: EventLoopPromise<ConnectionOutcome>
    private var connections: [LoadConnection] = []
    private var lost = 0

    init(plan: LoadPlan, connections count: Int, hold: TimeAmount, to endpoint: ClientEndpoint, on loop: any EventLoop) {
        self.plan = plan
        self.endpoint = endpoint
        self.count = count
        self.hold = hold
        self.loop = loop
        promise = loop.makePromise()
    }

    /// To be called on the event loop, once. The future fails with ``BenchError`` if a connection cannot be opened.
    func start() -> EventLoopFuture<ConnectionOutcome> {
        connections = (0..<count).map { LoadConnection(packet: plan.connect("c", $0)) }
        do throws(BenchError) {
            let meter = try LoadMeter(process: plan.brokerProcess)
            var opener: ConnectionOpener?
            opener = ConnectionOpener(connections, to: endpoint, maximumPending: plan.pending, on: loop) { [self] result in
                let latency = opener?.latency ?? LatencyHistogram()
                opener = nil
                if case .failure(let error) = result {
                    close()
                    return promise.fail(error)
                }
                opened(meter, latency)
            }
            opener?.start()
        } catch {
            promise.fail(error)
        }
        return promise.futureResult
    }

    private func opened(_ opening: LoadMeter, _ latency: LatencyHistogram) {
        var meter = opening
        meter.note(at: SystemClock.monotonic())
        let outcome = ConnectionOutcome(scenario: .conn, connections: count, meter: meter, latency: latency)
        for connection in connections { connection.onEnd = { [self] _ in lost += 1 } }
        loop.assumeIsolated().scheduleTask(in: IdleRun.settlingTime) { [self] in settled(outcome) }
    }

    private func settled(_ opened: ConnectionOutcome) {
        do throws(BenchError) {
            let meter = try LoadMeter(process: plan.brokerProcess)
            loop.assumeIsolated().scheduleTask(in: hold) { [self] in
                var (outcome, meter) = (opened, meter)
                meter.note(at: SystemClock.monotonic())
                outcome.holding = meter
                outcome.lost = lost
                close()
                promise.succeed(outcome)
            }
        } catch {
            close()
            promise.fail(error)
        }
    }

    private func close() {
        for connection in connections { connection.leave() }
        connections = []
    }
}
