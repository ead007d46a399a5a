/// Values by a pair of integers: open addressing with linear probing, for keys that nobody can choose.
struct IntegerTable {
    private struct Slot {
        var first: Int64
        var second: Int64
        var value: Int
    }

    private static let free = Int.min
    private var slots: [Slot]
    private var count = 0

    init(expecting count: Int) {
        var capacity = 64
        while capacity < 2 * count { capacity *= 2 }
        slots = [Slot](repeating: Slot(first: 0, second: 0, value: IntegerTable.free), count: capacity)
    }

    /// The value of a key; nil if it has none.
    subscript(first: Int64, second: Int64) -> Int? {
        get {
            let slot = slots[place(first, second)]
            return slot.value == IntegerTable.free ? nil : slot.value
        }
        set {
            guard let newValue else { return }
            let index = place(first, second)
            let isNew = slots[index].value == IntegerTable.free
            slots[index] = Slot(first: first, second: second, value: newValue)
            guard isNew else { return }
            count += 1
            if 2 * count > slots.count { grow() }
        }
    }

    /// Where a key stands, or would stand.
    private func place(_ first: Int64, _ second: Int64) -> Int {
        let product = (UInt64(bitPattern: first) &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(bitPattern: second))
            .multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        var index = Int(truncatingIfNeeded: product.high ^ product.low) & (slots.count - 1)
        while slots[index].value != IntegerTable.free, slots[index].first != first || slots[index].second != second {
            index = (index + 1) & (slots.count - 1)
        }
        return index
    }

    private mutating func grow() {
        var larger = IntegerTable(expecting: slots.count)
        for slot in slots where slot.value != IntegerTable.free { larger[slot.first, slot.second] = slot.value }
        self = larger
    }
}
