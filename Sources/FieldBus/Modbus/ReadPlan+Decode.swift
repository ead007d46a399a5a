import Core

extension ReadPlan {
    /// Adds a sample for each point of a block of registers.
    ///
    /// - Parameter registers: the answer, as many registers as the block asked for.
    func decode(
        block: ReadBlock, registers: UnsafeBufferPointer<UInt16>, time: Timestamp, into samples: inout [Sample]
    ) {
        for index in block.points {
            let codec = codecs[index]
            let at = points[index].address - block.startingAddress
            guard at >= 0, at + codec.quantity <= registers.count else {
                samples.append(Sample(point: points[index].identifier, value: nil, quality: .bad(.badResponse), time: time))
                continue
            }
            var (value, quality) = codec.decode(UnsafeBufferPointer(rebasing: registers[at..<at + codec.quantity]))
            if let conversion = conversions?[index], !conversion.onlyScales, let raw = value { (value, quality) = conversion.value(raw) }
            samples.append(Sample(point: points[index].identifier, value: value, quality: quality, time: time))
        }
    }

    /// The same for a block of coils or discrete inputs, one byte each.
    func decode(block: ReadBlock, bits: UnsafeBufferPointer<UInt8>, time: Timestamp, into samples: inout [Sample]) {
        for index in block.points {
            let at = points[index].address - block.startingAddress
            let isThere = bits.indices.contains(at)
            samples.append(
                Sample(
                    point: points[index].identifier, value: isThere ? .bool(bits[at] != 0) : nil,
                    quality: isThere ? .good : .bad(.badResponse), time: time))
        }
    }

    /// Adds a bad sample for each point of a block.
    func markBad(block: ReadBlock, reason: QualityReason, time: Timestamp, into samples: inout [Sample]) {
        for index in block.points {
            samples.append(Sample(point: points[index].identifier, value: nil, quality: .bad(reason), time: time))
        }
    }
}
