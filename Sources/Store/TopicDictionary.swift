internal import Glibc

/// The topics of the block that is being written, found again by their bytes without making a `String`.
///
/// Open addressing with linear probing. The hash has a seed of its process, so nobody can choose topics that collide.
struct TopicDictionary {
    private struct Entry {
        let hash: UInt64
        /// Where the topic's bytes stand in the block.
        let offset: Int
        let length: Int
    }

    private var entries: [Entry] = []
    private var slots = [Int32](repeating: -1, count: 64)
    private static let seed = UInt64.random(in: .min ... .max)

    mutating func removeAll() {
        guard !entries.isEmpty else { return }
        entries.removeAll(keepingCapacity: entries.count <= 4096)
        if slots.count > 16384 {
            slots = [Int32](repeating: -1, count: 64)
        } else {
            slots.withUnsafeMutableBufferPointer { $0.update(repeating: -1) }
        }
    }

    var count: Int { entries.count }

    /// The number of `topic` if the block has it already.
    ///
    /// - Parameter block: the block's bytes, which hold the topics' text.
    func number(of topic: UnsafeRawBufferPointer, hash: UInt64, in block: UnsafeRawBufferPointer) -> Int? {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let number = Int(slots[slot])
            let entry = entries[number]
            if entry.hash == hash, entry.length == topic.count,
                equal(topic, UnsafeRawBufferPointer(rebasing: block[entry.offset..<entry.offset + entry.length]))
            {
                return number
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Adds a topic whose bytes stand at `offset` of the block; its number is the old ``count``.
    mutating func add(hash: UInt64, offset: Int, length: Int) {
        entries.append(Entry(hash: hash, offset: offset, length: length))
        if entries.count * 2 > slots.count { grow() } else { place(entries.count - 1) }
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for number in entries.indices { place(number) }
    }

    private mutating func place(_ number: Int) {
        var slot = Int(truncatingIfNeeded: entries[number].hash) & (slots.count - 1)
        while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = Int32(truncatingIfNeeded: number)
    }

    private func equal(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard let start = a.baseAddress, let other = b.baseAddress else { return a.count == b.count }
        return a.count == b.count && memcmp(start, other, a.count) == 0
    }

    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = seed
        var at = 0
        while bytes.count - at >= 8 {
            hash = mix(hash ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            at += 8
        }
        var rest = UInt64(truncatingIfNeeded: bytes.count)
        while at < bytes.count {
            rest = rest << 8 | UInt64(bytes[at])
            at += 1
        }
        return mix(hash ^ rest)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        let (high, low) = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return high ^ low
    }
}
