import Bridge
import Broker
import Core

extension Simulation {
    /// What has to hold after every step.
    func check() {
        faults += store.faults
        faults += upstream.faults
        for publisher in publishers { faults += publisher.faults }
        for subscriber in subscribers { faults += subscriber.faults }
        if box.broker.statistics.dropped > 0 { faults.append("the broker has dropped messages: \(box.broker.statistics.drops)") }
        for lane in box.route.lanes { check(lane) }
        if order == .strict, box.route.lanes.count > 1 { faults.append("strict order in several lanes") }
    }

    private func check(_ lane: BridgeLane) {
        if lane.inFlightCount > laneLimits.maximumInFlight { faults.append("the lane's window is exceeded") }
        // A page of a quarter may come when half is in use; each of its messages may cost more than its bytes.
        let bound = laneLimits.maximumBufferedBytes + laneLimits.pageCount * 200
        if lane.bufferedByteCount > bound { faults.append("the lane's buffer holds \(lane.bufferedByteCount) bytes") }
        if let stored = store.lanes[lane.name], lane.acknowledgedThrough > stored.last {
            faults.append("acknowledged what is not on disk")
        }
    }

    var isAtRest: Bool { unrest.isEmpty }

    /// What still has to come to rest.
    var unrest: [String] {
        var found: [String] = []
        for publisher in publishers where !publisher.isIdle { found.append("\(publisher.name) waits") }
        for subscriber in subscribers where !subscriber.isIdle { found.append("\(subscriber.name) waits") }
        if box.route.depth > 0 {
            found.append("the route holds \(box.route.depth), \(box.route.inFlightCount) in flight: \(box.route.statistics)")
        }
        return found + store.leftovers
    }

    /// What has to hold at the end: everything acknowledged has arrived everywhere, in order, as often as QoS allows.
    func checkArrivals() {
        for publisher in publishers {
            for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
                let topic = SimulatedPublisher.topic(publisher.name, qos)
                let sent = Set(publisher.sent[qos] ?? [])
                let owed = publisher.acknowledged[qos] ?? []
                for subscriber in subscribers {
                    let granted = min(qos, subscriber.qos)
                    check(
                        subscriber.arrived[topic] ?? [], at: subscriber.name, topic, sent: sent, owed: owed,
                        mayRepeat: granted == .atLeastOnce, isOrdered: true)
                }
                check(
                    upstream.stored.filter { $0.topic == topic }.map(\.number), at: "upstream", topic, sent: sent,
                    owed: owed, mayRepeat: true, isOrdered: !upstream.refuses && order == .strict)
            }
        }
    }

    private func check(
        _ arrived: [Int], at place: String, _ topic: String, sent: Set<Int>, owed: [Int], mayRepeat: Bool, isOrdered: Bool
    ) {
        let missing = Set(owed).subtracting(arrived)
        if !missing.isEmpty { faults.append("\(topic) at \(place): lost \(missing.sorted())") }
        if !Set(arrived).isSubset(of: sent) { faults.append("\(topic) at \(place): arrived without being sent") }
        if !mayRepeat, Set(arrived).count != arrived.count { faults.append("\(topic) at \(place): repeated in \(arrived)") }
        var seen: Set<Int> = []
        let first = arrived.filter { seen.insert($0).inserted }
        if isOrdered, first != first.sorted() { faults.append("\(topic) at \(place): out of order \(first)") }
    }
}
