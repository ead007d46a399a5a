/// A few packet identifiers out of 65,535: those of received QoS 2 messages that have not been released.
///
/// Few are a list that is looked through, more a bit each.
struct PacketIdentifierSet: Sequence, ExpressibleByArrayLiteral {
    private var list: ContiguousArray<UInt16> = []
    /// 1,024 words when there have been more than ``listLimit``, else empty.
    private var bits: ContiguousArray<UInt64> = []
    private(set) var count = 0
    private static let listLimit = 64

    init() {}

    init(arrayLiteral elements: UInt16...) { self.init(elements) }

    init(_ identifiers: some Sequence<UInt16>) { for identifier in identifiers { insert(identifier) } }

    var isEmpty: Bool { count == 0 }

    func contains(_ identifier: UInt16) -> Bool {
        guard bits.isEmpty else { return bits[Int(identifier >> 6)] & bit(identifier) != 0 }
        return list.withUnsafeBufferPointer { list in
            var found = false
            for other in list where other == identifier { found = true }
            return found
        }
    }

    private func bit(_ identifier: UInt16) -> UInt64 { 1 << UInt64(identifier & 63) }

    /// Adds an identifier; nothing happens if it is there.
    mutating func insert(_ identifier: UInt16) {
        guard !contains(identifier) else { return }
        count += 1
        if bits.isEmpty, list.count < Self.listLimit {
            list.append(identifier)
            return
        }
        if bits.isEmpty {
            bits = ContiguousArray(repeating: 0, count: 1024)
            for other in list { bits[Int(other >> 6)] |= bit(other) }
            list = []
        }
        bits[Int(identifier >> 6)] |= bit(identifier)
    }

    /// Removes an identifier; false if it was not there.
    mutating func remove(_ identifier: UInt16) -> Bool {
        guard contains(identifier) else { return false }
        count -= 1
        if bits.isEmpty {
            if let index = list.firstIndex(of: identifier) {
                list.swapAt(index, list.count - 1)
                list.removeLast()
            }
        } else if count == 0 {
            bits = []
        } else {
            bits[Int(identifier >> 6)] &= ~bit(identifier)
        }
        return true
    }

    func makeIterator() -> AnyIterator<UInt16> {
        var next = 0
        if bits.isEmpty { return AnyIterator(list.makeIterator()) }
        return AnyIterator {
            while next <= Int(UInt16.max) {
                defer { next += 1 }
                if bits[next >> 6] & 1 << UInt64(next & 63) != 0 { return UInt16(next) }
            }
            return nil
        }
    }
}
