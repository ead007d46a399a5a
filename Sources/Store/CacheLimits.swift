internal import Core

/// How much the breakpoint cache may hold, over all lanes together and of each route.
public struct CacheLimits: Sendable, Hashable {
    /// Bytes of all blocks. The file is a little larger (pages, free space) and does not grow beyond that.
    public var maximumBytes: Int64
    /// Blocks whose newest message is older are dropped; nil for no limit of age.
    public var maximumAge: Duration?
    /// By route (``RoutePolicy/route(ofLane:)``).
    public var routes: [String: RoutePolicy]
    /// Of the routes that ``routes`` does not name.
    public var defaultPolicy: RoutePolicy
    /// Bytes after which a commit starts another block, at most 4 MiB; a greater message has a block of its own.
    public let blockBytes: Int
    /// How blocks are compressed from now on; what is stored is read either way.
    public var compression: Compression

    public enum Compression: String, Sendable, Hashable, CaseIterable {
        case none
        /// A block's records as one zstd frame, where that saves more than a tenth of them.
        case zstd
    }

    static let maximumBlockBytes = 4 << 20

    public init(
        maximumBytes: Int64 = 1 << 30, maximumAge: Duration? = .seconds(30 * 86_400), routes: [String: RoutePolicy] = [:],
        defaultPolicy: RoutePolicy = RoutePolicy(), blockBytes: Int = 256 << 10, compression: Compression = .none
    ) {
        self.maximumBytes = maximumBytes
        self.maximumAge = maximumAge
        self.routes = routes
        self.defaultPolicy = defaultPolicy
        self.blockBytes = min(max(1, blockBytes), CacheLimits.maximumBlockBytes)
        self.compression = compression
    }

    /// Earlier times (ms) come from a clock that was not set yet; such messages have no age.
    public static let earliestPlausibleTime: Int64 = 1_577_836_800_000  // 2020-01-01

    public func policy(ofRoute route: String) -> RoutePolicy { routes[route] ?? defaultPolicy }

    /// Bytes that the routes up to a priority may hold together which never give up what they have stored and have no limit of
    /// their own. Of n priorities that ``routes`` has, the k lowest may fill k/n of the cache, so that a route finds room that
    /// is more important than one that keeps everything.
    public func share(upTo priority: Int) -> Int64 {
        let priorities = Set(routes.values.map(\.priority))
        let lower = priorities.filter { $0 <= priority }.count
        guard lower > 0, lower < priorities.count else { return maximumBytes }
        return maximumBytes / Int64(priorities.count) * Int64(lower)
    }

    /// Bytes that a route may hold at most, and why. Others may leave it less.
    public func allowance(ofRoute route: String) -> Allowance {
        let policy = policy(ofRoute: route)
        if let own = policy.maximumBytes {
            return own < maximumBytes ? Allowance(bytes: own, kind: .own) : Allowance(bytes: maximumBytes, kind: .whole)
        }
        let share = policy.gives ? maximumBytes : share(upTo: policy.priority)
        return Allowance(bytes: share, kind: share < maximumBytes ? .share : .whole)
    }

    /// What a route may hold (``allowance(ofRoute:)``).
    public struct Allowance: Sendable, Hashable {
        public enum Kind: Sendable, Hashable {
            /// The whole cache.
            case whole
            /// The route's own limit (``RoutePolicy/maximumBytes``).
            case own
            /// What it leaves free for more important routes (``CacheLimits/share(upTo:)``).
            case share
        }

        public var bytes: Int64
        public var kind: Kind
    }

    /// A limit counts as reached when less is left than this: the next commit's block may not fit.
    func margin(of limit: Int64) -> Int64 { min(Int64(blockBytes), limit / 16) }
}
