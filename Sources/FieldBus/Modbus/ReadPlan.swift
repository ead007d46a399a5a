import Core

// The points of one device that are read together, and the few reads that bring them.
//
// Points are sorted by area and address and then joined, left to right:
//
//     address   0   1   2   3   4   5   6   7   8   9  …  40  41
//     points    [temp ] [n]         [total        ]       [set ]
//     reads     └────────── one: 0, quantity 10 ──┘       └ two ┘      the hole 3…5 is read and thrown away, if max-gap
//                                                                      allows it; a point is never split
//
// When a device refuses a read because of something inside it (exception 2 or 3), the read is split in two at a hole, if
// it has one, else between two points, and each half is tried alone. The split stays, so that the next poll asks only for
// what the device has. A refused read of a single point is that point's fault: it is left out and asked for again after a
// while.

/// One read request and the points that its answer holds.
public struct ReadBlock: Sendable, Hashable {
    public var area: ModbusArea
    public var startingAddress: Int
    public var quantity: Int
    /// Which of ``ReadPlan/points``.
    public var points: Range<Int>
    /// Not asked for until then, because the device refused it the last time.
    var refusedUntil: MonotonicTime?
    /// Why, while it is refused, and what its points were last reported as.
    var reportedReason: QualityReason?
    var reportedAt: MonotonicTime = .zero
    /// The device was declared silent because of this read, and has answered others since.
    var wasSilent = false

    init(area: ModbusArea, startingAddress: Int, quantity: Int, points: Range<Int>) {
        self.area = area
        self.startingAddress = startingAddress
        self.quantity = quantity
        self.points = points
    }
}

/// The reads of one polling group of a device.
public struct ReadPlan: Sendable {
    /// Sorted by area, address and length.
    public let points: [ModbusPoint]
    /// Every point lies in exactly one of them.
    public private(set) var blocks: [ReadBlock] = []
    /// Codecs of ``points``; unused for points in areas of bits.
    let codecs: [RegisterCodec]
    /// What is left to do with the values of the codecs, by point; nil where that is nothing for all of them.
    let conversions: [PointConversion]?
    private let maxGap: Int
    private let maxQuantity: Int

    /// - Parameters:
    ///   - points: valid points of one device.
    ///   - maxGap: registers that a read may run over between two points.
    ///   - maxQuantity: the most registers that a read asks for, and a sixteenth of the bits. A point that takes more is
    ///     read by itself all the same.
    public init(points: [ModbusPoint], maxGap: Int, maxQuantity: Int = 125) {
        self.points = points.sorted {
            ($0.area.order, $0.address, $0.quantity, $0.identifier)
                < ($1.area.order, $1.address, $1.quantity, $1.identifier)
        }
        self.codecs = self.points.map { RegisterCodec($0) }
        conversions = self.points.allSatisfy { $0.conversion.onlyScales } ? nil : self.points.map(\.conversion)
        self.maxGap = maxGap
        self.maxQuantity = maxQuantity
        merge()
    }

    private mutating func merge() {
        for (index, point) in points.enumerated() {
            let end = point.address + point.quantity
            if let last = blocks.last, last.area == point.area {
                let hole = point.address - (last.startingAddress + last.quantity)
                let quantity = max(last.quantity, end - last.startingAddress)
                if hole <= maxGap * (point.area.holdsBits ? 16 : 1), quantity <= min(point.area.maxQuantity, maxQuantity * (point.area.holdsBits ? 16 : 1))
                {
                    blocks[blocks.count - 1].quantity = quantity
                    blocks[blocks.count - 1].points = last.points.lowerBound..<index + 1
                    continue
                }
            }
            blocks.append(
                ReadBlock(
                    area: point.area, startingAddress: point.address, quantity: point.quantity, points: index..<index + 1))
        }
    }

    /// Replaces a block by two halves at the same place and the next one.
    ///
    /// - Returns: false when the block holds a single point.
    public mutating func split(block index: Int) -> Bool {
        guard blocks.indices.contains(index), blocks[index].points.count > 1 else { return false }
        let block = blocks[index]
        let cut = cut(of: block)
        blocks.replaceSubrange(
            index...index,
            with: [tightened(block.area, block.points.lowerBound..<cut), tightened(block.area, cut..<block.points.upperBound)])
        return true
    }

    /// The first point of the second half: behind the hole nearest to the middle, or simply the middle.
    private func cut(of block: ReadBlock) -> Int {
        let middle = block.points.lowerBound + block.points.count / 2
        var best: Int?
        var end = block.startingAddress
        for index in block.points {
            if index > block.points.lowerBound, points[index].address > end,
                best.map({ abs(index - middle) < abs($0 - middle) }) ?? true
            {
                best = index
            }
            end = max(end, points[index].address + points[index].quantity)
        }
        return best ?? middle
    }

    private func tightened(_ area: ModbusArea, _ range: Range<Int>) -> ReadBlock {
        let start = points[range.lowerBound].address
        var end = start
        for index in range { end = max(end, points[index].address + points[index].quantity) }
        return ReadBlock(area: area, startingAddress: start, quantity: end - start, points: range)
    }

    /// Changes what is remembered about a block.
    mutating func update(block index: Int, _ change: (inout ReadBlock) -> Void) { change(&blocks[index]) }

    /// Asks again for everything that was refused: the device may have been replaced or restarted.
    mutating func forgetRefusals() {
        for index in blocks.indices {
            blocks[index].refusedUntil = nil
            blocks[index].reportedReason = nil
        }
    }
}

extension ModbusArea {
    var order: Int {
        switch self {
        case .coil: 0
        case .discreteInput: 1
        case .inputRegister: 2
        case .holdingRegister: 3
        }
    }
}
