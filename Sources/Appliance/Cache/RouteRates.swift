import Bridge
import Core
import Store

/// How many bytes come into each route of the cache, measured.
struct RouteRates {
    private struct Route {
        var records = MeanRate(window: .seconds(300))
        /// Of those that waited last; 0 before enough did.
        var bytesPerRecord = 0.0
    }

    private var routes: [RouteName: Route] = [:]

    /// Takes in all lanes as they are now.
    mutating func update(_ lanes: [LaneStatus], at now: MonotonicTime) {
        var sums: [RouteName: (last: Int64, messages: Int64, bytes: Int64)] = [:]
        for lane in lanes {
            guard let route = LaneName(lane.lane)?.route else { continue }
            let sum = sums[route] ?? (0, 0, 0)
            // The number of the last message goes on over a route's lanes.
            sums[route] = (max(sum.last, lane.lastSequence), sum.messages + lane.messages, sum.bytes + lane.bytes)
        }
        routes = routes.filter { sums[$0.key] != nil }
        for (name, sum) in sums {
            var route = routes[name] ?? Route()
            route.records.update(UInt64(clamping: sum.last), at: now)
            // A few may share a block with many that have gone.
            if sum.messages >= 100 || route.bytesPerRecord == 0 && sum.messages > 0 {
                route.bytesPerRecord = Double(sum.bytes) / Double(sum.messages)
            }
            routes[name] = route
        }
    }

    var bytesPerSecond: [RouteName: Double] { routes.mapValues { $0.records.perSecond * $0.bytesPerRecord } }
}
