import Configuration
import Core
import Store

/// How much the cache may hold: what `size` in `[cache]` comes to on this disk.
struct CacheSize: Sendable, Equatable {
    /// Of all blocks; the file is a little larger.
    var bytes: Int64
    /// How it came about, for people.
    var reason: String

    /// Less than this is no cache.
    static let minimum: Int64 = 1 << 20
    /// Bytes that are left free for what a disk needs beside the cache: two write-ahead logs of 4 MiB, the reserve of 5 MiB,
    /// logs; on a small disk three quarters of it.
    static let reserve: Int64 = 16 << 20
    /// The file is larger than its blocks by the pages' heads and their unused ends, at most by this (measured: 2 to 4 %).
    static let fileOverhead = 1.05

    /// - Parameters:
    ///   - space: nil if the file system does not say.
    ///   - share: ``BoardProfile/Storage/cacheShare``.
    ///   - need: of the planned traffic.
    static func of(
        _ size: MartletConfiguration.Cache.Size, on space: DiskSpace?, share: Double, need: Need
    ) -> CacheSize {
        switch size {
        case .bytes(let bytes):
            return CacheSize(bytes: Int64(bytes), reason: "as configured")
        case .auto:
            return auto(space, share: share)
        case .duration(let time):
            let auto = auto(space, share: share)
            guard need.bytesPerSecond > 0 else {
                return CacheSize(
                    bytes: auto.bytes,
                    reason: "no point on a bus is forwarded, so it is not known what \(Quantity.time(time)) need; \(auto.reason)")
            }
            let needed = Double(time.wholeMilliseconds) / 1000 * need.bytesPerSecond * need.sharing
            guard needed < Double(auto.bytes) else {
                return CacheSize(
                    bytes: auto.bytes, reason: "\(Quantity.time(time)) need \(Quantity.bytes(needed)), the disk has less; \(auto.reason)")
            }
            return CacheSize(
                bytes: max(minimum, Int64(needed)), reason: "\(Quantity.time(time)) at \(need.text)")
        }
    }

    /// What the planned traffic needs of the cache.
    struct Need: Sendable, Equatable {
        /// That it adds to the cache's blocks while nothing leaves them; 0 if nothing is known of it.
        var bytesPerSecond = 0.0
        /// How many times that it takes until every route has it, because some may fill only their share; at least 1.
        var sharing = 1.0

        /// A route that never gives has a part of the cache only, the others have what is left.
        ///
        /// - Parameter rates: bytes a second by route.
        init(rates: [String: Double], limits: CacheLimits) {
            bytesPerSecond = rates.values.reduce(0, +)
            guard bytesPerSecond > 0 else { return }
            let sharing = rates.keys.filter { limits.allowance(ofRoute: $0).kind == .share }.map { limits.policy(ofRoute: $0).priority }
            for priority in sharing {
                let together = rates.reduce(0.0) { sum, route in
                    let policy = limits.policy(ofRoute: route.key)
                    return policy.takesShare && policy.priority <= priority ? sum + route.value : sum
                }
                let part = Double(limits.share(upTo: priority)) / Double(limits.maximumBytes)
                self.sharing = max(self.sharing, together / part / bytesPerSecond)
            }
        }

        init(bytesPerSecond: Double = 0) { self.bytesPerSecond = bytesPerSecond }

        fileprivate var text: String {
            "\(Quantity.bytes(bytesPerSecond * 86_400)) a day"
                + (sharing > 1 ? ", times \(Quantity.number(sharing)): a route that refuses or drops what is new may fill only its share" : "")
        }
    }

    /// What to begin with: on a disk that is full now nothing is known of what it will have, so it is the board's share then.
    func atStart(on space: DiskSpace?, share: Double) -> CacheSize {
        guard let space, space.available < min(CacheSize.reserve, space.total / 2) else { return self }
        let bytes = Int64(Double(space.total) * share / CacheSize.fileOverhead)
        guard bytes > self.bytes else { return self }
        return CacheSize(bytes: bytes, reason: "the disk is full; until that is known to last, the board's share of it")
    }

    private static func auto(_ space: DiskSpace?, share: Double) -> CacheSize {
        guard let space else { return CacheSize(bytes: 1 << 30, reason: "the size of the disk is not known") }
        let percent = Int((share * 100).rounded())
        let allowed = Double(space.total) * share - Double(space.others)
        let free = max(0, Double(space.available + space.own - min(reserve, space.total / 4 * 3)))
        func size(_ bytes: Double, _ reason: String) -> CacheSize {
            let bytes = Int64(bytes / fileOverhead)
            // What the cache holds already has its place, however full the disk is: it must not be dropped for that.
            if bytes < space.own { return CacheSize(bytes: max(minimum, space.own), reason: "what its file takes; \(reason)") }
            return CacheSize(bytes: max(minimum, bytes), reason: reason)
        }
        let total = Quantity.bytes(space.total)
        let others = Quantity.bytes(space.others)
        if allowed < Double(minimum) * fileOverhead {
            return size(free / 10, "other things take \(others), more than \(percent) % of \(total): a tenth of what is free")
        }
        if free < allowed { return size(free, "what is free of \(total), less a reserve") }
        return size(allowed, "\(percent) % of \(total), less \(others) for other things")
    }
}
