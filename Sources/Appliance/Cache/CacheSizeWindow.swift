import Core

/// The size that the cache has while what else is on the disk comes and goes: the largest that was right within ten minutes.
///
/// A disk that is full for a while must not cost the cache what it holds: as long as that lasts, what is new waits or is
/// refused. Only when it stays so, the routes give what their policies say.
struct CacheSizeWindow {
    static let length = Duration.seconds(600)
    private var sizes: [(size: CacheSize, at: MonotonicTime)] = []

    /// - Parameter size: as measured now.
    mutating func update(_ size: CacheSize, now: MonotonicTime) -> CacheSize {
        sizes.removeAll { now - $0.at >= CacheSizeWindow.length }
        // A smaller or equal one before it will not be the largest again.
        sizes.removeAll { $0.size.bytes <= size.bytes }
        sizes.append((size, now))
        return sizes[0].size
    }
}
