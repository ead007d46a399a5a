import Core
import Store

// Routes whose priority nobody configures any more. They go on until all that they held has arrived, and then go:
//
//     in use ──> drains ──> leaving ──> a batch removes its lane ──> gone
//        ▲                     │
//        └─────────────────────┘ configured again meanwhile

/// A route that is over, until the disk has nothing of it.
struct LeavingRoute {
    var route: BridgeRoute
    /// The batch that removes its lane; nil before there is one.
    var batch: Int64?
}

extension Bridge {
    /// Lets go of the routes that nobody configures and that hold nothing, in memory or on disk. One route always stays.
    func dropUnusedRoutes() {
        for index in routes.indices.reversed() where routes.count > 1 && isUnused(routes[index]) {
            leaving.append(LeavingRoute(route: routes.remove(at: index), batch: nil))
        }
    }

    private func isUnused(_ route: BridgeRoute) -> Bool {
        !configuration.forwards.contains { $0.priority == route.priority } && route.isOver
            && !stored.contains { route.owns($0.lane) && $0.messages > 0 }
    }

    /// The route of a priority that is configured again before its lane was removed.
    func returning(_ priority: Int) -> BridgeRoute? {
        guard let index = leaving.firstIndex(where: { $0.route.priority == priority }) else { return nil }
        var route = leaving.remove(at: index).route
        route.disconnected()
        return route
    }

    /// The lanes that the batch with this number removes.
    func takeRemovals(_ number: Int64) -> [String] {
        for index in leaving.indices where leaving[index].batch == nil { leaving[index].batch = number }
        return leaving.flatMap { $0.route.lanes.map(\.name) }
    }

    /// The batch with this number, and all before it, are on disk.
    func removed(_ number: Int64) {
        leaving.removeAll { one in
            guard let batch = one.batch, batch <= number else { return false }
            var route = one.route
            pastStatistics += route.statistics
            pastSkipped[route.priority, default: SkippedMessages()] += route.takeSkipped()
            return true
        }
    }
}
