import Bridge
import Broker
import Core
import MQTTCodec
import Store
import TestSupport

// The other run: sessions that end, expire and are taken over, subscriptions that come and go, wills with and without a delay,
// retained messages, messages that expire, a shared subscription. As in the first one, one seed drives everything in steps, and
// the box crashes now and then. It goes through some rounds: in each of them everything goes wrong for a while, then nothing does
// until all has come to rest, and then everybody has what he is owed and nothing else.

final class SessionSimulation {
    var random: SeededRandom
    var now = MonotonicTime(nanoseconds: 1_000_000_000)
    var wall = Timestamp(milliseconds: 1_700_000_000_000)
    var store = ModelStore()
    var box: SimulatedBox
    let publishers: [SimulatedPublisher]
    let churners: [SimulatedChurner]
    /// Of one shared subscription.
    let group: [SimulatedSubscriber]
    /// Gets all wills.
    let auditor: SimulatedSubscriber
    let mortals: [SimulatedMortal]
    let retainer = SimulatedRetainer()
    private let isHarmless: Bool
    private var isHealing = false
    private var stepNumber = 0
    /// Wills whose fate is part of the commit under way.
    private var committing: [[Int]] = []
    var faults: [String] = []
    // What has happened, so that a run that tests nothing is noticed.
    private(set) var crashes = 0
    var resumptions: Int { churners.reduce(0) { $0 + $1.resumptions } }
    var willCount: Int { auditor.arrived.values.reduce(0) { $0 + $1.count } }

    /// - Parameter isHarmless: no connection breaks and the box does not crash, so that more can be asked for.
    init(seed: UInt64, isHarmless: Bool) {
        self.isHarmless = isHarmless
        random = SeededRandom(seed: seed)
        publishers = (0..<3).map { SimulatedPublisher(name: "p\($0)", version: $0 == 0 ? .v311 : .v5) }
        churners = (0..<3).map {
            SimulatedChurner(name: "c\($0)", version: $0 == 1 ? .v311 : .v5, receiveMaximum: $0 == 2 ? 2 : 20)
        }
        group = (0..<3).map {
            SimulatedSubscriber(
                name: "g\($0)", version: $0 == 0 ? .v311 : .v5, qos: .exactlyOnce, receiveMaximum: 3, filter: "$share/g/t/#")
        }
        auditor = SimulatedSubscriber(name: "auditor", version: .v5, qos: .exactlyOnce, receiveMaximum: 10, filter: "w/#")
        mortals = (0..<2).map { SimulatedMortal(name: "m\($0)") }
        box = SimulatedBox(
            store: store, laneLimits: BridgeLane.Limits(), forwards: false, seed: random.next(), now: now, wall: wall)
    }

    private var watchers: [SimulatedSubscriber] { group + [auditor] }

    // MARK: Run

    func run(rounds: Int, steps: Int) {
        isHealing = true
        rest("the subscriptions are answered") { [self] in watchers.allSatisfy(\.isSubscribed) && unrest.isEmpty }
        for _ in 0..<rounds where faults.isEmpty {
            isHealing = false
            for _ in 0..<steps where faults.isEmpty { step() }
            isHealing = true
            rest("everything comes to rest") { [self] in unrest.isEmpty }
            if faults.isEmpty { checkRound() }
        }
    }

    private func rest(_ what: String, until isDone: () -> Bool) {
        var left = 60_000
        while faults.isEmpty, !isDone() {
            step()
            left -= 1
            if left == 0 { faults.append("it does not happen that \(what): \(unrest.prefix(5))") }
        }
    }

    private func step() {
        stepNumber += 1
        let pause = Int64(random.below(20))
        now += .milliseconds(pause)
        wall.milliseconds += pause
        switch random.below(100) {
        case 0..<20: publisherStep()
        case 20..<38: churnerStep()
        case 38..<50: watcherStep()
        case 50..<58: mortalStep()
        case 58..<62: retainerStep()
        case 62..<85: boxStep()
        case 85..<97: diskStep()
        default: if !isHealing, !isHarmless { fault() }
        }
        check()
    }

    private func publisherStep() {
        let publisher = publishers[random.below(publishers.count)]
        guard let wire = publisher.wire else { return publisher.connect(newWire()) }
        if isDead(wire) { return publisher.lose() }
        if !isHealing, random.once(in: 2) {
            let qos = [QoS.atMostOnce, .atLeastOnce, .exactlyOnce][random.below(3)]
            // After a crash nobody knows whether a delivery that has expired by then had begun: its receiver may wait for PUBREL.
            let expires = random.once(in: 5) && (isHarmless || qos != .exactlyOnce)
            publisher.publish(qos: qos, expiry: expires ? UInt32(1 + random.below(3)) : nil, step: stepNumber)
        } else {
            publisher.receive()
        }
    }

    private func churnerStep() {
        let churner = churners[random.below(churners.count)]
        guard let wire = churner.wire else { return churner.connect(newWire(), random: &random) }
        if isDead(wire) { return churner.lose(now: now) }
        if !isHealing, random.once(in: 8) { return churner.change(random: &random) }
        if !isHealing, random.once(in: 60) { return churner.disconnect(now: now, random: &random) }
        if churner.hasAnswers, random.once(in: 2) { return churner.answer() }
        churner.receive(now: now, step: stepNumber, sentAt: sentAt)
    }

    /// When a message was sent first.
    private func sentAt(_ topic: String, _ number: Int) -> Int? {
        publishers.first { topic.hasPrefix("t/\($0.name)/") }?.sentAt[number]
    }

    private func watcherStep() {
        let watcher = watchers[random.below(watchers.count)]
        guard let wire = watcher.wire else { return watcher.connect(newWire()) }
        if isDead(wire) { return watcher.lose() }
        if watcher.hasAnswers, random.once(in: 2) { watcher.answer() } else { watcher.receive() }
    }

    private func mortalStep() {
        let mortal = mortals[random.below(mortals.count)]
        if random.once(in: 20) { mortal.closeAbandoned() }
        guard let wire = mortal.wire else {
            if !isHealing { mortal.connect(newWire(), random: &random) }
            return
        }
        if isDead(wire) { return mortal.lose() }
        if !isHealing, random.once(in: 6) {
            switch random.below(4) {
            case 0: mortal.disconnect(withWill: false)
            case 1: mortal.disconnect(withWill: true)
            // The same again beside it: it takes over.
            case 2: mortal.connect(newWire(), random: &random)
            default: mortal.lose()
            }
        } else {
            mortal.receive()
        }
    }

    private func retainerStep() {
        guard let wire = retainer.wire else { return retainer.connect(newWire()) }
        if isDead(wire) { return retainer.lose() }
        if !isHealing, random.once(in: 2) { retainer.publish(random: &random) } else { retainer.receive() }
    }

    private func isDead(_ wire: Wire) -> Bool { !wire.isOpenAtBox && wire.toClient.isEmpty }

    private func newWire() -> Wire {
        let wire = Wire()
        box.accept(wire)
        return wire
    }

    // MARK: The box

    private func boxStep() {
        if random.once(in: 20) { box.broker.tick(now: now, wall: wall) }
        guard !box.clients.isEmpty else { return }
        let client = box.clients[random.below(box.clients.count)]
        let wire = client.wire
        if let packet = wire.toBox.first {
            if wire.isOpenAtBox { tellMortals(packet, wire) }
            box.receive(from: client, now: now, wall: wall)
        } else if !wire.isOpenAtClient || !wire.isOpenAtBox {
            for mortal in mortals { mortal.boxLost(wire, now: now) }
            box.lose(client, now: now, wall: wall)
        }
    }

    private func tellMortals(_ packet: ClientPacket, _ wire: Wire) {
        for mortal in mortals {
            switch packet {
            case .connect: mortal.boxConnected(wire, now: now)
            case .disconnect(let packet):
                mortal.boxDisconnected(wire, withWill: packet.reasonCode == .disconnectWithWill, now: now)
            default: break
            }
        }
    }

    private func diskStep() {
        if let commit = box.commit {
            let fails = !isHealing && !isHarmless && random.once(in: 8)
            if fails {
                if random.once(in: 2) { store.commit(commit.operations) }
                store.mayRepeat = true
            } else {
                store.commit(commit.operations)
                store.mayRepeat = false
                for (mortal, wills) in zip(mortals, committing) { mortal.settle(wills) }
            }
            box.finishCommit(succeeded: !fails, now: now)
        }
        if random.once(in: 2), box.takeCommit(now: now) { committing = mortals.map(\.decided) }
    }

    // MARK: Faults

    private func fault() {
        switch random.below(12) {
        case 0...1: publishers[random.below(publishers.count)].lose()
        case 2...4: churners[random.below(churners.count)].lose(now: now)
        case 5...6: watchers[random.below(watchers.count)].lose()
        case 7: retainer.lose()
        case 8...9:
            // Nobody moves for a while: sessions and messages expire.
            let pause = Int64(random.below(6_000))
            now += .milliseconds(pause)
            wall.milliseconds += pause
        default: if random.once(in: 3) { crash() }
        }
    }

    private func crash() {
        crashes += 1
        if let commit = box.commit, random.once(in: 2) { store.commit(commit.operations) }
        store.mayRepeat = false
        let wires = publishers.compactMap(\.wire) + churners.compactMap(\.wire) + watchers.compactMap(\.wire)
        for churner in churners { churner.boxCrashed(now: now) }
        for wire in wires + mortals.compactMap(\.wire) + [retainer.wire].compactMap({ $0 }) + box.clients.map(\.wire) {
            wire.isOpenAtBox = false
        }
        now += .seconds(2)
        wall.milliseconds += 2_000
        for mortal in mortals { mortal.boxCrashed(now: now) }
        box = SimulatedBox(
            store: store, laneLimits: BridgeLane.Limits(), forwards: false, seed: random.next(), now: now, wall: wall)
    }

    // MARK: Checks

    private func check() {
        faults += store.faults + retainer.faults
        for publisher in publishers { faults += publisher.faults }
        for churner in churners { faults += churner.faults }
        for watcher in watchers { faults += watcher.faults }
        for mortal in mortals { faults += mortal.judge(arrived: auditor.arrived[mortal.topic] ?? [], now: now) }
        if box.broker.statistics.dropped > 0 { faults.append("the broker has dropped messages: \(box.broker.statistics.drops)") }
    }

    /// What still has to come to rest.
    private var unrest: [String] {
        var found: [String] = []
        for client in box.clients where !client.wire.toBox.isEmpty || (client.wire.isOpenAtClient && !client.wire.toClient.isEmpty) {
            found.append("a connection")
        }
        for client in box.clients where client.wire.isOpenAtBox != client.wire.isOpenAtClient { found.append("an end") }
        for publisher in publishers where !publisher.isIdle { found.append("\(publisher.name) waits") }
        for churner in churners where !churner.isIdle { found.append("\(churner.name) waits") }
        for watcher in watchers where !watcher.isIdle || watcher.hasAnswers { found.append("\(watcher.name) waits") }
        if !retainer.isIdle { found.append("the retainer waits") }
        if box.commit != nil || box.broker.hasBatch { found.append("a commit") }
        for mortal in mortals {
            let wills = mortal.outstanding(arrived: auditor.arrived[mortal.topic] ?? [])
            if !wills.isEmpty { found.append("\(mortal.topic) \(wills) \(wills.map { mortal.lives[$0]! })") }
        }
        return found + store.leftovers
    }

    private func checkRound() {
        for publisher in publishers {
            for qos in [QoS.atLeastOnce, .exactlyOnce] {
                let topic = SimulatedPublisher.topic(publisher.name, qos)
                let owed = (publisher.acknowledged[qos] ?? []).filter { !publisher.transient.contains($0) }
                for churner in churners {
                    guard let since = churner.subscribedSince(topic) else { continue }
                    let arrived = (churner.arrived[topic] ?? []).filter { (publisher.sentAt[$0] ?? 0) > since }
                    let missing = Set(owed.filter { (publisher.sentAt[$0] ?? 0) > since }).subtracting(arrived)
                    if !missing.isEmpty { faults.append("\(topic) at \(churner.name): lost \(missing.sorted())") }
                    if arrived != arrived.sorted() { faults.append("\(topic) at \(churner.name): out of order \(arrived)") }
                }
                checkGroup(topic, owed: owed, isOnce: qos == .exactlyOnce || isHarmless)
            }
        }
        checkRetained()
    }

    /// Each message to one of the group.
    private func checkGroup(_ topic: String, owed: [Int], isOnce: Bool) {
        let all = group.flatMap { $0.arrived[topic] ?? [] }
        let missing = Set(owed).subtracting(all)
        if !missing.isEmpty { faults.append("\(topic) at the group: lost \(missing.sorted())") }
        if isOnce, Set(all).count != all.count { faults.append("\(topic) at the group: more than once in \(all.sorted())") }
    }

    private func checkRetained() {
        let reader = RetainedReader()
        box.broker.attach(reader, identifier: "$reader")
        box.broker.subscribe(
            reader, filter: TopicFilter("r/#")!, options: SubscriptionOptions(qos: .atMostOnce), now: now, wall: wall)
        box.broker.connectionLost(reader, now: now, wall: wall)
        let expected = retainer.retained.filter { !$0.value.isEmpty }
        if reader.found != expected { faults.append("retained are \(reader.found) instead of \(expected)") }
        let stored = store.retained.mapValues { String(decoding: $0.payload, as: UTF8.self) }
        if stored != expected { faults.append("stored as retained are \(stored) instead of \(expected)") }
    }
}
