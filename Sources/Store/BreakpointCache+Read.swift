internal import Core

extension BreakpointCache {
    /// Reads messages of a lane in order, from `sequence` or the first one that is not acknowledged, whichever is later.
    /// Reads that follow one another go on inside a block.
    ///
    /// - Parameters:
    ///   - maximumBytes: of topics, properties and payloads; one message is read even if it is greater.
    func read(
        lane name: String, from sequence: Int64, maximumCount: Int, maximumBytes: Int, now: Moment
    ) throws(StoreError) -> CacheReading {
        guard let index = laneIndex[name] else { return CacheReading(nextSequence: max(1, sequence)) }
        let lane = lanes[index]
        var reading = CacheReading(nextSequence: max(sequence, lane.acknowledged + 1))
        var bytes = 0
        while reading.messages.count < maximumCount, reading.nextSequence <= lane.last {
            var decoder: CacheBlockDecoder
            if let reader = readers.removeValue(forKey: lane.number), reader.nextSequence == reading.nextSequence,
                !reader.isAtEnd
            {
                decoder = reader
            } else if let next = try openBlock(index, &reading, now: now) {
                decoder = next
            } else {
                continue
            }
            decoder.skip(to: reading.nextSequence)
            decoder.read(
                into: &reading.messages, bytes: &bytes, maximumCount: maximumCount, maximumBytes: maximumBytes, now: now)
            reading.nextSequence = max(reading.nextSequence, decoder.nextSequence)
            if decoder.isDamaged {
                reading.damagedMessages += decoder.remaining
                reading.nextSequence = decoder.last + 1
            } else if !decoder.isAtEnd {
                readers[lane.number] = decoder
                break
            }
        }
        return reading
    }

    /// The block that holds `reading.nextSequence`, or the first one after it, to which the reading then goes on. nil,
    /// with the reading moved on, when there is none or it is damaged.
    private func openBlock(
        _ index: Int, _ reading: inout CacheReading, now: Moment
    ) throws(StoreError) -> CacheBlockDecoder? {
        let lane = lanes[index]
        let sequence = reading.nextSequence
        let key = CacheKey.key(lane: lane.number, sequence: sequence)
        let select = try database.statement(
            "SELECT id, last, data, epoch FROM block WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1")
        try select.bind(1, lane.firstKey)
        try select.bind(2, key)
        if try select.step() {
            if select.integer(1) >= sequence { return try decode(select, index, &reading, now: now) }
            select.reset()
        }
        let following = try database.statement(
            "SELECT id, last, data, epoch FROM block WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1")
        try following.bind(1, key)
        try following.bind(2, lane.endKey)
        guard try following.step() else {
            reading.nextSequence = lane.last + 1
            return nil
        }
        return try decode(following, index, &reading, now: now)
    }

    /// Reads the block of the current row and ends the walk over rows.
    private func decode(
        _ row: Statement, _ index: Int, _ reading: inout CacheReading, now: Moment
    ) throws(StoreError) -> CacheBlockDecoder? {
        let lane = lanes[index]
        let key = row.integer(0)
        let last = row.integer(1)
        reading.nextSequence = max(reading.nextSequence, CacheKey.sequence(of: key))
        let decoder = row.withBytes(2) { CacheBlockDecoder($0, key: key, last: last, compression: compression) }
        let epoch = row.optionalInteger(3)
        row.reset()
        if var decoder {
            decoder.timeCorrection = clock.correction(of: epoch)
            decoder.isTimeUncertain = clock.isUncertain(epoch)
            return decoder
        }
        // The last sequence in the row may be what is wrong, so the next row says where reading goes on.
        let select = try database.statement("SELECT min(id) FROM block WHERE id BETWEEN ? AND ?")
        try select.bind(1, key + 1)
        try select.bind(2, lane.endKey)
        let next = try select.step() ? select.optionalInteger(0) : nil
        select.reset()
        let behind = next.map { CacheKey.sequence(of: $0) } ?? lane.last + 1
        let messages = max(0, behind - reading.nextSequence)
        let first = reading.nextSequence
        reading.damagedMessages += messages
        reading.nextSequence = max(first + 1, behind)
        try setAside(key, lane: index, messages: messages, sequences: first...max(first, behind - 1), now: now)
        return nil
    }
}
