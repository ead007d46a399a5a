import Core
import MQTTClient
import MQTTCodec
import NIOCore

/// Connects, subscribes, disconnects and waits for the end of the connection, over and over with a new client each time.
/// Belongs to the event loop.
final class StormRun {
    private let plan: LoadPlan
    private let topics: LoadTopics
    private let endpoint: ClientEndpoint
    private let count: Int
    private let loop: any EventLoop
    private let promise: EventLoopPromise<ConnectionOutcome>
    private var meter: LoadMeter?
    private var latency = LatencyHistogram()
    private var started = 0
    private var ended = 0
    private var lost = 0
    private var endedAtLastWatch = 0

    init(plan: LoadPlan, connections count: Int, to endpoint: ClientEndpoint, on loop: any EventLoop) {
        self.plan = plan
        self.endpoint = endpoint
        self.count = count
        self.loop = loop
        topics = LoadTopics(plan)
        promise = loop.makePromise()
    }

    /// To be called on the event loop, once. The future fails with ``BenchError`` if there is nothing to measure.
    func start() -> EventLoopFuture<ConnectionOutcome> {
        do throws(BenchError) {
            meter = try LoadMeter(process: plan.brokerProcess)
            openMore()
            watch()
        } catch {
            promise.fail(error)
        }
        return promise.futureResult
    }

    private func openMore() {
        while started < count, started - ended < plan.pending {
            let request = topics.filters(ofSubscriber: started).map {
                SubscribePacket.Request(filter: $0, options: SubscriptionOptions(qos: plan.qos))
            }
            let visit = Visit(
                packet: plan.connect("c", started), requests: request,
                completion: { [self] visit, isComplete in complete(visit, isComplete) })
            started += 1
            visit.openedAt = SystemClock.monotonic()
            endpoint.connect(visit, on: loop).assumeIsolated().whenFailure { [self] error in
                if ended == 0 { return promise.fail(BenchError.cannotConnect(ClientEndpoint.text(error))) }
                complete(visit, false)
            }
        }
    }

    private func complete(_ visit: Visit, _ isComplete: Bool) {
        let now = SystemClock.monotonic()
        if isComplete { latency.record((now - visit.openedAt).wholeNanoseconds) } else { lost += 1 }
        ended += 1
        if ended < count { return openMore() }
        finish(at: now)
    }

    private func finish(at now: MonotonicTime) {
        guard var meter else { return }
        self.meter = nil
        meter.note(at: now)
        promise.succeed(
            ConnectionOutcome(scenario: .storm, connections: count - lost, meter: meter, latency: latency, lost: lost))
    }

    /// Ends the run when nothing moves any more.
    private func watch() {
        loop.assumeIsolated().scheduleTask(in: TimeAmount(plan.stallTimeout)) { [self] in
            guard meter != nil else { return }
            guard ended == endedAtLastWatch else {
                endedAtLastWatch = ended
                return watch()
            }
            lost = count - ended + lost
            finish(at: SystemClock.monotonic())
        }
    }
}

/// One client's way through the broker.
private final class Visit: LoadConnection {
    private let requests: [SubscribePacket.Request]
    private var completion: ((Visit, Bool) -> Void)?
    private var hasSaidGoodbye = false

    init(packet: ConnectPacket, requests: [SubscribePacket.Request], completion: @escaping (Visit, Bool) -> Void) {
        self.requests = requests
        self.completion = completion
        super.init(packet: packet)
    }

    override func established(_ packet: ConnackPacket) {
        add(SubscribePacket(packetIdentifier: 1, requests: requests))
        flush()
    }

    override func receive(_ frame: Frame, _ body: UnsafeRawBufferPointer) throws(DecodeError) {
        guard frame.type == .suback else { throw unexpected(frame.type) }
        let packet = try SubackPacket.read(body: body, version: version)
        guard packet.reasonCodes.allSatisfy({ !$0.isError }) else { return fail("the subscription was refused") }
        hasSaidGoodbye = true
        sendDisconnect(.success)
        // [MQTT-3.14.4-1] a client sends no more after DISCONNECT. The broker closes the connection then.
        context?.close(mode: .output, promise: nil)
    }

    override func ended(_ failure: ConnectionFailure) {
        let notify = completion
        completion = nil
        notify?(self, hasSaidGoodbye && failure == .lost)
    }
}
