import Core

/// Routes by topic: an open-addressing hash table whose keys are compared as bytes, without making a `String`.
///
/// Bounded: at ``maximumCount`` topics or ``maximumBytes`` it is emptied and fills again with those in use.
struct RouteTable {
    static let maximumCount = 65_536
    /// Of topics and targets: long topics and many subscribers make routes large.
    static let maximumBytes = 32 << 20
    /// So many routes are looked through for those that a filter matches; of more all are given up.
    private static let worthSearching = 2_048

    private struct Slot {
        var hash: UInt64 = 0
        var route: Route?
    }

    private var slots = [Slot](repeating: Slot(), count: 256)
    private(set) var count = 0
    private(set) var byteCount = 0
    /// Routes that are not current any more and still take their place.
    private var retired = 0
    /// How many are current, by the first level of their topics: most filters that come and go begin with another one than
    /// the topics in use, and need no search.
    private var firstLevels = FirstLevels()
    private let hashOfTopic = ByteHash()

    func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 { hashOfTopic(bytes) }

    /// The topic's current route, nil if there is none.
    func find(_ topic: UnsafeRawBufferPointer, hash: UInt64) -> Route? {
        slots.withUnsafeBufferPointer { slots in
            let mask = slots.count &- 1
            var index = Int(truncatingIfNeeded: hash) & mask
            while let route = slots[index].route {
                if slots[index].hash == hash, route.isOf(topic) { return route.isCurrent ? route : nil }
                index = (index &+ 1) & mask
            }
            return nil
        }
    }

    /// Puts a route in, in place of the one of the same topic.
    mutating func insert(_ route: Route) {
        if count >= RouteTable.maximumCount || byteCount + RouteTable.size(of: route) > RouteTable.maximumBytes {
            retireAll()
        } else if (count + 1) * 2 > slots.count {
            let old = slots
            let isMostlyRetired = retired * 2 > count
            slots = [Slot](repeating: Slot(), count: isMostlyRetired ? old.count : old.count * 2)
            count = 0
            byteCount = 0
            retired = 0
            firstLevels = FirstLevels()
            for case let route? in old.lazy.map(\.route) where route.isCurrent { place(route) }
        }
        place(route)
    }

    private mutating func place(_ route: Route) {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: route.hash) & mask
        while let other = slots[index].route {
            if other.hash == route.hash, other.topic == route.topic {
                if other.isCurrent { leave(other) } else { retired -= 1 }
                enter(route)
                slots[index].route = route
                return
            }
            index = (index + 1) & mask
        }
        slots[index] = Slot(hash: route.hash, route: route)
        count += 1
        enter(route)
    }

    private mutating func enter(_ route: Route) {
        byteCount += RouteTable.size(of: route)
        route.topic.withUnsafeBytes { firstLevels.change(by: 1, ofTopic: $0, hashOfTopic) }
    }

    private mutating func leave(_ route: Route) {
        byteCount -= RouteTable.size(of: route)
        route.topic.withUnsafeBytes { firstLevels.change(by: -1, ofTopic: $0, hashOfTopic) }
    }

    /// A subscription with this filter has come or gone.
    mutating func retire(matching filter: UnsafeRawBufferPointer) {
        if filter.contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }) {
            if firstLevels.excludes(filter, hashOfTopic) { return }
            guard count <= RouteTable.worthSearching else { return retireAll() }
            for case let route? in slots.lazy.map(\.route) where route.isCurrent {
                if route.topic.withUnsafeBytes({ TopicFilter.matches(filter: filter, topic: $0) }) { retire(route) }
            }
        } else if let route = find(filter, hash: hash(filter)) {
            retire(route)
        }
    }

    private mutating func retire(_ route: Route) {
        leave(route)
        route.retire()
        retired += 1
    }

    /// Subscriptions, or what clients may receive, have changed for all topics.
    mutating func retireAll() {
        for slot in slots { slot.route?.retire() }
        slots = [Slot](repeating: Slot(), count: 256)
        count = 0
        byteCount = 0
        retired = 0
        firstLevels = FirstLevels()
    }

    /// What a route takes in memory, about.
    private static func size(of route: Route) -> Int {
        128 + route.topic.count + route.targets.count * MemoryLayout<Target>.stride
    }
}

/// Counts topics by a hash of their first level.
private struct FirstLevels {
    private var counts = [Int32](repeating: 0, count: 256)

    mutating func change(by difference: Int32, ofTopic topic: UnsafeRawBufferPointer, _ hash: ByteHash) {
        counts[FirstLevels.place(of: topic, hash)] += difference
    }

    /// Whether no topic that is counted can match a filter. False if one may.
    func excludes(_ filter: UnsafeRawBufferPointer, _ hash: ByteHash) -> Bool {
        guard let first = filter.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "#") else { return false }
        return counts[FirstLevels.place(of: filter, hash)] == 0
    }

    private static func place(of bytes: UnsafeRawBufferPointer, _ hash: ByteHash) -> Int {
        let end = bytes.firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
        return Int(truncatingIfNeeded: hash(UnsafeRawBufferPointer(rebasing: bytes[..<end])) & 255)
    }
}
