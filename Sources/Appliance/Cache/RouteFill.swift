import Bridge
import Store

/// How much of what it may hold a route of the cache has.
struct RouteFill: Sendable, Equatable {
    let route: RouteName
    /// Of its blocks; where it has a share, with those of the less important routes that fill it too.
    let usedBytes: Int64
    let limitBytes: Int64
    /// Whether ``limitBytes`` is a share.
    var isShare = false
    /// That come into what is counted here each second; 0 while that is not known.
    var bytesPerSecond = 0.0

    var fraction: Double { limitBytes > 0 ? Double(usedBytes) / Double(limitBytes) : 0 }

    /// Seconds until it is full if nothing leaves it from now on; infinite if nothing comes.
    var secondsUntilFull: Double { bytesPerSecond > 0 ? Double(max(0, limitBytes - usedBytes)) / bytesPerSecond : .infinity }

    /// Seconds that it holds what comes, from empty to full, whatever the age.
    var secondsHeld: Double { bytesPerSecond > 0 ? Double(limitBytes) / bytesPerSecond : .infinity }

    var text: String {
        "\(Quantity.bytes(limitBytes))\(isShare ? " shared" : "") (\(Int((fraction * 100).rounded())) %)"
    }

    /// Of all routes that may not fill the whole cache, the most important of each bridge first.
    ///
    /// - Parameter rates: bytes that come into each route's blocks in a second.
    static func all(_ limits: CacheLimits, lanes: [LaneStatus], rates: [RouteName: Double] = [:]) -> [RouteFill] {
        var fills: [RouteFill] = []
        for (name, policy) in limits.routes {
            let allowance = limits.allowance(ofRoute: name)
            guard allowance.kind != .whole, let route = RouteName(name) else { continue }
            func counts(_ one: String) -> Bool {
                if allowance.kind == .own { return one == name }
                let other = limits.policy(ofRoute: one)
                return other.takesShare && other.priority <= policy.priority
            }
            var fill = RouteFill(
                route: route, usedBytes: lanes.reduce(0) { counts(RoutePolicy.route(ofLane: $1.lane)) ? $0 + $1.bytes : $0 },
                limitBytes: allowance.bytes, isShare: allowance.kind == .share)
            fill.bytesPerSecond = rates.reduce(0) { counts("\($1.key)") ? $0 + $1.value : $0 }
            fills.append(fill)
        }
        return fills.sorted { RouteName.isBefore($0.route, $1.route) }
    }
}
