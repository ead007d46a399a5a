import Core

/// Which of a device's points could be reached when they were last tried. A device none of whose points can be reached is
/// lost; one of which nothing is known yet is not.
struct DevicePresence {
    /// Points that are watched; further ones count for nothing.
    private static let limit = 10_000

    private var points: [String: (isReachable: Bool, time: Timestamp)] = [:]
    private var reachable = 0

    var isLost: Bool { !points.isEmpty && reachable == 0 }

    /// Takes a post of measurement points. What is older than what is known changes nothing.
    mutating func take(_ post: DevicePost) {
        guard post.kind == .measurepoints else { return }
        for item in post.items {
            let before = points[item.name]
            guard before.map({ post.time >= $0.time }) ?? (points.count < Self.limit) else { continue }
            let isReachable = !item.isUnreachable
            points[item.name] = (isReachable, post.time)
            if isReachable != (before?.isReachable ?? false) { reachable += isReachable ? 1 : -1 }
        }
    }
}
