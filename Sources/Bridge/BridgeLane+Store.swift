public import Core
import DequeModule
public import Store

extension BridgeLane {
    /// Whether acknowledgements are worth a commit of their own: one has waited long enough, or they are many.
    public func acknowledgementIsDue(now: MonotonicTime) -> Bool {
        let waiting = acknowledgedThrough - offeredThrough
        return waiting > 0 && (waiting >= limits.acknowledgementCount || now - offeredAt >= limits.acknowledgementInterval)
    }

    /// What the lane puts into a batch that is closed now; nil for nothing.
    ///
    /// - Parameter number: the batch's; batches are taken with rising numbers and committed in that order.
    public mutating func takeBatch(
        _ number: Int64, now: MonotonicTime
    ) -> (append: LaneAppend?, acknowledgement: LaneAcknowledgement?)? {
        var acknowledgement: LaneAcknowledgement?
        if acknowledgedThrough > offeredThrough {
            offeredThrough = acknowledgedThrough
            acknowledgement = LaneAcknowledgement(lane: name, through: offeredThrough)
        }
        guard hasAppends || acknowledgement != nil else { return nil }
        offeredAt = now
        let first = lastSequence - Int64(pending.count) + 1
        var append: LaneAppend?
        if hasAppends {
            append = LaneAppend(lane: name, firstSequence: first, messages: pending)
        }
        committing.append(
            Batch(
                number: number, firstSequence: first, messages: pending, bytes: pendingBytes,
                acknowledged: offeredThrough, passed: passed))
        committingBytes += pendingBytes
        pending = []
        pendingBytes = 0
        return (append, acknowledgement)
    }

    /// The batch with this number, and all before it, are on disk.
    ///
    /// - Parameters:
    ///   - refused: messages of the lane that the cache did not take because it is full (``CacheLoss/Reason/newest``).
    ///   - dropped: older ones that it gave up to hold its limits.
    ///   - isTimeKnown: whether the messages' times are right.
    public mutating func committed(
        _ number: Int64, refused: Int64 = 0, dropped: Int64 = 0, isTimeKnown: Bool = true, now: MonotonicTime = .zero
    ) {
        statistics.dropped &+= UInt64(max(0, refused)) &+ UInt64(max(0, dropped))
        let refused = Int(clamping: max(0, refused))
        while let batch = committing.first, batch.number <= number {
            committing.removeFirst()
            committingBytes -= batch.bytes
            persistedThrough = batch.acknowledged
            persistedPassed = batch.passed
            // What the store refuses is the end of what it was given.
            let isLast = committing.first.map { $0.number > number } ?? true
            let taken = isLast ? max(0, batch.messages.count - refused) : batch.messages.count
            for (index, message) in batch.messages.enumerated() {
                let sequence = batch.firstSequence + Int64(index)
                // A commit that failed may have left them on disk, where a read has found them since.
                committedThrough = max(committedThrough, sequence)
                guard bufferedThrough == sequence - 1 else { continue }
                if index < taken {
                    buffer(message, sequence: sequence, isTimeKnown: isTimeKnown, now: now)
                } else {
                    bufferedThrough = sequence
                }
            }
        }
    }

    /// Takes a committed message that follows the buffer's last one, if there is room.
    private mutating func buffer(_ message: Message, sequence: Int64, isTimeKnown: Bool, now: MonotonicTime) {
        var entry = Entry(sequence: sequence, message: message, isTimeUncertain: !isTimeKnown)
        entry.bufferedAt = now
        let limit = link == nil ? limits.maximumBufferedBytes / 4 : limits.maximumBufferedBytes
        guard buffer.isEmpty || bufferedBytes + entry.size <= limit else { return }
        buffer.append(entry)
        bufferedBytes += entry.size
        bufferedThrough = sequence
    }

    /// The batch is not on disk. What it held, and what later ones do, goes into the next batch taken.
    public mutating func commitFailed() {
        var messages: [Message] = []
        for batch in committing { messages += batch.messages }
        committing.removeAll()
        pending = messages + pending
        pendingBytes += committingBytes
        committingBytes = 0
        offeredThrough = persistedThrough
    }

    /// The read that is to be made now, if any: while connected, when half of the buffer is free and the disk has more.
    /// There is one at a time; ``finishRead(_:_:nextSequence:damaged:now:)`` or ``readFailed(_:)`` ends it.
    public mutating func takeRead() -> LaneRead? {
        guard link != nil, readUpTo == nil, isReadingFromDisk,
            bufferedBytes <= limits.maximumBufferedBytes / 2
        else { return nil }
        readUpTo = committedThrough
        readNumber += 1
        return LaneRead(
            lane: name, number: readNumber, from: bufferedThrough + 1, maximumCount: limits.pageCount,
            maximumBytes: max(1, limits.maximumBufferedBytes / 4))
    }

    /// What a read gave: ``CacheReading/messages``, ``CacheReading/nextSequence`` and
    /// ``CacheReading/damagedMessages``.
    public mutating func finishRead(
        _ read: LaneRead, _ messages: [CachedMessage], nextSequence: Int64, damaged: Int64, now: MonotonicTime = .zero
    ) {
        statistics.damaged &+= UInt64(max(0, damaged))
        // An abandoned one may start behind what is to be read now.
        guard let upTo = readUpTo, read.number == readNumber else { return }
        readUpTo = nil
        for cached in messages where cached.sequence > bufferedThrough {
            var entry = Entry(sequence: cached.sequence, message: cached.message, isTimeUncertain: cached.isTimeUncertain)
            entry.bufferedAt = now
            buffer.append(entry)
            bufferedBytes += entry.size
            bufferedThrough = cached.sequence
        }
        // Behind the last message there may be a hole. What was committed since the read was asked for is none.
        bufferedThrough = max(bufferedThrough, min(nextSequence - 1, upTo))
        committedThrough = max(committedThrough, bufferedThrough)
    }

    /// Forgets what has not been sent yet, so that it is read from the disk again, where it has changed.
    ///
    /// - Parameter sequence: of the first message that has.
    public mutating func rereadUnsent(from sequence: Int64 = 0) {
        guard sequence <= bufferedThrough + 1 else { return }
        let before = acknowledgedThrough
        while let last = buffer.last, last.sequence >= sequence, last.state == .waiting, !last.wasSent {
            buffer.removeLast()
            bufferedBytes -= last.size
        }
        cursor = min(cursor, buffer.count)
        bufferedThrough = buffer.last?.sequence ?? before
        // What a read under way brings is as old as what was forgotten.
        readUpTo = nil
    }

    /// What the cache has lost is not sent from memory either: it counts as lost, and would be followed by a gap. What has been
    /// sent on this connection may arrive all the same.
    mutating func follow(_ loss: CacheLoss) {
        switch loss.reason {
        case .size, .age, .purged: giveUp(through: loss.sequences.upperBound)
        case .thinned: rereadUnsent(from: loss.sequences.lowerBound)
        // The first were never taken, the others were not in memory.
        case .newest, .damaged: break
        }
    }

    /// The read failed; it is asked for again.
    public mutating func readFailed(_ read: LaneRead) {
        if read.number == readNumber { readUpTo = nil }
    }
}

/// A page to be read from the cache.
public struct LaneRead: Sendable, Equatable {
    public var lane: String
    /// Of the lane's reads since the program started.
    public var number: UInt64
    /// Sequence to start from.
    public var from: Int64
    public var maximumCount: Int
    /// Bytes.
    public var maximumBytes: Int
}
