internal import Core

// Who makes room. A route gives up what it has stored for itself and for routes of at least its own priority, if its policy
// lets it give at all; the least priority first, of equal ones the lane with the oldest first block. So a message of
// a great priority stays as long as any of a smaller one is left, and one of a small priority never displaces a greater. What
// never gives leaves room for greater ones from the start.

extension BreakpointCache {
    /// What one commit gives up at most, apart from what it adds: after a limit was made much smaller the next ones go on.
    static let maximumGivenBytes: Int64 = 32 << 20

    /// Bytes that a block of a route may have so that the limits still hold when all have given that would.
    func room(forRoute route: String, in change: CacheChange) -> Int64 {
        let policy = limits.policy(ofRoute: route)
        let below = policy.whenFull == .dropNewest ? policy.priority : policy.priority + 1
        var kept: Int64 = 0
        for lane in change.lanes {
            let other = limits.policy(ofRoute: lane.route)
            if !other.gives || other.priority >= below { kept += lane.bytes }
        }
        let ofRoute = policy.maximumBytes.map { $0 - change.bytes(ofRoute: route) } ?? roomBesideMoreImportant(policy, in: change)
        return min(limits.maximumBytes - kept, ofRoute)
    }

    /// What is left of the share that routes have which never give (``CacheLimits/share(upTo:)``).
    private func roomBesideMoreImportant(_ policy: RoutePolicy, in change: CacheChange) -> Int64 {
        guard !policy.gives else { return .max }
        var held: Int64 = 0
        for lane in change.lanes {
            let other = limits.policy(ofRoute: lane.route)
            if other.takesShare, other.priority <= policy.priority { held += lane.bytes }
        }
        return limits.share(upTo: policy.priority) - held
    }

    /// Whether publishers of a route's messages should be refused.
    func isFull(_ route: String, in change: CacheChange) -> Bool {
        let policy = limits.policy(ofRoute: route)
        guard !policy.gives else { return false }
        return room(forRoute: route, in: change) < limits.margin(of: limits.allowance(ofRoute: route).bytes)
    }

    /// Whether the file holds more than it may, over all or of a route that gives.
    var isOverLimits: Bool {
        let change = CacheChange(lanes: lanes)
        return totalBytes > limits.maximumBytes
            || lanes.contains { lane in
                let policy = limits.policy(ofRoute: lane.route)
                return policy.gives && change.bytes(ofRoute: lane.route) > policy.maximumBytes ?? .max
            }
    }

    func isTooOld(_ lane: CacheLane, at now: Moment) -> Bool {
        guard let head = lane.head, let limit = limits.policy(ofRoute: lane.route).maximumAge ?? limits.maximumAge,
            let age = clock.age(of: head, boot: boot, at: now)
        else { return false }
        return age > limit.wholeMilliseconds
    }

    /// Drops what is too old and what there is no room for.
    func holdLimits(_ change: inout CacheChange, now: Moment) throws(StoreError) {
        let most = max(BreakpointCache.maximumGivenBytes, 2 * change.bytesAdded)
        for index in change.lanes.indices {
            while change.bytesGiven < most, isTooOld(change.lanes[index], at: now) {
                try dropHead(&change, lane: index, .age)
            }
        }
        for route in Set(change.lanes.map(\.route)) {
            let policy = limits.policy(ofRoute: route)
            guard policy.gives, let maximum = policy.maximumBytes else { continue }
            while change.bytesGiven < most, case let excess = change.bytes(ofRoute: route) - maximum, excess > 0 {
                guard try give(&change, route: route, policy, excess: excess) else { break }
            }
        }
        guard let priority = change.neededFor else { return }
        while change.bytesGiven < most, case let excess = change.totalBytes - limits.maximumBytes, excess > 0 {
            guard let route = firstToGive(upTo: priority, change),
                try give(&change, route: route, limits.policy(ofRoute: route), excess: excess)
            else { return }
        }
    }

    private func firstToGive(upTo priority: Int, _ change: CacheChange) -> String? {
        var first: (lane: Int, priority: Int)?
        for index in change.lanes.indices where change.lanes[index].head != nil {
            let policy = limits.policy(ofRoute: change.lanes[index].route)
            guard policy.gives, policy.priority <= priority else { continue }
            if let other = first, policy.priority > other.priority
                || policy.priority == other.priority && !change.isOlder(index, than: other.lane)
            {
                continue
            }
            first = (index, policy.priority)
        }
        return first.map { change.lanes[$0.lane].route }
    }

    /// A route gives some of what it has; false when it has nothing, or has given what one commit has time for.
    ///
    /// - Parameter excess: bytes that are too many.
    private func give(
        _ change: inout CacheChange, route: String, _ policy: RoutePolicy, excess: Int64
    ) throws(StoreError) -> Bool {
        if policy.whenFull == .thin {
            if change.bytesThinned < max(BreakpointCache.maximumThinnedBytes, 4 * change.bytesAdded) {
                if try thin(&change, route: route) { return true }
            } else if excess < min(policy.maximumBytes ?? .max, limits.maximumBytes) / 16 {
                // The next commits go on.
                return false
            }
        }
        guard let index = change.oldestLane(ofRoute: route) else { return false }
        try dropHead(&change, lane: index, .size)
        return true
    }

    /// A time of a block, corrected if that is known.
    func time(_ milliseconds: Int64, _ epoch: Int64?) -> Timestamp {
        Timestamp(milliseconds: milliseconds &+ clock.correction(of: epoch))
    }

    private func dropHead(_ change: inout CacheChange, lane index: Int, _ reason: CacheLoss.Reason) throws(StoreError) {
        var lane = change.lanes[index]
        guard let head = lane.head else { return }
        let bytes = lane.bytes
        change.report.add(
            CacheLoss(
                lane: lane.name, messages: lane.waitingOfHead, reason: reason,
                sequences: min(max(head.first, lane.acknowledged + 1), head.last)...head.last,
                oldest: time(head.oldest, head.epoch), newest: time(head.newest, head.epoch)))
        lane.acknowledged = max(lane.acknowledged, head.last)
        try advance(&lane, to: firstBlock(ofLane: lane, from: head.key + 1))
        change.shortened.insert(index)
        change.lanes[index] = lane
        change.bytesGiven += bytes - lane.bytes
    }

    /// Makes `head` the lane's first block; those before it are to be deleted.
    func advance(_ lane: inout CacheLane, to head: CacheBlockHead?) throws(StoreError) {
        guard let old = lane.head else { return }
        try setHead(&lane, head)
        guard lane.spare != CacheSums() else { return }
        guard let head else { return lane.spare = CacheSums() }
        // What the blocks that leave were written with, less what they have: that much fewer is counted too much now.
        lane.spare = lane.spare - (head.before - old.before - (try sums(from: old.key, to: head.key - 1)))
    }

    private func sums(from low: Int64, to high: Int64) throws(StoreError) -> CacheSums {
        let select = try database.statement(
            """
            SELECT count(*), ifnull(sum(ifnull(messages, last - (id & 2251799813685247) + 1)), 0),
                ifnull(sum(length(data)), 0)
            FROM block WHERE id BETWEEN ? AND ?
            """)
        try select.bind(1, low)
        try select.bind(2, high)
        guard try select.step() else { return CacheSums() }
        defer { select.reset() }
        let blocks = select.integer(0)
        return CacheSums(
            blocks: blocks, messages: select.integer(1), bytes: select.integer(2) + blocks * BreakpointCache.rowBytes)
    }
}
