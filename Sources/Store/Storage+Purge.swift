public import Core

extension Storage {
    /// Gives up messages that wait, all in one transaction: after a crash all of them are there, or none. Blocks go as a whole;
    /// the lanes stay, and go on counting.
    ///
    /// - Parameters:
    ///   - lanes: of these; unknown ones are left out.
    ///   - limit: only blocks whose newest message was published before; nil for all.
    /// - Returns: what was lost by it, with ``CacheLoss/Reason/purged``, and all lanes afterwards.
    public func purge(
        _ lanes: [String], publishedBefore limit: Timestamp?, now: Moment
    ) throws(StoreError) -> (losses: [CacheLoss], lanes: [LaneStatus]) {
        try withCache { (cache) throws(StoreError) in
            let losses = try cache.purge(lanes, publishedBefore: limit, now: now)
            return (losses, try cache.status().lanes)
        }
    }
}

extension BreakpointCache {
    func purge(_ names: [String], publishedBefore limit: Timestamp?, now: Moment) throws(StoreError) -> [CacheLoss] {
        var losses: [CacheLoss] = []
        var acknowledgements: [LaneAcknowledgement] = []
        for name in names {
            guard let index = laneIndex[name], let span = try blocks(of: lanes[index], publishedBefore: limit) else { continue }
            losses.append(
                CacheLoss(
                    lane: name, messages: lanes[index].messages, reason: .purged,
                    sequences: min(lanes[index].acknowledged + 1, span.last)...span.last,
                    oldest: Timestamp(milliseconds: span.oldest), newest: Timestamp(milliseconds: span.newest)))
            acknowledgements.append(LaneAcknowledgement(lane: name, through: span.last))
        }
        guard !losses.isEmpty else { return [] }
        _ = try commit([], acknowledgements: acknowledgements, now: now)
        for index in losses.indices {
            losses[index].messages -= laneIndex[losses[index].lane].map { lanes[$0].messages } ?? 0
        }
        return losses.filter { $0.messages > 0 }
    }

    /// The blocks at a lane's front that are older; nil if there is none.
    private func blocks(
        of lane: CacheLane, publishedBefore limit: Timestamp?
    ) throws(StoreError) -> (last: Int64, oldest: Int64, newest: Int64)? {
        guard var head = lane.head else { return nil }
        func oldest(_ block: CacheBlockHead) -> Int64 { time(block.oldest, block.epoch).milliseconds }
        func newest(_ block: CacheBlockHead) -> Int64 { time(block.newest, block.epoch).milliseconds }
        guard let limit else {
            let tail = try lastBlock(ofLane: lane, upTo: lane.endKey) ?? head
            return (lane.last, oldest(head), max(newest(head), newest(tail)))
        }
        var span: (last: Int64, oldest: Int64, newest: Int64)?
        while newest(head) < limit.milliseconds {
            span = (head.last, min(span?.oldest ?? .max, oldest(head)), max(span?.newest ?? .min, newest(head)))
            guard let next = try firstBlock(ofLane: lane, from: head.key + 1) else { break }
            head = next
        }
        return span
    }
}
