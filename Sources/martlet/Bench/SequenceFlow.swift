/// What one subscriber got from one publisher: sequence numbers that start at 0 and are sent once each, in order.
///
/// Exact for any pattern of loss, repetition and disorder. Memory grows with the number of gaps, which is none at a
/// broker that does its work.
struct SequenceFlow {
    enum Arrival: Equatable {
        /// Nothing later has arrived before.
        case inOrder
        /// A later one arrived before.
        case late
        /// Has arrived before.
        case duplicate
    }

    /// Everything below has arrived or is in `missing`.
    private var next: UInt32 = 0
    /// What was skipped and has not come: not empty, ascending, apart from each other.
    private var missing: [Range<UInt32>] = []

    /// - Parameter sequence: less than `UInt32.max`.
    @inline(__always)
    mutating func record(_ sequence: UInt32) -> Arrival {
        if sequence == next {
            next &+= 1
            return .inOrder
        }
        return recordOutOfTurn(sequence)
    }

    @inline(never)
    private mutating func recordOutOfTurn(_ sequence: UInt32) -> Arrival {
        if sequence > next {
            missing.append(next..<sequence)
            next = sequence &+ 1
            return .inOrder
        }
        guard let index = gap(with: sequence) else { return .duplicate }
        let gap = missing[index]
        let before = gap.lowerBound..<sequence
        let after = (sequence + 1)..<gap.upperBound
        switch (before.isEmpty, after.isEmpty) {
        case (true, true): missing.remove(at: index)
        case (true, false): missing[index] = after
        case (false, true): missing[index] = before
        case (false, false):
            missing[index] = before
            missing.insert(after, at: index + 1)
        }
        return .late
    }

    private func gap(with sequence: UInt32) -> Int? {
        var low = 0
        var high = missing.count
        while low < high {
            let middle = (low + high) / 2
            if missing[middle].upperBound <= sequence { low = middle + 1 } else { high = middle }
        }
        return low < missing.count && missing[low].contains(sequence) ? low : nil
    }
}
