import Bridge
import Core
import Store

/// Which of the waiting messages are meant.
public struct CacheSelection: Sendable, Equatable {
    /// nil for all bridges.
    public var bridge: String?
    /// 0…9; nil for all.
    public var priority: Int?
    /// Published at least so long ago; nil for all.
    public var olderThan: Duration?

    public init(bridge: String? = nil, priority: Int? = nil, olderThan: Duration? = nil) {
        self.bridge = bridge
        self.priority = priority
        self.olderThan = olderThan
    }

    /// Of one route.
    ///
    /// - Parameter route: `BRIDGE/PRIORITY`; nil comes of what is none.
    public init?(route: String) {
        guard let name = RouteName(route) else { return nil }
        self.init(bridge: name.bridge, priority: name.priority)
    }

    /// The times before which messages are meant; nil for all.
    func limit(now: Timestamp) -> Timestamp? {
        olderThan.map { Timestamp(milliseconds: now.milliseconds - $0.wholeMilliseconds) }
    }

    private func contains(_ route: RouteName) -> Bool {
        (bridge ?? route.bridge) == route.bridge && (priority ?? route.priority) == route.priority
    }

    /// What is wrong if it names none of the routes that there are, in words; nil if it names one, or names nothing.
    func problem(among routes: Set<RouteName>) -> String? {
        guard bridge != nil || priority != nil, !routes.contains(where: contains) else { return nil }
        let missing: String
        if let bridge {
            let route = priority.map { "\(RouteName(bridge: bridge, priority: $0))" }
            missing = routes.contains { $0.bridge == bridge } ? "route \(route ?? bridge)" : "bridge \"\(bridge)\""
        } else {
            missing = "route of priority \(priority ?? 0)"
        }
        let known = routes.sorted(by: RouteName.isBefore).map { "\($0)" }.joined(separator: ", ")
        return "there is no \(missing)" + (known.isEmpty ? ": there are no routes" : "; the routes are \(known)")
    }

    /// The lanes that are meant, by bridge, then the most important first, then the oldest first.
    func lanes(_ all: [LaneStatus]) -> [LaneStatus] {
        all.filter { lane in
            guard let name = LaneName(lane.lane) else { return bridge == nil && priority == nil }
            return contains(name.route)
        }.sorted { CacheSelection.isBefore($0.lane, $1.lane) }
    }

    static func isBefore(_ a: String, _ b: String) -> Bool {
        guard let first = LaneName(a), let second = LaneName(b) else { return a < b }
        return (first.bridge, -first.priority, first.generation) < (second.bridge, -second.priority, second.generation)
    }
}

extension CacheSelection {
    /// As the query of a request has it: `bridge`, `priority`, `older-than` in seconds.
    ///
    /// - Throws: what is wrong, in words.
    init(parameters: [String: String]) throws(CacheQueryError) {
        self.init(bridge: parameters["bridge"])
        if let text = parameters["priority"] {
            guard let number = Int(text), (0...9).contains(number) else { throw CacheQueryError("priority is 0…9") }
            priority = number
        }
        if let text = parameters["older-than"] {
            guard let seconds = Int64(text), (0...(100 * 365 * 86_400)).contains(seconds) else {
                throw CacheQueryError("older-than is in seconds")
            }
            olderThan = .seconds(seconds)
        }
    }

    var parameters: [(String, String)] {
        var parameters: [(String, String)] = []
        if let bridge { parameters.append(("bridge", bridge)) }
        if let priority { parameters.append(("priority", "\(priority)")) }
        if let olderThan { parameters.append(("older-than", "\(olderThan.wholeMilliseconds / 1000)")) }
        return parameters
    }
}

/// What is wrong with a request.
struct CacheQueryError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
