/// What the messages of one route are worth: how much room they may take, and what becomes of them when there is none.
///
/// A route is what the lanes share whose names differ only behind their last `#` (``route(ofLane:)``).
public struct RoutePolicy: Sendable, Hashable {
    /// What happens when a message of the route finds no room.
    public enum WhenFull: String, Sendable, Hashable, CaseIterable {
        /// The route gives its oldest block.
        case dropOldest
        /// The message is dropped and counted; what is stored stays.
        case dropNewest
        /// The message is taken all the same, and ``LaneStatus/isFull`` says that publishers have to be refused. What is
        /// stored stays; the limit is exceeded by what was under way.
        case refuse
        /// Of the route's oldest messages every second one of a topic goes, then every second one of those that are left,
        /// and so on; when nothing can be thinned further, the oldest block.
        case thin
    }

    /// 0…9; a route gives room to those of its own priority and of greater ones only.
    public var priority: Int
    public var whenFull: WhenFull
    /// Bytes of all blocks of the route's lanes; nil for what the cache has, of which a route that never gives leaves some to
    /// more important ones (``CacheLimits/maximumBytes``).
    public var maximumBytes: Int64?
    /// Takes the place of ``CacheLimits/maximumAge``; nil for that one.
    public var maximumAge: Duration?

    public static let priorities = 0...9

    /// - Parameter priority: brought into 0…9.
    public init(
        priority: Int = 5, whenFull: WhenFull = .dropOldest, maximumBytes: Int64? = nil, maximumAge: Duration? = nil
    ) {
        self.priority = min(max(RoutePolicy.priorities.lowerBound, priority), RoutePolicy.priorities.upperBound)
        self.whenFull = whenFull
        self.maximumBytes = maximumBytes
        self.maximumAge = maximumAge
    }

    /// The route of a lane: what stands before the last `#` of its name, the whole name if there is none.
    public static func route(ofLane name: String) -> String {
        guard let mark = name.lastIndex(of: "#") else { return name }
        return String(name[..<mark])
    }

    /// Whether what is stored may make room for other messages.
    public var gives: Bool { whenFull == .dropOldest || whenFull == .thin }

    /// Whether it takes its room from what routes share that never give and have no limit of their own (``CacheLimits/share(upTo:)``).
    public var takesShare: Bool { !gives && maximumBytes == nil }
}
