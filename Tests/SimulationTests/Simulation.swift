@testable import Bridge
import Broker
import Core
import MQTTCodec
import Store
import TestSupport

// One run: some publishers and subscribers, a box, its disk and an upstream, all in one thread and driven by one seed.
//
// Every step one thing happens somewhere: a packet is taken from a connection, a commit ends, a connection breaks, the box
// crashes. After the given number of steps nothing breaks any more, and everything has to come to rest.

final class Simulation {
    var random: SeededRandom
    var now = MonotonicTime(nanoseconds: 1_000_000_000)
    var wall = Timestamp(milliseconds: 1_700_000_000_000)
    var store = ModelStore()
    var box: SimulatedBox
    let upstream: SimulatedUpstream
    let publishers: [SimulatedPublisher]
    let subscribers: [SimulatedSubscriber]
    let laneLimits: BridgeLane.Limits
    let order: BridgeRoute.Order
    /// What a read has found that the lane has not been given yet.
    private var page: (messages: [CachedMessage], next: Int64)?
    var isHealing = false
    var faults: [String] = []
    // What has happened, so that a run that tests nothing is noticed.
    var crashes = 0
    var failedCommits = 0
    var reads = 0
    var resumptions = 0
    var seals = 0

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        upstream = SimulatedUpstream(receiveMaximum: 1 + random.below(20), refuses: seed % 4 == 0, forgets: random.once(in: 2))
        publishers = (0..<3).map { SimulatedPublisher(name: "p\($0)", version: $0 == 0 ? .v311 : .v5) }
        subscribers = [
            SimulatedSubscriber(name: "s0", version: .v5, qos: .exactlyOnce, receiveMaximum: UInt16(1 + random.below(8))),
            SimulatedSubscriber(name: "s1", version: .v311, qos: .exactlyOnce, receiveMaximum: .max),
            SimulatedSubscriber(name: "s2", version: .v5, qos: .atLeastOnce, receiveMaximum: 3),
        ]
        var limits = BridgeLane.Limits()
        limits.maximumInFlight = 10
        limits.maximumBufferedBytes = 1_000 + random.below(4_000)
        limits.pageCount = 1 + random.below(20)
        limits.acknowledgementInterval = .milliseconds(50)
        limits.smallBacklog = Int64(random.below(10))
        laneLimits = limits
        order = random.once(in: 2) ? .liveFirst : .strict
        box = SimulatedBox(store: store, laneLimits: limits, order: order, seed: random.next(), now: now, wall: wall)
    }

    // MARK: Run

    func run(steps: Int) {
        subscribeAll()
        for _ in 0..<steps where faults.isEmpty { step() }
        isHealing = true
        var rest = 200_000
        while !isAtRest, rest > 0, faults.isEmpty {
            step()
            rest -= 1
        }
        if rest == 0 { faults.append("does not come to rest: \(unrest)") }
        if faults.isEmpty { checkArrivals() }
    }

    /// The subscriptions exist before the first message, so that each subscriber is owed everything.
    private func subscribeAll() {
        isHealing = true
        var rest = 10_000
        while !subscribers.allSatisfy(\.isSubscribed), rest > 0 {
            step(publishing: false)
            rest -= 1
        }
        if rest == 0 { faults.append("the subscriptions are not answered") }
        isHealing = false
    }

    private func step(publishing: Bool = true) {
        let pause = Int64(random.below(20))
        now += .milliseconds(pause)
        wall.milliseconds += pause
        switch random.below(100) {
        case 0..<24: publisherStep(publishing: publishing)
        case 24..<52: subscriberStep()
        case 52..<70: boxStep()
        case 70..<80: diskStep()
        case 80..<97: upstreamStep()
        default: if !isHealing { fault() }
        }
        check()
    }

    private func publisherStep(publishing: Bool) {
        let publisher = publishers[random.below(publishers.count)]
        guard let wire = publisher.wire else { return publisher.connect(newWire()) }
        if !wire.isOpenAtBox, wire.toClient.isEmpty { return publisher.lose() }
        if publishing, !isHealing, random.once(in: 2) {
            publisher.publish(qos: [.atMostOnce, .atLeastOnce, .exactlyOnce][random.below(3)])
        } else {
            publisher.receive()
        }
    }

    private func subscriberStep() {
        let subscriber = subscribers[random.below(subscribers.count)]
        guard let wire = subscriber.wire else {
            if hasConnected(subscriber.name) { resumptions += 1 }
            return subscriber.connect(newWire())
        }
        if !wire.isOpenAtBox, wire.toClient.isEmpty { return subscriber.lose() }
        if subscriber.hasAnswers, random.once(in: 2) { subscriber.answer() } else { subscriber.receive() }
    }

    private func hasConnected(_ name: String) -> Bool {
        store.sessions.values.contains { $0.stored.clientIdentifier == name }
    }

    private func newWire() -> Wire {
        let wire = Wire()
        box.accept(wire)
        return wire
    }

    private func boxStep() {
        guard !box.clients.isEmpty else { return }
        let client = box.clients[random.below(box.clients.count)]
        if !client.wire.toBox.isEmpty {
            box.receive(from: client, now: now, wall: wall)
        } else if !client.wire.isOpenAtClient || !client.wire.isOpenAtBox {
            box.lose(client, now: now, wall: wall)
        }
        if random.once(in: 50) { box.broker.tick(now: now, wall: wall) }
    }

    private func diskStep() {
        if let commit = box.commit {
            let fails = !isHealing && random.once(in: 8)
            if fails {
                // A commit that is said to have failed may be on disk all the same, or the half of it.
                failedCommits += 1
                write(commit, parts: random.below(3))
                store.mayRepeat = true
            } else {
                write(commit, parts: 2)
                store.mayRepeat = false
            }
            box.finishCommit(succeeded: !fails, now: now)
            pump()
        }
        if random.once(in: 2) { readStep() }
        if random.once(in: 2) { _ = box.takeCommit(now: now) }
        box.takeRead()
    }

    /// A page is read in one step and reaches the lane in a later one: a commit may end in between.
    private func readStep() {
        guard let read = box.reads.first else { return }
        if let page {
            box.finishRead(!isHealing && random.once(in: 10) ? nil : page)
            self.page = nil
            pump()
        } else {
            reads += 1
            page = store.read(
                lane: read.lane, from: read.from, maximumCount: read.maximumCount, maximumBytes: read.maximumBytes)
        }
    }

    /// Writes the cache, then the sessions, or only the first `parts` of them.
    private func write(_ commit: SimulatedBox.Commit, parts: Int) {
        if parts > 0 { store.commit(commit.cache) }
        if parts > 1 { store.commit(commit.operations) }
    }

    private func upstreamStep() {
        guard upstream.isConnected else {
            guard box.reconnection.shouldConnect(now: now) else {
                // Waiting is a matter of time only.
                if case .waiting(let until) = box.reconnection.state, random.once(in: 5) { now = max(now, until) }
                return
            }
            guard isHealing || !random.once(in: 3) else { return box.reconnection.failed(now: now) }
            box.reconnection.connected(now: now)
            let lanes = box.route.lanes.count
            box.route.connected(upstream.connect(), now: now)
            if box.route.lanes.count > lanes { seals += 1 }
            return pump()
        }
        switch random.below(3) {
        case 0: upstream.receive(random: &random)
        case 1: upstream.acknowledge(random: &random)
        default:
            guard let packet = upstream.takeAcknowledgement() else { return }
            _ = box.route.puback(packet, now: now)
            box.route.removeDrained()
        }
        if box.route.lanes.contains(where: { $0.isStalled(now: now) }) { loseUpstream() }
        pump()
    }

    private func pump() {
        guard upstream.isConnected else { return }
        // The connection takes some, not always all.
        for _ in 0..<(1 + random.below(8)) {
            guard let publish = next() else { return }
            if !isOnDisk(publish.message) { faults.append("sent upstream before its commit: \(publish.message.topic)") }
            upstream.send(publish)
        }
    }

    /// What goes out next: now from the live lane, now from the oldest sealed one.
    private func next() -> LanePublish? {
        let room = upstream.receiveMaximum - box.route.inFlightCount
        let last = box.route.lanes.count - 1
        for lane in random.once(in: 2) ? [0, last] : [last, 0] {
            if let publish = box.route.lanes[lane].next(now: now, room: room) { return publish }
        }
        return nil
    }

    /// Whether a lane on disk has the message.
    private func isOnDisk(_ message: Message) -> Bool {
        store.lanes.values.contains { $0.messages.contains { $0.message.isIdentical(to: message) } }
    }

    // MARK: Faults

    private func fault() {
        switch random.below(12) {
        case 0...2: publishers[random.below(publishers.count)].lose()
        case 3...5: subscribers[random.below(subscribers.count)].lose()
        case 6:
            guard !box.clients.isEmpty else { return }
            box.lose(box.clients[random.below(box.clients.count)], now: now, wall: wall)
        case 7...8: loseUpstream()
        case 9:
            upstream.restart(random: &random)
            box.route.disconnected()
            box.reconnection.failed(now: now)
        default: if random.once(in: 3) { crash() }
        }
    }

    private func loseUpstream() {
        guard upstream.isConnected else { return }
        upstream.lose()
        box.route.disconnected()
        box.reconnection.failed(now: now)
    }

    /// Power off, power on. Of a commit under way nothing, the cache file alone or all is on disk.
    private func crash() {
        crashes += 1
        if let commit = box.commit { write(commit, parts: random.below(3)) }
        store.mayRepeat = false
        for client in box.clients { client.wire.isOpenAtBox = false }
        for wire in publishers.compactMap(\.wire) + subscribers.compactMap(\.wire) {
            wire.isOpenAtBox = false
            // What was on its way may still arrive.
            wire.toClient.removeLast(random.below(wire.toClient.count + 1))
        }
        upstream.lose()
        page = nil
        now += .seconds(2)
        box = SimulatedBox(store: store, laneLimits: laneLimits, order: order, seed: random.next(), now: now, wall: wall)
    }
}
