public import Core
public import Store

/// What a bridge needs from the program around it. The closures are called on the bridge's event loop.
public struct BridgeEnvironment {
    /// Reads from the cache without blocking the loop, and answers on it; nil if the read failed.
    public var read: (_ read: LaneRead, _ completion: @escaping (CacheReading?) -> Void) -> Void
    /// The broker may have something to flush or to commit.
    public var scheduleTurn: () -> Void
    /// Where forms have things kept over restarts; nil for nowhere.
    public var keptDirectory: String?
    /// Where losses are told upstream; nil for nowhere.
    public var reportTopic: String?
    public var monotonicTime: () -> MonotonicTime = SystemClock.monotonic
    public var wallTime: () -> Timestamp = SystemClock.wall
    /// Whether the wall clock has been set (``Core/ClockWatch``).
    public var isTimeKnown: () -> Bool = { true }

    public init(
        read: @escaping (_ read: LaneRead, _ completion: @escaping (CacheReading?) -> Void) -> Void,
        scheduleTurn: @escaping () -> Void
    ) {
        self.read = read
        self.scheduleTurn = scheduleTurn
    }
}
