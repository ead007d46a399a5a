extension TextPattern {
    /// Where a pattern matched.
    public struct Match: Sendable, Hashable {
        /// By group number; nil for a group that took no part.
        public let groups: [Range<Int>?]
    }

    /// The first match in the bytes, and of those that begin there the one that a greedy reader finds.
    public func firstMatch(in bytes: [UInt8]) -> Match? {
        var current = Threads(program: program, slots: 2 * groupNames.count)
        var next = current
        var best: [Int]?
        for position in 0...bytes.count {
            // A match that begins later is worth less than every one that is under way.
            if best == nil {
                current.add(0, [Int](repeating: -1, count: 2 * groupNames.count), at: position, length: bytes.count)
            }
            if current.list.isEmpty { break }
            next.clear()
            for (instruction, slots) in current.list {
                if case .match = program[instruction] {
                    // What comes after it in the list is worth less.
                    best = slots
                    break
                }
                if position < bytes.count, case .byte(let set) = program[instruction], set.contains(bytes[position]) {
                    next.add(instruction + 1, slots, at: position + 1, length: bytes.count)
                }
            }
            swap(&current, &next)
        }
        guard let best else { return nil }
        return Match(groups: groupNames.indices.map { best[2 * $0] >= 0 && best[2 * $0 + 1] >= 0 ? best[2 * $0]..<best[2 * $0 + 1] : nil })
    }

    /// The ways through the program that are alive at one place of the text, the best first.
    private struct Threads {
        let program: [Instruction]
        var list: [(instruction: Int, slots: [Int])] = []
        private var generation: [Int]
        private var now = 1

        init(program: [Instruction], slots: Int) {
            self.program = program
            generation = [Int](repeating: 0, count: program.count)
        }

        mutating func clear() {
            list.removeAll(keepingCapacity: true)
            now += 1
        }

        /// Follows what needs no byte. Each instruction is visited once for each place of the text.
        mutating func add(_ instruction: Int, _ slots: [Int], at position: Int, length: Int) {
            var stack = [(instruction, slots)]
            while let (instruction, slots) = stack.popLast() {
                guard generation[instruction] != now else { continue }
                generation[instruction] = now
                switch program[instruction] {
                case .jump(let target): stack.append((target, slots))
                case .split(let first, let second):
                    stack.append((second, slots))
                    stack.append((first, slots))
                case .save(let slot):
                    var slots = slots
                    slots[slot] = position
                    stack.append((instruction + 1, slots))
                case .start: if position == 0 { stack.append((instruction + 1, slots)) }
                case .end: if position == length { stack.append((instruction + 1, slots)) }
                case .byte, .match: list.append((instruction, slots))
                }
            }
        }
    }
}
