import Core
import TestSupport
import Testing

@testable import FieldBus

struct ReadPlanTests {
    func point(_ identifier: String, _ area: ModbusArea, _ address: Int, _ type: PointType = .uint, length: Int = 0) -> ModbusPoint {
        var point = ModbusPoint(identifier: identifier, type: type, area: area, address: address)
        point.length = length
        return point
    }

    func shape(_ plan: ReadPlan) -> [[Int]] { plan.blocks.map { [$0.startingAddress, $0.quantity] } }

    @Test("points are merged across holes up to max-gap and not beyond")
    func gap() {
        let points = [0, 1, 5, 20].map { point("p\($0)", .holdingRegister, $0) }
        #expect(shape(ReadPlan(points: points, maxGap: 3)) == [[0, 6], [20, 1]])
        #expect(shape(ReadPlan(points: points, maxGap: 2)) == [[0, 2], [5, 1], [20, 1]])
        #expect(shape(ReadPlan(points: points, maxGap: 14)) == [[0, 21]])
    }

    @Test("areas are never mixed in a read")
    func areas() {
        let points = ModbusArea.allCases.map { point($0.rawValue, $0, 0, $0.holdsBits ? .bool : .uint) }
        #expect(Set(ReadPlan(points: points, maxGap: 124).blocks.map(\.area)) == Set(ModbusArea.allCases))
    }

    @Test("a read holds 125 registers and no more")
    func limit() {
        let points = (0..<126).map { point("p\($0)", .inputRegister, $0) }
        #expect(shape(ReadPlan(points: points, maxGap: 0)) == [[0, 125], [125, 1]])
    }

    @Test("a point that would cross the limit goes whole into the next read")
    func neverSplits() {
        let points = (0..<124).map { point("p\($0)", .holdingRegister, $0) } + [point("wide", .holdingRegister, 124, .real)]
        #expect(shape(ReadPlan(points: points, maxGap: 0)) == [[0, 124], [124, 2]])
    }

    @Test("several bits of one register take one read of one register")
    func bits() {
        let points = (0..<16).map { bit in
            var point = point("b\(bit)", .holdingRegister, 7, .bool)
            point.bit = bit
            return point
        }
        #expect(shape(ReadPlan(points: points, maxGap: 0)) == [[7, 1]])
    }

    @Test("a refused read is split at its hole first")
    func splitsAtHole() {
        var plan = ReadPlan(points: [0, 1, 2, 5].map { point("p\($0)", .holdingRegister, $0) }, maxGap: 8)
        let first = plan.split(block: 0)
        #expect(first)
        #expect(shape(plan) == [[0, 3], [5, 1]])
        let second = plan.split(block: 0)
        #expect(second)
        #expect(shape(plan) == [[0, 1], [1, 2], [5, 1]])
    }

    @Test("a read of a single point cannot be split")
    func singlePoint() {
        var plan = ReadPlan(points: [point("text", .holdingRegister, 0, .string, length: 20)], maxGap: 8)
        let single = plan.split(block: 0)
        let absent = plan.split(block: 7)
        #expect(!single && !absent)
    }

    @Test("splitting goes on until only the points that are really missing are left out")
    func findsMissing() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let points = randomPoints(&random).filter { !$0.area.holdsBits }
            var plan = ReadPlan(points: points, maxGap: Int.random(in: 0...124, using: &random))
            // The device has only these registers.
            let holes = Set((0..<Int.random(in: 0...20, using: &random)).map { _ in Int.random(in: 0..<600, using: &random) })
            func has(_ start: Int, _ quantity: Int) -> Bool { !(start..<start + quantity).contains { holes.contains($0) } }
            var missing: Set<String> = []
            var index = 0
            var requests = 0
            while index < plan.blocks.count {
                let block = plan.blocks[index]
                requests += 1
                if has(block.startingAddress, block.quantity) {
                    index += 1
                } else if !plan.split(block: index) {
                    missing.insert(plan.points[block.points.lowerBound].identifier)
                    index += 1
                }
            }
            #expect(missing == Set(points.filter { !has($0.address, $0.quantity) }.map(\.identifier)), "seed \(seed)")
            #expect(requests <= 2 * points.count, "seed \(seed)")
            checkCover(plan, points, seed: seed)
        }
    }

    @Test("every point lies whole in exactly one read, and every read keeps the protocol's limits")
    func covers() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for _ in 0..<500 {
            let points = randomPoints(&random)
            let maxGap = Int.random(in: 0...124, using: &random)
            var plan = ReadPlan(points: points, maxGap: maxGap)
            checkCover(plan, points, seed: seed)
            for _ in 0..<10 where !plan.blocks.isEmpty {
                _ = plan.split(block: Int.random(in: 0..<plan.blocks.count, using: &random))
                checkCover(plan, points, seed: seed)
            }
        }
    }

    func checkCover(_ plan: ReadPlan, _ points: [ModbusPoint], seed: UInt64) {
        #expect(Set(plan.points) == Set(points), "seed \(seed)")
        #expect(plan.blocks.flatMap { Array($0.points) } == Array(plan.points.indices), "seed \(seed)")
        for block in plan.blocks {
            #expect(block.quantity >= 1 && block.quantity <= block.area.maxQuantity, "seed \(seed)")
            for index in block.points {
                let point = plan.points[index]
                #expect(point.area == block.area, "seed \(seed)")
                #expect(
                    point.address >= block.startingAddress
                        && point.address + point.quantity <= block.startingAddress + block.quantity, "seed \(seed)")
            }
        }
    }

    func randomPoints(_ random: inout SeededRandom) -> [ModbusPoint] {
        (0..<Int.random(in: 0...80, using: &random)).map { number in
            let area = ModbusArea.allCases.randomElement(using: &random) ?? .coil
            let type = area.holdsBits ? .bool : PointType.allCases.randomElement(using: &random) ?? .uint
            let address = Int.random(in: 0...(area.holdsBits ? 5000 : 550), using: &random)
            return point("p\(number)", area, address, type, length: Int.random(in: 1...250, using: &random))
        }
    }
}

struct ReadPlanQuantityTests {
    @Test("no read asks for more than the device allows")
    func maxQuantity() {
        let points = (0..<200).map { uintPoint("p\($0)", $0) }
        let plan = ReadPlan(points: points, maxGap: 8, maxQuantity: 64)
        #expect(plan.blocks.map(\.quantity) == [64, 64, 64, 8])
        #expect(plan.blocks.map(\.startingAddress) == [0, 64, 128, 192])
    }

    @Test("of bits a read asks for sixteen times as many")
    func bits() {
        let points = (0..<100).map { ModbusPoint(identifier: "c\($0)", type: .bool, area: .coil, address: $0) }
        #expect(ReadPlan(points: points, maxGap: 0, maxQuantity: 2).blocks.map(\.quantity) == [32, 32, 32, 4])
    }
}
