import Bridge
import Core
import Payload
import Store

/// What each route of the cache may hold, and for how long.
struct PlannedRoutes: Sendable {
    struct Route: Sendable {
        /// `BRIDGE/PRIORITY`.
        let name: String
        let bridge: String
        let allowance: CacheLimits.Allowance
        let maximumAge: Duration?
        let load: CachePlan.Load
        /// Until it loses its first message while nothing leaves the cache; infinite if nothing comes.
        let secondsHeld: Double

        /// Whether it is the age that ends it.
        var isHeldForAge: Bool { maximumAge.map { secondsHeld >= Double($0.wholeMilliseconds) / 1000 - 0.001 } ?? false }
    }

    /// The most important of each bridge first.
    let routes: [Route]
    private let bridges: [BridgeConfiguration]
    private let limits: CacheLimits

    init(limits: CacheLimits, loads: [String: CachePlan.Load], bridges: [BridgeConfiguration]) {
        let held = CacheFilling.secondsHeld(limits, rates: loads.mapValues(\.cachedBytesPerSecond))
        self.bridges = bridges
        self.limits = limits
        routes = bridges.flatMap { bridge in
            Set(bridge.forwards.map(\.priority)).sorted(by: >).map { priority in
                let name = "\(RouteName(bridge: bridge.name, priority: priority))"
                return Route(
                    name: name, bridge: bridge.name, allowance: limits.allowance(ofRoute: name),
                    maximumAge: limits.policy(ofRoute: name).maximumAge ?? limits.maximumAge, load: loads[name] ?? CachePlan.Load(),
                    secondsHeld: held[name] ?? .infinity)
            }
        }
    }

    /// The route that loses something first; nil if nothing comes.
    var least: Route? { routes.filter(\.secondsHeld.isFinite).min { $0.secondsHeld < $1.secondsHeld } }

    /// What the least holds at another rate of all together; nil if nothing is planned.
    func secondsHeld(cachedBytesPerSecond: Double) -> Double? {
        let rates = Dictionary(uniqueKeysWithValues: routes.map { ($0.name, $0.load.cachedBytesPerSecond) })
        let planned = rates.values.reduce(0, +)
        guard planned > 0 else { return nil }
        return CacheFilling.secondsHeld(limits, rates: rates.mapValues { $0 * cachedBytesPerSecond / planned }).values.min()
    }

    /// Bridges whose form makes something else of the posts before they are sent.
    var bridgesWithForm: [String] { bridges.filter { $0.form != nil }.map(\.name) }

    /// How long what has waited takes to go upstream.
    struct Drain: Sendable, Equatable {
        var time: CachePlan.Drain
        /// The bridge whose own limit of the back-fill takes longer than the uplink; nil if none does.
        var slowest: String?
    }

    /// After an outage of so many seconds; bits a second that the uplink takes, for all bridges together.
    func drain(afterOutage seconds: Double, uplink: Double?) -> Drain {
        var backlog = 0.0
        var needed = 0.0
        var slowest: (bridge: String, seconds: Double)?
        for bridge in bridges {
            var (messages, bytes) = (0.0, 0.0)
            for route in routes where route.bridge == bridge.name {
                let count = min(seconds, route.secondsHeld) * route.load.recordsPerSecond
                messages += count
                bytes += count * route.load.sentBytesPerRecord
                needed += route.load.recordsPerSecond * route.load.sentBytesPerRecord * 8
            }
            backlog += bytes * 8
            // What comes meanwhile goes beside it and is not limited.
            let limited = max(
                bridge.backfill.messagesPerSecond.map { messages / Double(max(1, $0)) } ?? 0,
                bridge.backfill.bytesPerSecond.map { bytes / Double(max(1, $0)) } ?? 0)
            if limited > slowest?.seconds ?? 0 { slowest = (bridge.name, limited) }
        }
        guard needed > 0 else { return Drain(time: .seconds(0)) }
        guard let uplink else {
            return slowest.map { Drain(time: .seconds($0.seconds), slowest: $0.bridge) } ?? Drain(time: .unknown)
        }
        guard uplink > needed else { return Drain(time: .never(needed: needed)) }
        let byUplink = backlog / (uplink - needed)
        guard let slowest, slowest.seconds > byUplink else { return Drain(time: .seconds(byUplink)) }
        return Drain(time: .seconds(slowest.seconds), slowest: slowest.bridge)
    }
}

extension PlannedRoutes.Route {
    /// What it may hold and for how long, for people.
    var text: String {
        let most =
            switch allowance.kind {
            case .whole: "all of the cache"
            case .own: "\(Quantity.bytes(allowance.bytes)), its max-size"
            case .share: "\(Quantity.bytes(allowance.bytes)), its share"
            }
        guard load.recordsPerSecond > 0 else { return "\(most); nothing is planned for it" }
        return "\(most); \(Quantity.bytes(load.cachedBytesPerSecond * 86_400)) a day, held \(Quantity.seconds(secondsHeld))"
            + (isHeldForAge ? ", its max-age" : "")
    }

    /// A JSON object.
    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("route")
        writer.string(name)
        writer.member("allowedBytes", allowance.bytes)
        writer.name("recordsPerSecond")
        writer.real(load.recordsPerSecond)
        writer.name("cachedBytesPerDay")
        writer.real(load.cachedBytesPerSecond * 86_400)
        if secondsHeld.isFinite {
            writer.name("secondsHeld")
            writer.real(secondsHeld)
        }
        writer.endObject()
    }
}
