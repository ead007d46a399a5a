import Bridge
import Store

/// How much of what it may hold a route of the cache has.
struct RouteFill: Sendable, Equatable {
    let route: RouteName
    /// Of its blocks; where it has a share, with those of the less important routes that fill it too.
    let usedBytes: Int64
    let limitBytes: Int64

    var fraction: Double { limitBytes > 0 ? Double(usedBytes) / Double(limitBytes) : 0 }

    /// Of all routes that may not fill the whole cache, the most important of each bridge first.
    static func all(_ limits: CacheLimits, lanes: [LaneStatus]) -> [RouteFill] {
        var fills: [RouteFill] = []
        for (name, policy) in limits.routes {
            let allowance = limits.allowance(ofRoute: name)
            guard allowance.kind != .whole, let route = RouteName(name) else { continue }
            let used = lanes.reduce(Int64(0)) { sum, lane in
                let lanesRoute = RoutePolicy.route(ofLane: lane.lane)
                if allowance.kind == .own { return lanesRoute == name ? sum + lane.bytes : sum }
                let other = limits.policy(ofRoute: lanesRoute)
                return other.takesShare && other.priority <= policy.priority ? sum + lane.bytes : sum
            }
            fills.append(RouteFill(route: route, usedBytes: used, limitBytes: allowance.bytes))
        }
        return fills.sorted { RouteName.isBefore($0.route, $1.route) }
    }
}
