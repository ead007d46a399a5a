import Core

/// Routes by topic: an open-addressing hash table whose keys are compared as bytes, without making a `String`.
///
/// Bounded: at ``maximumCount`` topics or ``maximumBytes`` it is emptied and fills again with those in use.
struct RouteTable {
    static let maximumCount = 65_536
    /// Of topics and targets: long topics and many subscribers make routes large.
    static let maximumBytes = 32 << 20

    private var slots: [Route?]
    private(set) var count = 0
    private(set) var byteCount = 0
    private let seed: UInt64

    init() {
        slots = Array(repeating: nil, count: 256)
        seed = UInt64.random(in: 0...UInt64.max) | 1
    }

    /// Eight bytes at a time; seeded, so that nobody can choose topics that collide.
    func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = seed ^ UInt64(truncatingIfNeeded: bytes.count)
        var at = 0
        while at + 8 <= bytes.count {
            hash = RouteTable.mix(hash ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            at += 8
        }
        if at < bytes.count {
            var last: UInt64 = 0
            while at < bytes.count {
                last = last << 8 | UInt64(bytes[at])
                at += 1
            }
            hash = RouteTable.mix(hash ^ last)
        }
        return hash
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }

    func find(_ topic: UnsafeRawBufferPointer, hash: UInt64) -> Route? {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while let route = slots[index] {
            if route.hash == hash, RouteTable.isEqual(route.topic, topic) { return route }
            index = (index + 1) & mask
        }
        return nil
    }

    private static func isEqual(_ a: [UInt8], _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count else { return false }
        return a.withUnsafeBytes { a in
            var at = 0
            while at + 8 <= b.count {
                if a.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                    != b.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                {
                    return false
                }
                at += 8
            }
            while at < b.count {
                if a[at] != b[at] { return false }
                at += 1
            }
            return true
        }
    }

    /// Puts a route in, in place of the one of the same topic.
    mutating func insert(_ route: Route) {
        if count >= RouteTable.maximumCount || byteCount + RouteTable.size(of: route) > RouteTable.maximumBytes {
            slots = Array(repeating: nil, count: 256)
            count = 0
            byteCount = 0
        } else if (count + 1) * 2 > slots.count {
            let old = slots
            slots = Array(repeating: nil, count: old.count * 2)
            count = 0
            byteCount = 0
            for case let route? in old { place(route) }
        }
        place(route)
    }

    private mutating func place(_ route: Route) {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: route.hash) & mask
        while let other = slots[index] {
            if other.hash == route.hash, other.topic == route.topic {
                slots[index] = route
                byteCount += RouteTable.size(of: route) - RouteTable.size(of: other)
                return
            }
            index = (index + 1) & mask
        }
        slots[index] = route
        count += 1
        byteCount += RouteTable.size(of: route)
    }

    /// What a route takes in memory, about.
    private static func size(of route: Route) -> Int {
        128 + route.topic.count + route.targets.count * MemoryLayout<Target>.stride
    }
}
